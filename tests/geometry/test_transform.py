import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from skimage.transform import ProjectiveTransform, warp

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    MatrixTransform,
    pixel_grid,
    warp_points,
)

POINTS = np.array([[0.0, 0.0], [10.0, 3.0], [-4.5, 80.25], [33.0, 7.0]])

affines = st.builds(
    lambda angle, rows, cols, shear, down, right: MatrixTransform.from_params(
        rotation_degrees=angle, scale=(rows, cols), shear=shear, translation=(down, right)
    ),
    st.floats(-180, 180),
    st.floats(0.3, 3),
    st.floats(0.3, 3),
    st.floats(-0.5, 0.5),
    st.floats(-50, 50),
    st.floats(-50, 50),
)
homographies = st.builds(
    lambda affine, down, right: MatrixTransform(
        affine.matrix @ np.array([[1, 0, 0], [0, 1, 0], [down, right, 1]])
    ),
    affines,
    st.floats(-1e-3, 1e-3),
    st.floats(-1e-3, 1e-3),
)


def field_transform(seed, shape=(40, 55)):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-2.5, 2.5, (4, 5, 2))
    return DisplacementTransform.coarse(coarse, shape)


fields = st.builds(field_transform, st.integers(0, 1000))
transforms = st.one_of(affines, homographies, fields)


def test_translation_adds_to_the_fixed_position():
    moved = MatrixTransform.translation((2, -3)).map([[10, 20]])
    assert_array_equal(moved, [[12, 17]])


def test_rotation_turns_rows_towards_columns():
    quarter = MatrixTransform.from_params(rotation_degrees=90, center=(5, 7))
    assert_allclose(quarter.map([[6, 7], [5, 8]]), [[5, 8], [4, 7]], atol=1e-12)


def test_params_shear_then_scale_then_rotate():
    built = MatrixTransform.from_params(scale=(2, 3), shear=0.5)
    assert_allclose(built.map([[1, 4]]), [[6, 12]])


def test_xy_matrices_swap_both_axes():
    matrix = np.array([[1, 2, 3], [4, 5, 6], [0.01, 0.02, 1]])
    ours = MatrixTransform.from_xy(matrix)
    assert_array_equal(ours.matrix_xy, matrix)
    expected = ProjectiveTransform(matrix)(POINTS[:, ::-1] + 50)[:, ::-1]
    assert_allclose(ours.map(POINTS + 50), expected)


def test_map_keeps_the_shape_and_passes_nan():
    transform = MatrixTransform.translation((1, 1))
    assert transform.map(np.zeros((3, 4, 2))).shape == (3, 4, 2)
    assert transform.map((5, 6)).shape == (2,)
    assert transform.map(np.empty((0, 2))).shape == (0, 2)
    assert np.isnan(transform.map([[np.nan, 1]])[0, 0])


@pytest.mark.parametrize("points", [3.0, [[1, 2, 3]]])
def test_map_refuses_other_shapes(points):
    with pytest.raises(InputError, match=r"\(row, col\)"):
        MatrixTransform.identity().map(points)


@given(transforms, transforms)
def test_compose_is_first_then_self(a, b):
    assert_allclose(a.compose(b).map(POINTS), a.map(b.map(POINTS)), rtol=1e-9, atol=1e-7)


@given(transforms, transforms, transforms)
def test_compose_is_associative(a, b, c):
    left, right = a.compose(b).compose(c), a.compose(b.compose(c))
    assert_allclose(left.map(POINTS), right.map(POINTS), rtol=1e-8, atol=1e-6)


@given(affines)
def test_affine_inverse(transform):
    assert_allclose(transform.inverse().map(transform.map(POINTS)), POINTS, atol=1e-8)
    assert_allclose(transform.inverse().inverse().matrix, transform.matrix, atol=1e-9)


@given(homographies)
def test_homography_inverse_is_exact(transform):
    assert_allclose(transform.inverse().map(transform.map(POINTS)), POINTS, atol=1e-7)


