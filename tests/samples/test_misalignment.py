"""The known misalignments behind the samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_mmreg.samples import Misalignment
from napari_mmreg.samples.misalignment import crop, misalign, smooth_field

SHAPE = (90, 140)
MARGIN = (30, 40)
STRONG = Misalignment(
    rotation_degrees=5,
    scale=1.03,
    translation=(6, -9),
    perspective=(0.02, -0.01),
    elastic=3,
    wavelength=45,
    seed=4,
)


def smooth_canvas(channels: int | None = None) -> np.ndarray:
    """A picture so smooth that interpolation errs by less than the tests' tolerance."""
    shape = tuple(n + 2 * m for n, m in zip(SHAPE, MARGIN, strict=True))
    noise = np.random.default_rng(0).standard_normal((*shape, channels or 1))
    picture = ndimage.gaussian_filter(noise, (5, 5, 0))
    picture = (picture / np.abs(picture).max()).astype(np.float32)
    return picture if channels else picture[..., 0]


@pytest.mark.parametrize("channels", [None, 3])
def test_moving_sampled_at_truth_is_the_aligned_picture(channels):
    canvas = smooth_canvas(channels)
    truth = STRONG.transform(SHAPE, MARGIN)
    moving = misalign(canvas, MARGIN, truth)
    aligned = crop(canvas, MARGIN)
    back = truth.resample(moving, SHAPE, order=3)
    inner = truth.valid(SHAPE, SHAPE) & ndimage.binary_erosion(np.ones(SHAPE, bool), iterations=3)
    difference = np.abs(back - aligned)[inner]
    assert np.nanquantile(difference, 0.99) < 0.01
    assert np.abs(moving - aligned)[inner].mean() > 0.05  # it was misaligned at all


def test_content_beyond_the_frame_is_real():
    moving = misalign(smooth_canvas(), MARGIN, STRONG.transform(SHAPE, MARGIN))
    assert np.isfinite(moving).all()


def test_what_the_canvas_lacks_is_nan_in_floats_and_zero_in_integers():
    far = Misalignment(translation=(60.0, 0.0)).transform(SHAPE, MARGIN)
    canvas = smooth_canvas()
    moving = misalign(canvas, MARGIN, far)
    assert np.isnan(moving[: 60 - MARGIN[0]]).all()
    assert np.isfinite(moving[60 - MARGIN[0] :]).all()
    counts = misalign(np.full(canvas.shape, 7, np.uint16), MARGIN, far)
    assert (counts[: 60 - MARGIN[0]] == 0).all()
    assert (counts[60 - MARGIN[0] :] == 7).all()


def test_holes_do_not_spread():
    canvas = smooth_canvas()
    canvas[70, 90] = np.nan
    moving = misalign(canvas, MARGIN, STRONG.transform(SHAPE, MARGIN), order=1)
    assert 1 <= np.isnan(moving).sum() <= 4


def test_matrix_has_the_named_parts():
    centre = (np.array(SHAPE) - 1) / 2
    matrix = Misalignment(translation=(3.0, -4.0), scale=1.5, rotation_degrees=90).matrix(SHAPE)
    moved = centre + np.array([3, -4])
    np.testing.assert_allclose(matrix.map(centre), moved)
    # Positive rotation turns the row axis towards the column axis.
    below = centre + np.array([1, 0])
    np.testing.assert_allclose(matrix.map(below), moved + np.array([0, 1.5]), atol=1e-9)


def test_perspective_is_the_change_of_scale_at_the_border():
    matrix = Misalignment(perspective=(0.1, 0.0)).matrix(SHAPE)
    centre = (np.array(SHAPE) - 1) / 2
    bottom = np.array([SHAPE[0] - 1, centre[1]])
    np.testing.assert_allclose(matrix.map(bottom) - centre, (bottom - centre) / 1.1)
    assert not matrix.is_affine


def test_without_elastic_part_the_truth_is_one_matrix():
    assert Misalignment(rotation_degrees=3).transform(SHAPE).is_affine


def test_smooth_field_has_the_length_asked_for_and_depends_on_the_seed_only():
    field = smooth_field(SHAPE, 4.0, 40.0, seed=1)
    assert field.shape == (*SHAPE, 2)
    assert field.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(field, axis=-1).max(), 4.0, rtol=1e-5)
    np.testing.assert_array_equal(field, smooth_field(SHAPE, 4.0, 40.0, seed=1))
    assert np.abs(field - smooth_field(SHAPE, 4.0, 40.0, seed=2)).max() > 1
    assert np.abs(np.diff(field, axis=0)).max() < 1  # does not fold
