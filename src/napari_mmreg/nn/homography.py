"""Batches of homographies in torch: positions, frames, and whether one is plausible.

*Convention*, everywhere in this module: 3x3 matrices act on (x, y, 1), pixel centres at
integers, and map fixed to moving (pull). They are float64; positions are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def matrix_tensor(matrix: ArrayLike, device: str | torch.device = "cpu") -> Tensor:
    """Return a 3x3 (x, y) matrix as a float64 tensor."""
    return torch.as_tensor(matrix, dtype=torch.float64, device=device).clone()


def positions(matrices: Tensor, rows: int, cols: int, stride: int = 1) -> Tensor:
    """Map a pixel grid.

    Parameters
    ----------
    matrices : Tensor of float64, shape (B, 3, 3)
    rows, cols : int
        Shape of the grid before striding.
    stride : int
        Every n-th pixel only.

    Returns
    -------
    Tensor of float32, shape (B, h, w, 2)
        *Convention*: (x, y), pixels.
    """
    m = matrices.float()[:, :, :, None, None]
    x = torch.arange(0, cols, stride, device=m.device).float()[None, None, :]
    y = torch.arange(0, rows, stride, device=m.device).float()[None, :, None]
    # A point behind the horizon has no place; far outside the frame says the same.
    depth = (m[:, 2, 0] * x + m[:, 2, 1] * y + m[:, 2, 2]).clamp(min=1e-3)
    px = (m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2]) / depth
    py = (m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2]) / depth
    return torch.stack([px, py], dim=-1)


def transformed(matrix: Tensor, points: Tensor) -> Tensor:
    """Map points (..., 2), (x, y), by one homography (3, 3); in the points' dtype."""
    whole = torch.cat([points, torch.ones_like(points[..., :1])], -1).to(matrix.dtype)
    mapped = whole @ matrix.T
    return (mapped[..., :2] / mapped[..., 2:]).to(points.dtype)


def frame(rows: int, cols: int, like: Tensor) -> Tensor:
    """Return the four corners of a frame, clockwise from the origin, as (4, 3) homogeneous."""
    right, low = cols - 1.0, rows - 1.0
    return like.new_tensor([[0, 0, 1], [right, 0, 1], [right, low, 1], [0, low, 1]])


def corners(matrices: Tensor, rows: int, cols: int) -> Tensor:
    """Map a frame's corners: (B, 4, 2), (x, y) in pixels."""
    mapped = frame(rows, cols, matrices) @ matrices.transpose(-1, -2)
    return mapped[..., :2] / mapped[..., 2:]


def plausible(
    matrices: Tensor, rows: int, cols: int, *, area: tuple[float, float] = (0.25, 4.0)
) -> Tensor:
    """Say for each homography whether it keeps the frame's shape roughly.

    The mapped frame must be convex and not mirrored, its area within `area` times the
    frame's, no corner near the horizon or more than a frame's size away.

    Returns
    -------
    Tensor of bool, shape (B,)
    """
    depth = (frame(rows, cols, matrices) @ matrices.transpose(-1, -2))[..., 2]
    q = corners(matrices, rows, cols)
    side = q.roll(-1, -2) - q
    following = side.roll(-1, -2)
    turn = side[..., 0] * following[..., 1] - side[..., 1] * following[..., 0]
    nxt = q.roll(-1, -2)
    size = 0.5 * (q[..., 0] * nxt[..., 1] - nxt[..., 0] * q[..., 1]).sum(-1)
    size = size / ((rows - 1) * (cols - 1))
    relative = q / q.new_tensor([cols, rows])
    return (
        torch.isfinite(q).all(-1).all(-1)
        & (turn > 0).all(-1)
        & (size > area[0])
        & (size < area[1])
        & (depth > 0.3).all(-1)
        & (relative.amin((-1, -2)) > -1)
        & (relative.amax((-1, -2)) < 2)
    )


def distortion_penalty(matrices: Tensor, rows: int, cols: int) -> Tensor:
    """Say how far homographies are from a mild similarity: 0 for a rigid motion.

    Squared perspective, stretch and scale, weighted so that one hundredth is a clear but
    not a rare distortion.

    Returns
    -------
    Tensor of shape (B,)
    """
    unit = unit_matrix(rows, cols, matrices)
    relative = unit @ matrices @ torch.linalg.inv(unit)
    relative = relative / relative[:, 2:, 2:]
    perspective = relative[:, 2, :2].square().sum(-1)
    # Linear part at the frame's centre, in pixels.
    centre = matrices.new_tensor([(cols - 1) / 2, (rows - 1) / 2, 1.0])
    mapped = matrices @ centre
    place = mapped[:, :2] / mapped[:, 2:]
    linear = matrices[:, :2, :2] - place[:, :, None] * matrices[:, 2:, :2]
    stretch = torch.linalg.svdvals(linear / mapped[:, 2, None, None]).clamp(min=1e-6).log()
    ratio = (stretch[:, 0] - stretch[:, 1]).square()
    scale = stretch.mean(dim=1).square()
    total: Tensor = 0.5 * perspective + 0.1 * ratio + 0.02 * scale
    return total.float()


