"""Registering the directions of a bidirectional scan against each other."""

import numpy as np
import pytest

from napari_mmreg import correct_scan
from napari_mmreg.errors import InputError
from napari_mmreg.registration import bidirectional
from napari_mmreg.samples.bidirectional import bidirectional_scan


def test_lines_of_a_simulated_scan_are_put_where_they_belong():
    scan = bidirectional_scan()
    part = np.s_[64:256, 64:320]  # begins with a forward line
    image = scan.image[part]
    corrected, result = correct_scan(image, model="classical")
    assert result.status == "ok"
    assert corrected.dtype == image.dtype
    np.testing.assert_array_equal(corrected[0::2], image[0::2])
    rows, cols = np.meshgrid(np.arange(10, 90, 10), np.arange(20, 230, 15), indexing="ij")
    points = np.stack([rows, cols], -1).reshape(-1, 2).astype(float)
    corner = np.array([32, 64])
    truth = scan.truth.map(points + corner) - corner
    error = np.linalg.norm((result.transform.map(points) - truth) * (2, 1), axis=1)
    assert np.median(error) < 0.5
    known = np.s_[1::2, 5:-20]
    before, after = (
        np.corrcoef(each[known].ravel(), scan.aligned[part][known].ravel())[0, 1]
        for each in (image, corrected)
    )
    assert before < 0.6
    assert after > 0.9


def test_a_failed_registration_changes_nothing(monkeypatch):
    class Failed:
        status = "failed"

    seen = {}

    def register(fixed, moving, **options):
        seen.update(options, shapes=(fixed.shape, moving.shape))
        return Failed()

    monkeypatch.setattr(bidirectional, "register", register)
    image = np.random.default_rng(0).random((41, 30))
    corrected, _ = correct_scan(image, "hrnet", seed=3)
    np.testing.assert_array_equal(corrected, image)
    assert not np.shares_memory(corrected, image)
    assert seen["shapes"] == ((21, 30), (20, 30))
    assert (seen["model"], seen["seed"], seen["fixed_spacing"]) == ("hrnet", 3, (2, 1))
    np.testing.assert_allclose(seen["initial"].map([[4.0, 7.0]]), [[3.5, 7.0]])


def test_what_is_no_scan_says_so():
    with pytest.raises(InputError, match="two rows"):
        correct_scan(np.zeros((1, 40)))
