import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import data

from napari_mmreg.errors import Cancelled, InputError, TransformError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.imaging import (
    change_grid,
    downsample,
    grid_to_image,
    image_to_grid,
    normalise,
    prepare_pair,
    to_grey,
)
from napari_mmreg.run import Run

CAMERA = data.camera()


def smooth(points):
    """An asymmetric picture that is known between the pixels."""
    row, col = points[..., 0], points[..., 1]
    return np.sin(row / 17) + np.cos(col / 23) + 0.5 * np.sin((row + 2 * col) / 41)


def pixels(shape):
    return np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1).astype(float)


def correlation(a, b, mask):
    return np.corrcoef(a[mask], b[mask])[0, 1]


def test_the_common_case_is_not_resampled():
    moving = CAMERA[::-1].copy()
    pair = prepare_pair(CAMERA, moving)
    everywhere = np.ones(CAMERA.shape, bool)
    for image, grey, mask in (
        (CAMERA, pair.fixed, pair.fixed_mask),
        (moving, pair.moving, pair.moving_mask),
    ):
        assert mask.all()
        assert grey.dtype == np.float32
        expected = normalise(to_grey(image)[0], everywhere)
        np.testing.assert_array_equal(grey, expected)
    assert pair.fixed_from_grid.is_identity
    assert pair.moving_from_grid.is_identity


@pytest.mark.parametrize("budget", [512 * 512, 60 * 60])
def test_an_exact_initial_transform_makes_the_two_equal(budget):
    # Tall fixed pixels, a rotated and scaled moving image of another size.
    true = MatrixTransform.from_params(
        rotation_degrees=20, scale=(1.7, 0.6), translation=(12, -9), center=(50, 60)
    )
    fixed = smooth(pixels((110, 150)))
    moving = smooth(true.inverse().map(pixels((220, 140))))
    pair = prepare_pair(fixed, moving, initial=true, fixed_spacing=(2, 1), budget=budget)
    both = pair.fixed_mask & pair.moving_mask
    assert both.mean() > 0.2
    assert correlation(pair.fixed, pair.moving, both) > 0.995
    step = np.diag(pair.fixed_from_grid.matrix)
    assert step[0] * 2 == pytest.approx(step[1])


def test_a_wrong_initial_transform_does_not():
    moving = smooth(pixels((120, 120)) + np.array([0, 25]))
    fixed = smooth(pixels((120, 120)))
    right = MatrixTransform.translation((0, -25))
    good = prepare_pair(fixed, moving, initial=right)
    bad = prepare_pair(fixed, moving, initial=right.inverse())
    assert correlation(good.fixed, good.moving, good.fixed_mask & good.moving_mask) > 0.999
    assert correlation(bad.fixed, bad.moving, bad.fixed_mask & bad.moving_mask) < 0.9


def test_a_bending_initial_transform_is_kept():
    rng = np.random.default_rng(0)
    field = ndimage.gaussian_filter(rng.normal(size=(120, 140, 2)), (25, 25, 0))
    field = (field / np.abs(field).max() * 6).astype(np.float32)
    bend = DisplacementTransform(field)
    moving = smooth(pixels((120, 140)))
    fixed = smooth(bend.map(pixels((120, 140))))
    pair = prepare_pair(fixed, moving, initial=bend)
    both = ndimage.binary_erosion(pair.fixed_mask & pair.moving_mask, iterations=3)
    assert correlation(pair.fixed, pair.moving, both) > 0.9999
    points = np.array([[60.0, 60.0], [40.0, 90.0]])
    found = grid_to_image(pair, MatrixTransform.identity()).map(points)
    np.testing.assert_allclose(found, bend.map(points), atol=1e-6)


