"""A result for a transform that no model found."""

from __future__ import annotations

import json

import numpy as np
import pytest
from skimage import data

from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import MatrixTransform, correct_transform
from napari_mmreg.registration import assess

SCENE = data.camera()[100:300, 100:340]
SHIFT = (6, -4)
FIXED, MOVING = SCENE[20:180, 20:220], 255 - SCENE[14:174, 24:224]
TRUTH = MatrixTransform.translation(SHIFT)


def test_a_good_transform_is_applied_and_called_ok():
    points = np.array([[20, 30], [120, 40], [60, 170.0]])
    transform = correct_transform(MatrixTransform.identity(), points, points + SHIFT)
    stages = []
    result = assess(
        FIXED,
        MOVING,
        transform,
        model="landmarks",
        history={"parent": None},
        device="cpu",
        progress=lambda stage, fraction: stages.append(stage),
    )
    assert result.status == "ok"
    assert result.transform is transform
    inner = np.s_[20:-20, 20:-20]
    difference = result.registered[inner].astype(float) - (255.0 - FIXED[inner])
    assert np.median(np.abs(difference)) < 2
    assert result.metrics["similarity_after"] > result.metrics["similarity_before"] + 0.2
    assert result.provenance["parent"] is None
    assert result.provenance["inputs"]["moving"]["shape"] == [160, 200]
    assert list(dict.fromkeys(stages)) == ["Preparing", "Checking", "Writing result"]
    json.dumps(result.report(), allow_nan=False)


def test_a_bad_transform_is_kept_and_called_doubtful():
    away = MatrixTransform.translation((150, 180))
    result = assess(FIXED, MOVING, away, model="landmarks", device="cpu")
    assert result.status == "doubtful"
    assert result.transform is away
    assert "kept as it is" in result.reasons[-1]
    assert result.metrics["overlap_percent"] < 20


def test_other_sizes_and_a_start_elsewhere():
    half = MatrixTransform(np.diag([0.5, 0.5, 1.0])).compose(TRUTH)
    result = assess(
        FIXED,
        MOVING[::2, ::2],
        half,
        model="landmarks",
        initial=np.diag([0.5, 0.5, 1.0]),
        device="cpu",
    )
    assert result.status == "ok"
    assert result.metrics["displacement_median_px"] == pytest.approx(np.hypot(*SHIFT), abs=0.1)


def test_it_can_be_cancelled_and_refuses_what_is_no_image():
    with pytest.raises(Cancelled):
        assess(FIXED, MOVING, TRUTH, model="landmarks", cancel=lambda: True)
    with pytest.raises(InputError):
        assess(FIXED[:5, :5], MOVING, TRUTH, model="landmarks")
