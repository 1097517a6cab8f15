import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform, folding_fraction, jacobian_determinant


@given(st.floats(-170, 170), st.floats(0.3, 3), st.floats(0.3, 3), st.floats(-0.5, 0.5))
def test_of_an_affine_map_it_is_the_matrix_determinant(angle, rows, cols, shear):
    transform = MatrixTransform.from_params(rotation_degrees=angle, scale=(rows, cols), shear=shear)
    determinant = jacobian_determinant(transform.displacement((12, 9)))
    assert determinant.shape == (12, 9)
    assert determinant.dtype == np.float32
    assert_allclose(determinant, rows * cols, rtol=1e-4)


def test_a_fold_of_known_size():
    row = np.arange(40.0)
    moving_row = np.where(row < 10, row, np.where(row < 20, 20 - row, row - 20))
    field = np.zeros((40, 25, 2))
    field[..., 0] = (moving_row - row)[:, None]
    # Slopes: +1 before row 10, -1 from 10 to 20, +1 after; 0 at the two turning rows.
    assert_allclose(jacobian_determinant(field)[:, 3][[5, 10, 15, 20, 30]], [1, 0, -1, 0, 1])
    assert folding_fraction(field) == pytest.approx(11 / 40)
    mask = np.zeros((40, 25), dtype=bool)
    mask[15:25] = True
    assert folding_fraction(field, mask) == pytest.approx(6 / 10)


@pytest.mark.parametrize("rows", [255, 256, 257, 513])
def test_blocks_leave_no_seams(rows):
    field = np.random.default_rng(0).normal(size=(rows, 5, 2)).astype(np.float32)
    down, right = (np.gradient(field[..., axis]) for axis in range(2))
    expected = (1 + down[0]) * (1 + right[1]) - down[1] * right[0]
    assert_allclose(jacobian_determinant(field), expected, atol=1e-5)


def test_a_mirror_folds_everywhere():
    assert folding_fraction(MatrixTransform(np.diag([1, -1, 1])).displacement((8, 8))) == 1.0
    assert folding_fraction(np.zeros((8, 8, 2))) == 0.0


def test_places_behind_the_horizon_do_not_count():
    homography = MatrixTransform([[1, 0, 0], [0, 1, 0], [-0.05, 0, 1]])  # horizon at row 20
    field = homography.displacement((40, 10))
    determinant = jacobian_determinant(field)
    assert np.isfinite(determinant[:19]).all()
    assert np.isnan(determinant[20:]).all()
    assert folding_fraction(field) == 0.0
    assert np.isnan(folding_fraction(field[22:]))


@pytest.mark.parametrize("shape", [(1, 5, 2), (5, 1, 2), (5, 5), (5, 5, 3)])
def test_unusable_fields(shape):
    with pytest.raises(InputError, match="at least 2 rows"):
        jacobian_determinant(np.zeros(shape))


def test_a_mask_of_another_shape():
    with pytest.raises(InputError, match="mask"):
        folding_fraction(np.zeros((5, 5, 2)), np.ones((4, 5), dtype=bool))