def test_shrinking_averages():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (1000, 1200)).astype(np.uint8)
    picture = np.clip(smooth(pixels((1000, 1200)) / 5) * 40 + noise / 2 + 60, 0, 255)
    pair = prepare_pair(picture, picture, budget=100 * 120)
    assert pair.shape == (100, 120)
    np.testing.assert_allclose(pair.fixed, pair.moving, atol=1e-5)
    clean = smooth(pair.fixed_from_grid.map(pixels(pair.shape)) / 5)
    assert correlation(pair.fixed, clean, pair.fixed_mask) > 0.99


def test_no_data_is_masked_and_filled():
    fixed = CAMERA[:200, :200].astype(float)
    fixed[50:70, 60:80] = np.nan
    mask = np.ones((200, 200), int)
    mask[:, 150:] = 0
    pair = prepare_pair(fixed, CAMERA[:200, :200], moving_mask=mask)
    assert not pair.fixed_mask[50:70, 60:80].any()
    assert pair.fixed_mask.sum() == 200 * 200 - 400
    assert np.array_equal(pair.moving_mask, mask.astype(bool))
    for grey in (pair.fixed, pair.moving):
        assert np.isfinite(grey).all()
        assert grey.min() >= 0
        assert grey.max() <= 1
    assert (pair.moving[:, 150:] == pair.moving[:, 149:150]).all()


def test_black_corners_of_an_earlier_warp():
    turn = MatrixTransform.from_params(rotation_degrees=15, center=(255.5, 255.5))
    moving = turn.resample(np.maximum(CAMERA, 1), CAMERA.shape)
    valid = turn.valid(CAMERA.shape, CAMERA.shape)
    pair = prepare_pair(CAMERA, moving)
    assert pair.fixed_mask.all()
    assert not pair.moving_mask[~valid].any()
    assert pair.moving_mask[ndimage.binary_erosion(valid, iterations=4)].all()
    assert prepare_pair(CAMERA, moving, detect_borders=False).moving_mask.all()
    # The same after shrinking, where the rim's pixels are averages.
    small = prepare_pair(CAMERA, moving, budget=100 * 100)
    inside = valid[2::5, 2::5][: small.shape[0], : small.shape[1]]
    assert small.moving_mask.mean() == pytest.approx(inside.mean(), abs=0.06)
    assert small.moving_mask.mean() < inside.mean()


def test_lift_goes_through_the_grid():
    pair = prepare_pair(CAMERA, CAMERA[:300, :400], fixed_spacing=(1.0, 2.0), budget=150 * 150)
    shift = MatrixTransform.translation((3, -4))
    points = np.array([[0.0, 0.0], [100.0, 50.0]])
    on_grid = pair.fixed_from_grid.inverse().map(points)
    expected = pair.moving_from_grid.map(on_grid + np.array([3, -4]))
    np.testing.assert_allclose(grid_to_image(pair, shift).map(points), expected)
    np.testing.assert_allclose(
        image_to_grid(pair, grid_to_image(pair, shift)).map(points), shift.map(points)
    )


@settings(max_examples=20, deadline=None)
@given(
    angle=st.floats(-30, 30),
    row=st.floats(-20, 20),
    budgets=st.tuples(st.integers(2000, 9000), st.integers(2000, 9000)),
)
def test_regrid_means_the_same_transform(angle, row, budgets):
    fixed, moving = CAMERA[::4, ::4], CAMERA[::5, ::3]
    start = MatrixTransform.from_params(rotation_degrees=10, translation=(3, 4), scale=0.8)
    source, target = (prepare_pair(fixed, moving, initial=start, budget=b) for b in budgets)
    found = MatrixTransform.from_params(rotation_degrees=angle, translation=(row, 5))
    points = np.array([[0.0, 0.0], [100.0, 50.0], [-20.0, 127.0]])
    np.testing.assert_allclose(
        grid_to_image(target, change_grid(found, source, target)).map(points),
        grid_to_image(source, found).map(points),
        atol=1e-6,
    )


def test_regrid_refuses_another_pair():
    one = prepare_pair(CAMERA, CAMERA)
    other = prepare_pair(CAMERA, CAMERA, initial=MatrixTransform.translation((9, 0)))
    with pytest.raises(TransformError, match="same input"):
        change_grid(MatrixTransform.identity(), one, other)


