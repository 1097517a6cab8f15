"""Gauss-Newton estimation of a smooth displacement from oriented gradient channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.alignment.bspline import control_grid
from napari_mmreg.alignment.levels import Level, Warped, describe
from napari_mmreg.nn.sampling import pixel_grid, sample

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.run import Run

SPACING = 24.0
"""Pixels between control points at 256-px scale."""

BENDING, MEMBRANE = 1.0, 0.01
"""Weights of the squared second and first differences of the control points, relative to the
mean curvature of the data term."""

ROBUST = 0.05
MAX_STEP = 4.0
TOLERANCE = 0.02


def warp_level(level: Level, transform: Transform, displacement: Tensor | None = None) -> Warped:
    """Warp the moving image and the masks of a level by a transform of the pair's grid.

    Parameters
    ----------
    level : Level
    transform : Transform
        Fixed to moving (pull).
    displacement : Tensor of shape (1, h, w, 2), optional
        (x, y) in pixels of the level; `transform` maps what it leads to.

    Returns
    -------
    Warped
        Without a displacement, one object as long as level and transform are kept.
    """
    if displacement is not None:
        return level.warp(_mapped(level, transform, displacement))
    if transform not in level.warps:
        level.warps[transform] = level.warp(_mapped(level, transform, None))
    return level.warps[transform]


def _mapped(level: Level, transform: Transform, displacement: Tensor | None) -> Tensor:
    """Return where a level's pixels lie in its moving image, (1, h, w, 2), (x, y)."""
    rows, cols = level.shape
    step = np.array([level.full_shape[0] / rows, level.full_shape[1] / cols])
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij"), axis=-1)
    if displacement is not None:
        grid = grid + displacement[0].flip(-1).cpu().numpy()
    where = (transform.map((grid + 0.5) * step - 0.5) + 0.5) / step - 0.5
    known = np.nan_to_num(where, nan=-1e4).astype(np.float32)
    return torch.from_numpy(known).flip(-1)[None].to(level.fixed.device)


def resize_displacement(displacement: Tensor, shape: tuple[int, int]) -> Tensor:
    """Bring a displacement (1, h, w, 2) to another grid; its values are scaled along."""
    rows, cols = displacement.shape[1:3]
    field = F.interpolate(
        displacement.permute(0, 3, 1, 2), size=shape, mode="bicubic", align_corners=False
    ).permute(0, 2, 3, 1)
    return field * field.new_tensor([shape[1] / cols, shape[0] / rows])


def fit_bspline(
    level: Level,
    moving: Tensor,
    mask: Tensor,
    start: Tensor | None,
    iterations: int,
    run: Run,
) -> Tensor:
    """Estimate the displacement that brings a warped moving image onto the fixed one.

    A cubic B-spline field is fitted by Gauss-Newton steps with robust weights; the normal
    equations are exact for the B-spline and cost a few matrix products. It converges in under
    ten steps where gradient descent needs fifty.

    Parameters
    ----------
    level : Level
    moving, mask : Tensor of shape (1, 1, h, w)
        The moving image on the fixed grid, and where both have data.
    start : Tensor of shape (1, h, w, 2) or None
    iterations : int
    run : Run

    Returns
    -------
    Tensor of shape (1, h, w, 2)
        *Convention*: (x, y), pixels of the level; the registered image shows at p what
        `moving` shows at p + displacement(p).
    """
    rows, cols = level.shape
    control = control_grid(rows, cols, SPACING * max(rows, cols) / 256, level.fixed)
    ky, kx = control.shape
    count = ky * kx
    fixed, other = level.features, describe(moving, mask)
    gx = F.pad((fixed[..., :, 2:] - fixed[..., :, :-2]) / 2, (1, 1, 0, 0))
    gy = F.pad((fixed[..., 2:, :] - fixed[..., :-2, :]) / 2, (0, 0, 1, 1))
    tensor = torch.cat([(gx * gx).sum(1), (gx * gy).sum(1), (gy * gy).sum(1)])
    smooth = BENDING * control.roughness(2) + MEMBRANE * control.roughness(1)
    smooth_blocks = control.blocks(smooth)
    base = pixel_grid(rows, cols, fixed)[None]
    value = fixed.new_zeros(1, ky, kx, 2) if start is None else control.fit(start)
    for _ in range(iterations):
        run.check()
        where = base + control.field(value)
        residual = sample(other, where) - fixed
        known = sample(mask, where, padding="zeros")[:, 0]
        weight = known / (residual.square().sum(1) + ROBUST).sqrt()
        normal = control.gram(tensor * weight)
        curvature = normal[::2, : control.groups].diagonal(0, -2, -1).sum()
        strength = curvature / (2 * count) + 1e-6
        slope = torch.cat([(gx * residual).sum(1) * weight, (gy * residual).sum(1) * weight])
        right = control.gather(slope).T + strength * (smooth @ value[0].flatten(0, 1))
        matrix = control.normal_equations(
            normal[None], strength * smooth_blocks[None], 1e-4 * strength
        )
        step = control.solve(matrix, right.T[None])
        value = value - step.clamp(-MAX_STEP, MAX_STEP)
        if float(step.abs().max()) < TOLERANCE:
            break
    return control.field(value)
