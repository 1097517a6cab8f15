import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    MatrixTransform,
    ThinPlateTransform,
    inverse_consistency,
    pixel_grid,
)


@given(st.integers(0, 1000))
def test_a_field_is_inverted_to_a_hundred_thousandth_of_a_pixel(seed):
    rng = np.random.default_rng(seed)
    transform = DisplacementTransform.coarse(rng.uniform(-4, 4, (4, 5, 2)), (60, 85))
    fixed = rng.uniform((0, 0), (59, 84), (40, 2))
    back = transform.inverse().map(transform.map(fixed))
    assert_allclose(transform.map(back), transform.map(fixed), atol=2e-5)
    assert_allclose(back, fixed, atol=2e-3)


def test_a_field_with_a_large_affine_part():
    matrix = MatrixTransform.from_params(rotation_degrees=120, scale=(2.5, 0.4), center=(9, 70))
    transform = DisplacementTransform.from_transform(matrix, (50, 70))
    fixed = np.random.default_rng(0).uniform((0, 0), (49, 69), (200, 2))
    assert_allclose(transform.inverse().map(matrix.map(fixed)), fixed, atol=1e-3)


def test_steep_fields_start_again_from_an_anchor():
    """A swirl turns each place by its own angle: no affine trend comes near."""
    grid = pixel_grid(slice(0, 121), slice(0, 141))
    radius = grid - (60, 70)
    angle = np.deg2rad(250) * np.exp(-np.square(radius).sum(axis=-1) / 35**2)
    turned = np.stack(
        [
            np.cos(angle) * radius[..., 0] - np.sin(angle) * radius[..., 1],
            np.sin(angle) * radius[..., 0] + np.cos(angle) * radius[..., 1],
        ],
        axis=-1,
    )
    transform = DisplacementTransform(turned - radius)
    fixed = np.random.default_rng(2).uniform((10, 10), (110, 130), (500, 2))
    back = transform.inverse().map(transform.map(fixed))
    found = ~np.isnan(back[:, 0])
    assert found.mean() > 0.99
    assert_allclose(transform.map(back[found]), transform.map(fixed[found]), atol=2e-5)


def test_no_answer_outside_the_field():
    transform = DisplacementTransform(np.full((20, 30, 2), 4.0))
    back = transform.inverse().map([[10, 10], [3.6, 3.6], [3.4, 10], [24, 10], [np.nan, 1]])
    assert_allclose(back[:2], [[6, 6], [-0.4, -0.4]], atol=1e-5)
    assert np.isnan(back[2:]).all()


def test_no_answer_where_nothing_maps_to():
    row = np.arange(40.0)
    field = np.zeros((40, 40, 2))
    field[..., 0] = np.where(row < 20, 0, 10)[:, None]  # a tear from 19 to 30
    field[20:, :, 0] = np.nan
    transform = DisplacementTransform(field)
    back = transform.inverse().map([[10, 10], [25, 10]])
    assert_allclose(back[0], [10, 10], atol=1e-5)
    assert np.isnan(back[1]).all()


def test_a_field_without_any_answer():
    nowhere = DisplacementTransform(np.full((8, 8, 2), np.nan))
    assert np.isnan(nowhere.inverse().map([[1, 1]])).all()


def test_the_inverse_of_the_inverse_is_the_original(wavy):
    transform = DisplacementTransform(wavy((20, 30)))
    assert transform.inverse().inverse() is transform
    shift = MatrixTransform.translation((3, 1))
    twice = CompositeTransform([shift, transform]).inverse().inverse()
    assert_allclose(
        twice.map([[3, 4]]), CompositeTransform([shift, transform]).map([[3, 4]]), atol=1e-12
    )


def test_a_spline_is_inverted_beyond_its_landmarks():
    fixed = np.array([[10, 10], [10, 90], [70, 15], [60, 80], [35, 50.0]])
    spline = ThinPlateTransform(fixed, fixed * 1.2 + [[0, 5], [2, 0], [0, -3], [1, 1], [6, 6]])
    points = np.random.default_rng(3).uniform(-20, 120, (100, 2))
    assert_allclose(spline.inverse().map(spline.map(points)), points, atol=1e-3)


def test_inverse_consistency_is_in_fixed_pixels(wavy):
    transform = DisplacementTransform(wavy((60, 80), amplitude=2.0))
    good = inverse_consistency(transform, transform.inverse(), (60, 80))
    assert good.shape == (60, 80)
    assert good.dtype == np.float32
    assert np.nanmax(good) < 1e-3
    assert np.isnan(good).mean() < 0.01
    off = MatrixTransform.translation((3, 4))
    assert_allclose(inverse_consistency(MatrixTransform.identity(), off, (5, 6)), 5.0)
