import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, resize_displacement


def test_field_values_are_added_in_row_col_order():
    field = np.zeros((4, 6, 2), dtype=np.float32)
    field[1, 3] = (2, -1)
    transform = DisplacementTransform(field)
    assert_array_equal(transform.map([[1, 3], [1, 3.5], [0, 0]]), [[3, 2], [2, 3], [0, 0]])


def test_the_border_is_replicated_outside():
    field = np.zeros((4, 6, 2), dtype=np.float32)
    field[-1, -1] = (5, 7)
    mapped = DisplacementTransform(field).map([[3.4, 5.4], [100, 200]])
    assert_allclose(mapped, [[8.4, 12.4], [105, 207]])


def test_displacement_of_the_own_grid_is_the_field(wavy):
    field = wavy((30, 41))
    transform = DisplacementTransform(field)
    sampled = transform.displacement((30, 41))
    assert_array_equal(sampled, field)
    sampled[0] = 99  # a copy: the transform must not notice
    assert_array_equal(transform.field, field)
    assert_allclose(transform.displacement((10, 12)), field[:10, :12], atol=1e-6)


@given(
    arrays(np.float32, (3, 4, 2), elements=st.floats(-8, 8, width=32)),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_a_coarse_field_is_the_resized_field(field, down, right):
    shape = (3 * down, 4 * right)
    coarse = DisplacementTransform.coarse(field, shape)
    unscaled = resize_displacement(field, shape) / np.array([down, right])
    assert_allclose(coarse.displacement(shape), unscaled, atol=1e-4)


def test_sampling_any_transform_keeps_its_map():
    matrix = MatrixTransform.from_params(rotation_degrees=5, translation=(1, 2))
    sampled = DisplacementTransform.from_transform(matrix, (40, 50))
    points = np.random.default_rng(1).uniform(0, 39, (20, 2))
    assert_allclose(sampled.map(points), matrix.map(points), atol=1e-5)


def test_at_its_own_places_a_field_is_exact_beside_missing_values():
    field = np.random.default_rng(0).normal(size=(6, 7, 2)).astype(np.float32)
    field[2, 3] = np.nan
    points = np.array([(2, 2), (1, 3), (2, 3), (-4, 9), (1e300, 0)], float)
    expected = points + field[[2, 1, 2, 0, 5], [2, 3, 3, 6, 0]]
    assert_array_equal(DisplacementTransform(field).map(points), expected)


def test_missing_displacements_stay_missing():
    field = np.zeros((5, 5, 2), dtype=np.float32)
    field[2, 2] = np.nan
    transform = DisplacementTransform(field)
    assert np.isnan(transform.map([[2, 2]])).all()
    assert np.isnan(transform.map([[np.nan, 1]])).all()
    assert_array_equal(transform.map([[0, 0.5]]), [[0, 0.5]])
    assert not transform.valid((5, 5), (5, 5))[2, 2]


def test_a_sheared_grid_places_the_field():
    field = np.zeros((4, 4, 2), dtype=np.float32)
    field[2, 1] = (1, 1)
    grid = MatrixTransform([[0, 3, 10], [2, 0, 20], [0, 0, 1]])  # index (2, 1) at (13, 24)
    assert_array_equal(DisplacementTransform(field, grid).map([[13, 24]]), [[14, 25]])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (np.zeros((4, 4)), "shape"),
        (np.zeros((4, 4, 3)), "shape"),
        (np.zeros((0, 4, 2)), "shape"),
        (np.full((4, 4, 2), np.inf), "infinite"),
    ],
)
def test_impossible_fields(field, message):
    with pytest.raises(TransformError, match=message):
        DisplacementTransform(field)


def test_impossible_grids():
    field = np.zeros((4, 4, 2))
    with pytest.raises(TransformError, match="affine"):
        DisplacementTransform(field, MatrixTransform([[1, 0, 0], [0, 1, 0], [0.1, 0, 1]]))
    with pytest.raises(TransformError, match="singular"):
        DisplacementTransform(field, MatrixTransform(np.diag([1, 0, 1])))
