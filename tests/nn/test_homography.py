import numpy as np
import pytest
import torch

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.nn.homography import (
    corners,
    distortion_penalty,
    matrix_tensor,
    plausible,
    positions,
    resize_matrix,
)

TILTED = MatrixTransform([[1.02, 0.1, 3], [-0.08, 0.97, -5], [1e-4, -2e-4, 1]])
MATRIX = matrix_tensor(TILTED.matrix_xy)[None]
EYE = torch.eye(3, dtype=torch.float64)[None]


def test_positions_agree_with_the_transform():
    rows, cols = np.mgrid[0:30:3, 0:50:3]
    expected = TILTED.map(np.stack([rows, cols], -1).astype(float))[..., ::-1]
    np.testing.assert_allclose(positions(MATRIX, 30, 50, 3)[0].numpy(), expected, atol=1e-4)


def test_corners_are_positions_of_the_corners():
    grid = positions(MATRIX, 30, 50)[0]
    expected = torch.stack([grid[0, 0], grid[0, -1], grid[-1, -1], grid[-1, 0]])
    torch.testing.assert_close(corners(MATRIX, 30, 50)[0].float(), expected)


def test_resizing_keeps_the_outer_borders():
    matrix = resize_matrix((40, 60), (10, 30), EYE)
    edge = matrix @ torch.tensor([59.5, 39.5, 1.0], dtype=torch.float64)
    assert edge[:2].tolist() == [29.5, 9.5]


@pytest.mark.parametrize(
    ("change", "fine"),
    [
        ((0, 0, 1.0), True),
        ((0, 0, -1.0), False),  # mirrored
        ((0, 0, 1.8), True),
        ((0, 0, 6.0), False),  # too large
        ((0, 2, 200.0), False),  # far away
        ((2, 0, 0.5), False),  # horizon
    ],
)
def test_plausible(change, fine):
    row, col, value = change
    matrix = EYE.clone()
    matrix[0, row, col] = value
    assert bool(plausible(matrix, 60, 60)[0]) is fine


def test_oddness_ignores_rigid_motion_and_grows_with_distortion():
    turned = MatrixTransform.from_params(rotation_degrees=25, translation=(9, 4))
    rigid = matrix_tensor(turned.matrix_xy)[None]
    assert distortion_penalty(rigid, 50, 80)[0] == pytest.approx(0, abs=1e-6)
    mild, strong = (matrix_tensor(np.diag([k, 1, 1.0]))[None] for k in (1.1, 1.5))
    assert 0 < distortion_penalty(mild, 50, 80)[0] < distortion_penalty(strong, 50, 80)[0]
    assert distortion_penalty(MATRIX, 50, 80)[0] > 0
