import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation import (
    corner_error,
    endpoint_error,
    grid_error,
    landmark_error,
    recall_auc,
    success_rate,
)
from napari_mmreg.geometry import MatrixTransform

SHIFT = MatrixTransform.translation((3, 4))


def test_direction_and_numbers():
    fixed = np.array([[0.0, 0], [10, 20], [30, 5], [7, 7]])
    moving = SHIFT.map(fixed) + np.array([[0, 0], [3, 4], [0, 1], [0, 0]])
    found = landmark_error(SHIFT, fixed, moving)
    np.testing.assert_allclose(found.errors, [0, 5, 1, 0])
    assert found.unit == "px"
    assert found.mean == pytest.approx(1.5)
    assert found.rmse == pytest.approx(np.sqrt(26 / 4))
    assert found.median == pytest.approx(0.5)
    assert found.max == pytest.approx(5)
    assert found.summary()["count"] == 4
    # The wrong direction would be off by twice the shift.
    backwards = landmark_error(SHIFT.inverse(), fixed, SHIFT.map(fixed))
    np.testing.assert_allclose(backwards.errors, 10)


def test_physical_units_are_the_moving_images():
    found = landmark_error(SHIFT, [[0, 0]], [[3 - 2, 4 - 1]], spacing=(1.5, 4.0))
    assert found.errors[0] == pytest.approx(5)
    assert found.unit == "physical"


def test_no_answer_is_an_infinite_error():
    horizon = MatrixTransform([[1, 0, 0], [0, 1, 0], [0, -0.1, 1]])
    found = landmark_error(horizon, [[0, 0], [0, 50]], [[0, 0], [0, 0]])
    np.testing.assert_array_equal(found.errors, [0, np.inf])
    assert found.max == np.inf


@pytest.mark.parametrize(
    ("fixed", "moving", "says"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least one"),
        (np.zeros((3, 2)), np.zeros((2, 2)), "partner"),
        (np.zeros((3, 3)), np.zeros((3, 3)), "shape"),
        (np.zeros((1, 2)), np.full((1, 2), np.nan), "moving landmarks are not finite"),
    ],
)
def test_bad_points(fixed, moving, says):
    with pytest.raises(InputError, match=says):
        landmark_error(SHIFT, fixed, moving)


def test_grid_error_counts_only_the_mask():
    true = np.zeros((4, 5, 2))
    found = true.copy()
    found[0] = (3, 4)
    found[3, 4] = np.nan
    errors = endpoint_error(found, true)
    assert errors[0, 0] == 5
    assert errors[3, 4] == np.inf
    mask = np.ones((4, 5), bool)
    mask[3, 4] = False
    assert grid_error(found, true, mask) == pytest.approx(25 / 19)
    assert grid_error(found, true) == np.inf
    with pytest.raises(InputError, match="mask"):
        grid_error(found, true, np.zeros((4, 5)))
    with pytest.raises(InputError, match="one shape"):
        endpoint_error(found, true[:2])


def test_corner_error_is_at_pixel_centres():
    scale = MatrixTransform.from_params(scale=2.0)
    identity = MatrixTransform.identity()
    expected = (0 + 29 + 9 + np.hypot(9, 29)) / 4
    assert corner_error(scale, identity, (10, 30)) == pytest.approx(expected)


def test_rates():
    errors = [0.5, 1.0, 2.0, np.inf, np.nan]
    assert success_rate(errors, 1.0) == pytest.approx(0.4)
    assert recall_auc(errors, 2.0) == pytest.approx((0.75 + 0.5) / 5)
    with pytest.raises(InputError):
        success_rate([], 1.0)
