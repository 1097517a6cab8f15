import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.imaging import initial_transform, working_grid

ONE = (1.0, 1.0)


def test_equal_frames_start_at_the_identity():
    assert initial_transform((50, 70), (50, 70)).is_identity
    assert initial_transform((50, 70), (50, 70), None, (2.0, 1.0)).is_identity
    assert initial_transform((50, 70), (50, 70), None, (2.0, 1.0), (2.0, 1.0)).is_identity


def test_unequal_frames_share_centre_and_area():
    start = initial_transform((100, 200), (80, 40, 3))
    np.testing.assert_allclose(start.map((49.5, 99.5)), (39.5, 19.5))
    assert np.linalg.det(start.matrix[:2, :2]) == pytest.approx(80 * 40 / (100 * 200))
    assert start.matrix[0, 0] == start.matrix[1, 1]


def test_physical_spacings_keep_lengths():
    start = initial_transform((100, 200), (80, 40), None, (2.0, 1.0), (4.0, 0.5))
    np.testing.assert_allclose(np.diag(start.matrix), (0.5, 2.0, 1.0))
    np.testing.assert_allclose(start.map((49.5, 99.5)), (39.5, 19.5))


def test_a_given_start_is_used_and_checked():
    matrix = [[1, 0, 5], [0, 1, -3], [0, 0, 1]]
    np.testing.assert_array_equal(initial_transform((20, 20), (20, 20), matrix).matrix, matrix)
    field = DisplacementTransform(np.zeros((20, 20, 2), np.float32))
    assert initial_transform((20, 20), (20, 20), field) is field
    for bad in (np.eye(2), np.zeros((3, 3)), np.full((3, 3), np.nan), "rigid", {"a": 1}):
        with pytest.raises(InputError, match=r"3x3 matrix"):
            initial_transform((20, 20), (20, 20), bad)


def grid(fixed, moving, start=None, spacing=ONE, budget=512 * 512):
    start = MatrixTransform.identity() if start is None else start
    return working_grid(fixed, moving, start, spacing, budget)


def test_equal_frames_within_the_budget_are_the_grid():
    shape, matrix = grid((300, 400), (300, 400))
    assert shape == (300, 400)
    assert matrix.is_identity


@pytest.mark.parametrize("size", [(3000, 4000), (513, 512), (30000, 29999), (1025, 777)])
def test_large_frames_stay_within_the_budget_and_in_place(size):
    shape, matrix = grid(size, size)
    assert 0.95 * 512**2 < shape[0] * shape[1] <= 512**2
    step = matrix.matrix[0, 0]
    assert step == matrix.matrix[1, 1]
    # The grid's frame is the fixed frame to within half a grid pixel.
    np.testing.assert_allclose(matrix.map((-0.5, -0.5)), (-0.5, -0.5), atol=1e-9)
    ends = matrix.map(np.array(shape) - 0.5)
    np.testing.assert_allclose(ends, np.array(size) - 0.5, atol=0.5 * step + 1e-6)


def test_a_narrow_strip_keeps_its_rows():
    shape, _ = grid((20, 100_000), (20, 100_000))
    assert min(shape) >= 16


def test_anisotropic_pixels_become_square():
    shape, matrix = grid((50, 200), (50, 200), spacing=(4.0, 1.0))
    assert shape == (200, 200)
    np.testing.assert_allclose(np.diag(matrix.matrix), (0.25, 1.0, 1.0))
    np.testing.assert_allclose(matrix.map((-0.5, -0.5)), (-0.5, -0.5))


def test_grows_where_the_moving_frame_reaches_beyond_and_no_further():
    # Moving = fixed + (0, 30): the moving frame begins 30 columns left of the fixed one.
    shape, matrix = grid((100, 100), (100, 100), MatrixTransform.translation((0, 30)))
    assert shape == (100, 130)
    np.testing.assert_allclose(matrix.map((0, 0)), (0, -30))
    shape, matrix = grid((100, 100), (1000, 100), MatrixTransform.translation((450, 0)))
    assert shape == (200, 100)
    np.testing.assert_allclose(matrix.map((0, 0)), (-50, 0))


def test_a_tiny_budget_is_refused():
    with pytest.raises(InputError, match="at least 256"):
        grid((100, 100), (100, 100), budget=100)
