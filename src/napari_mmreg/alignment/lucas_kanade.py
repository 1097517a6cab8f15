"""Robust inverse-compositional alignment of feature maps by a homography."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.alignment.levels import Level, describe
from napari_mmreg.nn.homography import plausible, positions, unit_matrix
from napari_mmreg.nn.sampling import sample

if TYPE_CHECKING:
    from napari_mmreg.run import Run

ROBUST = 0.02
DAMPING = 1e-3
TOLERANCE = 3e-4


def align(
    level: Level,
    matrices: Tensor,
    run: Run,
    *,
    freedom: int = 8,
    iterations: int = 10,
    stride: int = 1,
) -> Tensor:
    """Improve homographies by Gauss-Newton steps on orientation channels.

    Each moving image is warped by its start once, so that its channels turn with it; then
    the remaining homography is estimated by inverse-compositional steps with robust weights.
    The Hessian needs the channels only through their structure tensor, so a step costs little
    more than sampling them.

    Parameters
    ----------
    level : Level
        A resolution of the pair.
    matrices : Tensor of float64, shape (B, 3, 3)
        Where to start, fixed to moving on the pair's grid, (x, y).
    run : Run
    freedom : {4, 6, 8}
        Similarity, affine map or homography.
    iterations : int
        Steps at most.
    stride : int
        Use every n-th pixel.

    Returns
    -------
    Tensor of float64, shape (B, 3, 3)
        The start itself where the result is not plausible.

    References
    ----------
    Baker, S. & Matthews, I. (2004), Lucas-Kanade 20 years on: a unifying framework, IJCV 56.
    """
    rows, cols = level.shape
    start = level.from_full(matrices)
    image, mask = level.warp(positions(start, rows, cols))
    moving = describe(image, mask)
    unit = unit_matrix(rows, cols, start)
    back = torch.linalg.inv(unit)
    known = _linearised(level, stride)
    basis = _basis(freedom, rows, cols, known.fixed)
    rest = torch.eye(3, dtype=torch.float64, device=start.device).repeat(len(start), 1, 1)
    for _ in range(iterations):
        run.check()
        where = positions(back @ rest @ unit, rows, cols, stride)
        residual = sample(moving, where) - known.fixed
        inside = sample(mask, where, padding="zeros")
        weight = (inside[:, 0] / (residual.square().sum(1) + ROBUST).sqrt()).flatten(1)
        right = ((known.along_x * residual).sum(1).flatten(1) * weight) @ known.by_x
        right = right + ((known.along_y * residual).sum(1).flatten(1) * weight) @ known.by_y
        hessian = (weight @ known.products).view(-1, 8, 8)
        hessian, right = basis.T @ hessian @ basis, right @ basis
        step = _solve(hessian, right)
        rest = rest @ torch.linalg.inv(_small_homography((step @ basis.T).double()))
        rest = rest / rest[:, 2:, 2:]
        if float(step.abs().max()) < TOLERANCE:
            break
    found = level.to_full(start @ (back @ rest @ unit))
    fine = plausible(found, *level.full_shape)
    return torch.where(fine[:, None, None], found, matrices)


@dataclass(frozen=True, slots=True, eq=False)
class _Linearised:
    """What the steps need of a fixed image, strided; N pixels.

    Attributes
    ----------
    fixed, along_x, along_y : Tensor of shape (1, C, h, w)
        Its channels, and their derivatives in units of half a frame.
    by_x, by_y : Tensor of shape (N, 8)
        Derivatives of x and y by the parameters of a homography.
    products : Tensor of shape (N, 64)
        What each pixel adds to the Hessian of the eight parameters.
    """

    fixed: Tensor
    along_x: Tensor
    along_y: Tensor
    by_x: Tensor
    by_y: Tensor
    products: Tensor


_LINEARISED: WeakKeyDictionary[Level, dict[int, _Linearised]] = WeakKeyDictionary()


def _linearised(level: Level, stride: int) -> _Linearised:
    """Linearise the fixed image of a level, once as long as the level is kept."""
    kept = _LINEARISED.setdefault(level, {})
    if stride in kept:
        return kept[stride]
    features, (rows, cols) = level.features, level.shape
    gx = F.pad((features[..., :, 2:] - features[..., :, :-2]) / 2, (1, 1, 0, 0))
    gy = F.pad((features[..., 2:, :] - features[..., :-2, :]) / 2, (0, 0, 1, 1))
    parts = (features, gx * ((cols - 1) / 2), gy * ((rows - 1) / 2))
    fixed, gx, gy = (part[..., ::stride, ::stride].contiguous() for part in parts)
    jx, jy = _jacobian(rows, cols, stride, gx)
    xx, xy, yy = (
        (one * two).sum((0, 1)).reshape(-1, 1) for one, two in ((gx, gx), (gx, gy), (gy, gy))
    )
    products = jx[:, :, None] * (xx * jx + xy * jy)[:, None]
    products += jy[:, :, None] * (xy * jx + yy * jy)[:, None]
    kept[stride] = _Linearised(fixed, gx, gy, jx, jy, products.flatten(1))
    return kept[stride]


def _jacobian(rows: int, cols: int, stride: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Differentiate x and y by the eight parameters of a homography, each (pixels, 8)."""
    y = torch.linspace(-1, 1, rows, device=like.device)[::stride]
    x = torch.linspace(-1, 1, cols, device=like.device)[::stride]
    y, x = (part.flatten() for part in torch.meshgrid(y, x, indexing="ij"))
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    along_x = torch.stack([x, y, one, zero, zero, zero, -x * x, -x * y], dim=-1)
    along_y = torch.stack([zero, zero, zero, x, y, one, -x * y, -y * y], dim=-1)
    return along_x, along_y


def _basis(freedom: int, rows: int, cols: int, like: Tensor) -> Tensor:
    """Directions in the space of homographies, (8, freedom); similarities know the aspect."""
    if freedom != 4:
        return torch.eye(8, dtype=like.dtype, device=like.device)[:, :freedom]
    basis = torch.zeros(8, 4, dtype=like.dtype, device=like.device)
    aspect = (rows - 1) / (cols - 1)
    basis[0, 0] = basis[4, 0] = 1
    basis[1, 1], basis[3, 1] = -aspect, 1 / aspect
    basis[2, 2] = basis[5, 3] = 1
    return basis


def _solve(hessian: Tensor, right: Tensor) -> Tensor:
    size = hessian.shape[-1]
    level = hessian.diagonal(dim1=1, dim2=2).sum(1) / size
    damping = (DAMPING * level + 1e-6)[:, None, None]
    eye = torch.eye(size, dtype=hessian.dtype, device=hessian.device)
    step: Tensor = torch.linalg.solve(hessian + damping * eye, right)
    return step


def _small_homography(step: Tensor) -> Tensor:
    """Identity plus a step of (B, 8)."""
    matrix = torch.eye(3, dtype=step.dtype, device=step.device).repeat(len(step), 1, 1)
    matrix[:, 0] += step[:, 0:3]
    matrix[:, 1] += step[:, 3:6]
    matrix[:, 2, :2] += step[:, 6:8]
    return matrix