def resize_matrix(source: tuple[int, int], target: tuple[int, int], like: Tensor) -> Tensor:
    """Map pixels of a frame of shape `source` to the same places at shape `target`.

    Shapes are (rows, cols); the frames' outer borders coincide, so centres shift.
    """
    ky, kx = target[0] / source[0], target[1] / source[1]
    return like.new_tensor([[kx, 0, (kx - 1) / 2], [0, ky, (ky - 1) / 2], [0, 0, 1]])


def unit_matrix(rows: int, cols: int, like: Tensor) -> Tensor:
    """Map pixels to [-1, 1] per axis."""
    return like.new_tensor([[2 / (cols - 1), 0, -1], [0, 2 / (rows - 1), -1], [0, 0, 1]])


def fit_homography(
    points: Tensor, places: Tensor, weights: Tensor, scales: Sequence[float]
) -> Tensor:
    """Fit a homography to matches by reweighted least squares.

    Parameters
    ----------
    points, places : Tensor of shape (N, 2)
        (x, y) in pixels.
    weights : Tensor of shape (N,)
        Trust in each match, not negative.
    scales : sequence of float
        Residuals, in pixels, at which a match loses three quarters of its weight
        (Geman-McClure), one fit each. The first fits are affine, the last two homographies.

    Returns
    -------
    Tensor of float64, shape (3, 3)
        On (x, y, 1); the identity where the matches do not determine one.
    """
    middle = points.double().mean(0)
    size = float((points.double() - middle).abs().amax().clamp(min=1.0))
    one, two = ((part.double() - middle).T.contiguous() / size for part in (points, places))
    powers = _powers(*one)
    robust = trust = weights.double()
    matrix = torch.eye(3, dtype=torch.float64, device=points.device)
    for turn, scale in enumerate(scales):
        matrix = _least_squares(powers, two, robust, perspective=turn >= len(scales) - 2)
        squared = _squared_distance(matrix, one, two) * size**2
        robust = trust / (1 + squared.nan_to_num(1e9) / scale**2).square()
    back = torch.eye(3, dtype=torch.float64, device=points.device) / size
    back[:2, 2], back[2, 2] = -middle / size, 1.0
    found: Tensor = torch.linalg.inv(back) @ matrix @ back
    return found / found[2, 2]


def _powers(x: Tensor, y: Tensor) -> Tensor:
    """Return the products of (x, y, 1) with itself, (6, N), upper triangle row by row."""
    return torch.stack([x * x, x * y, x, y * y, y, torch.ones_like(x)])


def _squared_distance(matrix: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """Return how far mapped points (2, N) are from their places (2, N), squared."""
    mapped = matrix[:, :2] @ one + matrix[:, 2:]
    return (mapped[:2] / mapped[2:] - two).square().sum(0)


def _least_squares(powers: Tensor, two: Tensor, weights: Tensor, *, perspective: bool) -> Tensor:
    """Weighted linear fit of a homography whose last entry is 1, drawn to the identity a bit.

    The normal equations need the matches only through sums of the powers of points, see `_powers`,
    times places (2, N): no matrix of one row per match is made.
    """
    u, v = two
    weighted = torch.stack([weights, weights * u, weights * v, weights * (u * u + v * v)])
    plain, with_u, with_v, with_both = (powers @ weighted.T).T[:, _SYMMETRIC].unbind(0)
    zero = torch.zeros_like(plain)
    normal = torch.cat(
        [
            torch.cat([plain, zero, -with_u[:, :2]], 1),
            torch.cat([zero, plain, -with_v[:, :2]], 1),
            torch.cat([-with_u[:2], -with_v[:2], with_both[:2, :2]], 1),
        ]
    )
    right = torch.cat([with_u[:, 2], with_v[:, 2], -with_both[:2, 2]])
    count = 8 if perspective else 6
    normal, right = normal[:count, :count], right[:count]
    start = powers.new_tensor([1.0, 0, 0, 0, 1, 0, 0, 0])[:count]
    ridge = 1e-4 * weights.sum().clamp(min=1e-6) * torch.eye(count).to(powers)
    step = torch.linalg.solve(normal + ridge, right - normal @ start)
    full = F.pad(start + step, (0, 9 - count))
    full[8] = 1.0
    return full.view(3, 3)


_SYMMETRIC = [[0, 1, 2], [1, 3, 4], [2, 4, 5]]
"""Places of the entries of a symmetric 3 x 3 matrix in its upper triangle."""