@given(affines, fields, affines)
def test_chain_inverts_in_reverse_order(a, field, b):
    chain = CompositeTransform([a, field, b])
    inside_field = np.array([[10.0, 12.0], [20.0, 44.0], [31.0, 5.0]])
    fixed = a.inverse().map(inside_field)
    assert_allclose(chain.inverse().map(chain.map(fixed)), fixed, atol=1e-3)


def test_matrices_in_a_row_become_one():
    shift = MatrixTransform.translation((1, 0))
    turn = MatrixTransform.from_params(rotation_degrees=30)
    both = turn.compose(shift)
    assert isinstance(both, MatrixTransform)
    assert_allclose(both.matrix, turn.matrix @ shift.matrix)


def test_chains_are_flat_and_free_of_identities(wavy):
    field = DisplacementTransform(wavy((20, 30)))
    shift = MatrixTransform.translation((1, 0))
    inner = CompositeTransform([shift, field])
    chain = CompositeTransform([shift, inner, MatrixTransform.identity(), shift, shift.inverse()])
    assert [type(part) for part in chain.transforms] == [MatrixTransform, DisplacementTransform]
    assert_array_equal(chain.transforms[0].matrix[:2, 2], [2, 0])
    assert field.compose(MatrixTransform.identity()) is field


def test_an_empty_chain_is_the_identity():
    chain = CompositeTransform([])
    assert chain.is_affine
    assert_array_equal(chain.map(POINTS), POINTS)


def test_is_affine(wavy):
    homography = MatrixTransform([[1, 0, 0], [0, 1, 0], [0.001, 0, 1]])
    field = DisplacementTransform(wavy((20, 30)))
    assert MatrixTransform.identity().is_affine
    assert not homography.is_affine
    assert not field.is_affine
    assert CompositeTransform([homography, homography.inverse()]).is_affine
    assert not CompositeTransform([homography, field]).is_affine


def test_points_behind_the_horizon_have_no_image():
    homography = MatrixTransform([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1]])  # w = 1 - row / 10
    mapped = homography.map([[5, 1], [10, 1], [15, 1]])
    assert_allclose(mapped[0], [10, 2])
    assert np.isnan(mapped[1:]).all()
    back = homography.inverse()
    assert_allclose(back.map(mapped[:1]), [[5, 1]])


def test_scale_of_a_homogeneous_matrix_does_not_matter():
    matrix = np.array([[2, 0, 4], [0, 2, 6], [0, 0, 2]])
    assert_allclose(MatrixTransform(matrix).map([[0, 0]]), [[2, 3]])
    assert_allclose(MatrixTransform(-matrix).map([[0, 0]]), [[2, 3]])


def test_a_horizon_through_the_origin():
    homography = MatrixTransform([[1, 0, 0], [0, 1, 0], [0.5, 0, 1e-320]])
    assert_allclose(homography.map([[4, 6]]), [[2, 3]])


def test_a_matrix_cannot_be_changed_from_outside():
    matrix = np.eye(3)
    transform = MatrixTransform(matrix)
    matrix[0, 2] = 5
    assert_array_equal(transform.map([[0, 0]]), [[0, 0]])
    with pytest.raises(ValueError, match="read-only"):
        transform.matrix[0, 0] = 2


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), "3x3"),
        (np.diag([1, np.nan, 1]), "not finite"),
        (np.diag([1, 1, 0]), "last row"),
    ],
)
def test_impossible_matrices(matrix, message):
    with pytest.raises(TransformError, match=message):
        MatrixTransform(matrix)


@pytest.mark.parametrize(
    "matrix",
    [
        np.diag([1, 0, 1]),
        [[1, 2, 0], [2, 4, 0], [0, 0, 1]],
        [[1, 2, 0], [2, 4 + 1e-15, 0], [0, 0, 1]],
    ],
)
def test_singular_matrices_have_no_inverse(matrix):
    with pytest.raises(TransformError, match="singular"):
        MatrixTransform(matrix).inverse()