def test_only_the_part_that_meets_is_looked_at():
    # A large moving image, NaN except where the fixed frame lies.
    moving = np.full((1500, 1500), np.nan, np.float32)
    moving[900:1100, 700:900] = CAMERA[:200, :200]
    start = MatrixTransform.translation((900, 700))
    pair = prepare_pair(CAMERA[:200, :200], moving, initial=start)
    assert pair.shape == (400, 400)  # grown by half the frame on each side
    both = pair.fixed_mask & pair.moving_mask
    assert both.sum() == 200 * 200
    np.testing.assert_allclose(pair.fixed[both], pair.moving[both], atol=1e-6)


def test_bad_input():
    far = MatrixTransform.translation((10_000, 0))
    with pytest.raises(InputError, match="do not overlap"):
        prepare_pair(CAMERA, CAMERA, initial=far)
    with pytest.raises(InputError, match="moving image has the same value"):
        prepare_pair(CAMERA, np.full_like(CAMERA, 7))
    with pytest.raises(InputError, match="fixed image holds only NaN"):
        prepare_pair(np.full((40, 40), np.nan), CAMERA)
    half = np.full((512, 512), np.nan)
    half[:10] = 1.0
    mask = np.zeros((512, 512), bool)
    mask[20:] = True
    with pytest.raises(InputError, match="No pixel of the moving image is valid"):
        prepare_pair(CAMERA, half, moving_mask=mask)
    with pytest.raises(InputError, match="fixed mask has the shape"):
        prepare_pair(CAMERA, CAMERA, fixed_mask=np.ones((3, 3), bool))
    with pytest.raises(InputError, match="moving spacing"):
        prepare_pair(CAMERA, CAMERA, moving_spacing=(1, -1))


def test_cancel():
    with pytest.raises(Cancelled):
        prepare_pair(CAMERA, CAMERA, run=Run(cancel=lambda: True))


def test_input_is_not_changed():
    image = np.where(CAMERA > 200, np.nan, CAMERA).astype(np.float32)
    before = image.copy()
    prepare_pair(image, image[:, ::-1], budget=100 * 100)
    np.testing.assert_array_equal(image, before)


def test_shrink_is_the_same_pair_on_a_coarser_grid():
    fixed = CAMERA[:400, :480].astype(float)
    fixed[:80] = np.nan
    start = MatrixTransform.from_params(rotation_degrees=4, scale=1.2)
    fine = prepare_pair(fixed, CAMERA, initial=start)
    assert downsample(fine, 512 * 512) is fine
    coarse = downsample(fine, 100 * 100)
    assert 0.9 * 100**2 < coarse.fixed.size <= 100**2
    direct = prepare_pair(fixed, CAMERA, initial=start, budget=100 * 100)
    for name in ("fixed", "moving"):
        grey, mask = getattr(coarse, name), getattr(coarse, f"{name}_mask")
        at = regridded_positions(direct, coarse)
        there = ndimage.map_coordinates(getattr(direct, name), at, order=1, mode="nearest")
        inner = ndimage.binary_erosion(mask, iterations=3)
        assert correlation(grey, there, inner) > 0.98
        assert grey.dtype == np.float32
    points = np.array([[0.0, 0.0], [50.0, 30.0]])
    identity = MatrixTransform.identity()
    np.testing.assert_allclose(
        grid_to_image(coarse, identity).map(points), start.map(points), atol=1e-9
    )
    shift = MatrixTransform.translation((2, -3))
    np.testing.assert_allclose(
        grid_to_image(fine, change_grid(shift, coarse, fine)).map(points),
        grid_to_image(coarse, shift).map(points),
    )


def regridded_positions(source, target):
    back = source.fixed_from_grid.inverse().compose(target.fixed_from_grid)
    return np.moveaxis(back.map(pixels(target.shape)), -1, 0)
