"""The samples themselves: what is in them and whether their truth is true."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import normalized_mutual_information

from napari_mmreg.samples import SampleError, list_samples, load_sample

OFFLINE = [info.name for info in list_samples() if not info.needs_network]


@pytest.fixture(scope="module", params=OFFLINE)
def sample(request):
    return load_sample(request.param)


def grey(image):
    return image.mean(axis=-1) if image.ndim == 3 else image.astype(float)


def mutual_information(sample, image, mask):
    mask = mask & np.isfinite(image)
    return normalized_mutual_information(
        grey(sample.fixed)[mask], image[mask].astype(float), bins=32
    )


def test_three_samples_need_no_network_and_one_does():
    assert OFFLINE == ["ihc_two_stain", "motorcycle_rgb_depth", "visible_thermal_simulated"]
    assert [i.name for i in list_samples() if i.needs_network] == ["roadscene_flir_08835"]


def test_unknown_sample_names_the_known_ones():
    with pytest.raises(SampleError, match="ihc_two_stain, motorcycle_rgb_depth"):
        load_sample("lena")


def test_landmarks_belong_together_and_lie_in_both_frames(sample):
    assert len(sample.fixed_points) == len(sample.moving_points) >= 16
    np.testing.assert_allclose(sample.truth.map(sample.fixed_points), sample.moving_points)
    for points, image in (
        (sample.fixed_points, sample.fixed),
        (sample.moving_points, sample.moving),
    ):
        assert (points >= 5).all()
        assert (points <= np.array(image.shape[:2]) - 6).all()
    # spread: landmarks in all four quadrants of the fixed frame
    halves = sample.fixed_points > np.array(sample.fixed.shape[:2]) / 2
    assert len(np.unique(halves, axis=0)) == 4


def test_landmarks_avoid_missing_data(sample):
    row, col = np.rint(sample.moving_points).astype(int).T
    assert np.isfinite(sample.moving[row, col].astype(float)).all()


def test_misalignment_is_plain_to_see_but_within_reach(sample):
    shape = sample.fixed.shape[:2]
    assert max(shape) <= 700
    distance = np.linalg.norm(sample.moving_points - sample.fixed_points, axis=1)
    at_256 = distance * 256 / max(shape)
    assert 10 < np.median(at_256) < 25
    assert at_256.max() < 40
    assert sample.truth.valid(shape, sample.moving.shape).mean() > 0.8


def test_truth_aligns_the_pair_and_the_raw_pair_is_not_aligned(sample):
    shape = sample.fixed.shape[:2]
    overlap = sample.truth.valid(shape, sample.moving.shape)
    before = mutual_information(sample, sample.moving, overlap)
    after = mutual_information(sample, sample.truth.resample(sample.moving, shape), overlap)
    assert after - 1 > 1.5 * (before - 1)  # 1 means independent


def test_truth_inverts_on_the_whole_moving_frame(sample):
    inverse = sample.truth.inverse()
    height, width = sample.moving.shape[:2]
    grid = np.stack(np.mgrid[0:height:17, 0:width:17], axis=-1)
    np.testing.assert_allclose(sample.truth.map(inverse.map(grid)), grid, atol=1e-3)


def test_metadata_holds_the_truth_in_pixels(sample):
    metadata = sample.metadata()
    field = metadata["truth_displacement"]
    assert field.shape == (*sample.fixed.shape[:2], 2)
    row, col = np.rint(sample.fixed_points).astype(int).T
    expected = sample.truth.map(np.stack([row, col], axis=-1)) - np.stack([row, col], axis=-1)
    np.testing.assert_allclose(field[row, col], expected, atol=1e-4)
    assert metadata["unit"] == "pixel"
    assert metadata["sample"] == sample.name


def test_samples_are_the_same_every_time(sample):
    again = load_sample(sample.name)
    np.testing.assert_array_equal(sample.moving, again.moving)
    np.testing.assert_array_equal(sample.fixed_points, again.fixed_points)


def test_stains_are_two_different_grey_images():
    sample = load_sample("ihc_two_stain")
    assert sample.fixed.shape == sample.moving.shape == (384, 384)
    assert sample.fixed.dtype == sample.moving.dtype == np.uint8


def test_depth_has_missing_data_and_colour_has_channels():
    sample = load_sample("motorcycle_rgb_depth")
    assert sample.fixed.shape[-1] == 3
    assert sample.moving.dtype == np.float32
    assert 0.02 < np.isnan(sample.moving).mean() < 0.2


def test_simulated_says_so_and_is_no_monotone_copy():
    sample = load_sample("visible_thermal_simulated")
    assert "SIMULATED" in sample.title
    assert "simulated" in sample.notes
    assert sample.moving.dtype == np.uint16
    shape = sample.fixed.shape[:2]
    warped = sample.truth.resample(sample.moving, shape)
    overlap = sample.truth.valid(shape, sample.moving.shape)
    visible, thermal = grey(sample.fixed)[overlap], warped[overlap].astype(float)
    curve = [thermal[(visible >= v) & (visible < v + 32)].mean() for v in range(0, 224, 32)]
    steps = np.sign(np.diff(curve))
    assert {-1.0, 1.0} <= set(steps)