def test_displacement_is_moving_minus_fixed():
    transform = MatrixTransform.from_params(scale=(2, 1), translation=(1, -4))
    field = transform.displacement((3, 600, 3))
    assert field.shape == (3, 600, 2)
    assert field.dtype == np.float32
    assert_allclose(field[2, 599], [2 * 2 + 1 - 2, -4])


@given(fields, affines)
def test_sampled_fields_compose_as_the_convention_says(b, a):
    shape = (30, 40)
    first = b.displacement(shape)
    positions = pixel_grid(slice(0, 30), slice(0, 40)) + first
    expected = first + (a.map(positions) - positions)
    assert_allclose(a.compose(b).displacement(shape), expected, atol=1e-4)


def test_valid_is_the_area_of_the_moving_pixels():
    shift = MatrixTransform.translation((-1.5, 2))
    valid = shift.valid((6, 6), (4, 5, 3))
    expected = np.zeros((6, 6), dtype=bool)
    expected[1:5, 0:3] = True  # rows -0.5..2.5 (3.5 is out), columns 2..4
    assert_array_equal(valid, expected)


def test_resample_pulls(pattern):
    shifted = MatrixTransform.translation((3, 5)).resample(pattern, (50, 70))
    assert_array_equal(shifted, pattern[3:53, 5:75])


def test_resample_onto_a_larger_grid_and_in_tiles(pattern):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (600, 530, 3)).astype(np.uint8)
    transform = MatrixTransform.translation((-20, -13))
    result = transform.resample(image, (1100, 1050))
    assert_array_equal(result[20:620, 13:543], image)
    assert not result[:20].any()
    assert not result[620:].any()


@pytest.mark.parametrize("order", [0, 1, 3])
def test_resample_agrees_with_scikit_image(pattern, order):
    transform = MatrixTransform.from_params(
        rotation_degrees=17.3, scale=(1.1, 0.8), translation=(3.37, -2.21), center=(30, 50)
    )
    ours = transform.resample(pattern, (70, 80), order=order)
    theirs = warp(pattern, transform.matrix_xy, output_shape=(70, 80), order=order, mode="edge")
    positions = transform.map(pixel_grid(slice(0, 70), slice(0, 80)))
    interior = ((positions > 3) & (positions < np.array(pattern.shape) - 4)).all(axis=-1)
    assert interior.mean() > 0.3
    # scikit-image's cubic is local (Catmull-Rom), ours the interpolating spline.
    assert_allclose(ours[interior], theirs[interior], atol=1e-3 if order == 3 else 2e-5)


def test_points_are_pushed_where_images_are_pulled_to():
    image = np.zeros((40, 60))
    image[11, 33] = 1
    transform = MatrixTransform.from_params(rotation_degrees=90, translation=(30, 5))
    registered = transform.resample(image, (60, 60), order=0)
    row, col = np.argwhere(registered)[0]
    assert_allclose(warp_points([[11, 33]], transform), [[row, col]], atol=1e-9)


@pytest.mark.parametrize("shape", [(5,), (0, 4)])
def test_grids_need_rows_and_columns(shape):
    with pytest.raises(InputError, match="rows and columns"):
        MatrixTransform.identity().displacement(shape)


def test_representations_name_the_parts(wavy):
    field = DisplacementTransform(wavy((20, 30)))
    text = repr(field.compose(MatrixTransform.translation((1, 2))))
    assert "MatrixTransform" in text
    assert "20x30" in text
    assert repr(field.inverse()).startswith("InverseTransform(Disp")


def test_numbers_beyond_floating_point_warn_of_nothing():
    steep = np.eye(3)
    steep[2] = (1e308, 1e308, 1.0)
    far = [(np.inf, 1.0), (1e300, -1e300), (np.nan, 0.0), (0.0, 0.0)]
    mapped = MatrixTransform(steep).map(far)
    assert np.isnan(mapped[[0, 2]]).all()
    assert_allclose(mapped[3], (0.0, 0.0))
