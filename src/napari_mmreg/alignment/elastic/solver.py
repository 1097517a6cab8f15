"""Normal equations of a smooth displacement: from votes, or along the gradients of channels.

Batched and differentiable: training goes through the very steps that registration takes.

*Convention*: fields are (B, h, w, 2), (x, y) in cells of the grid, fixed to moving (pull);
penalties are (B, n, n) over the n control points of one axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.alignment.bspline import ControlGrid
from napari_mmreg.nn.sampling import pixel_grid, sample

MAX_STEP = 4.0
"""Cells that a Gauss-Newton step may move a control point."""


@dataclass(frozen=True, slots=True, eq=False)
class Linearised:
    """How channels change with a displacement, from the fixed image alone.

    Attributes
    ----------
    channels : Tensor of shape (B, C, h, w)
    along_x, along_y : Tensor of shape (B, C, h, w)
        Central differences.
    curvature : Tensor of shape (B, 3, h, w)
        Their products summed over the channels: xx, xy, yy.
    """

    channels: Tensor
    along_x: Tensor
    along_y: Tensor
    curvature: Tensor


def linearise(channels: Tensor) -> Linearised:
    """Differentiate channels (B, C, h, w)."""
    along_x = F.pad((channels[..., :, 2:] - channels[..., :, :-2]) / 2, (1, 1, 0, 0))
    along_y = F.pad((channels[..., 2:, :] - channels[..., :-2, :]) / 2, (0, 0, 1, 1))
    products = (along_x.square(), along_x * along_y, along_y.square())
    return Linearised(channels, along_x, along_y, torch.stack([p.sum(1) for p in products], 1))


def robust_weight(field: Tensor, target: Tensor, precision: Tensor, softness: Tensor) -> Tensor:
    """Return the weight (B, h, w) that a vote keeps which the field contradicts (Cauchy)."""
    x, y = (field - target).unbind(-1)
    xx, xy, yy = precision.unbind(1)
    distance: Tensor = xx * x.square() + 2 * xy * x * y + yy * y.square()
    return 1 / (1 + distance / softness)


def fit_votes(
    grid: ControlGrid, target: Tensor, precision: Tensor, penalty: Tensor, ridge: float
) -> Tensor:
    """Return the smooth field closest to votes: one weighted linear least-squares fit.

    Parameters
    ----------
    grid : ControlGrid
    target : Tensor of shape (B, h, w, 2)
    precision : Tensor of shape (B, 3, h, w)
        xx, xy, yy; zeros where there is no vote.
    penalty : Tensor of shape (B, n, n)
    ridge : float
        Draws the control points to zero where nothing else speaks.
    """
    x, y = target.unbind(-1)
    xx, xy, yy = precision.unbind(1)
    right = grid.gather(torch.stack([xx * x + xy * y, xy * x + yy * y], 1))
    matrix = grid.normal_equations(grid.gram(precision), grid.blocks(penalty), ridge)
    return grid.field(grid.solve(matrix, right))


def follow_gradients(
    grid: ControlGrid,
    fixed: Linearised,
    moving: Tensor,
    moving_mask: Tensor,
    confidence: Tensor,
    start: Tensor,
    penalty: Tensor,
    *,
    steps: int,
    robust: float,
    ridge: float,
    check: Callable[[], None] = lambda: None,
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Gauss-Newton steps that bring the moving image's channels onto the fixed ones.

    Parameters
    ----------
    grid : ControlGrid
    fixed : Linearised
    moving : Tensor of shape (B, C, h, w)
    moving_mask : Tensor of shape (B, 1, h, w)
    confidence : Tensor of shape (B, h, w)
        Weight of each fixed cell; 0 without data. No confidence anywhere is no motion.
    start : Tensor of shape (B, h, w, 2)
    penalty : Tensor of shape (B, n, n)
        Absolute: where confidence is low it wins.
    steps : int
    robust : float
        Squared difference of channels from which on a cell counts less.
    ridge : float
        Damping of a step.
    check : callable
        Called before every step; raises to cancel.

    Returns
    -------
    fields : list of Tensor of shape (B, h, w, 2)
        After each step.
    difference : Tensor of shape (B, h, w)
        Squared difference of the channels before the last step.
    weight : Tensor of shape (B, h, w)
        Weight of every cell in the last step.
    """
    base = pixel_grid(start.shape[1], start.shape[2], start)[None]
    control, fields, smooth = grid.fit(start), [], grid.blocks(penalty)
    field = grid.field(control)
    difference = weight = confidence
    for _ in range(steps):
        check()
        where = base + field
        residual = sample(moving, where) - fixed.channels
        difference = residual.square().sum(1)
        known = sample(moving_mask, where, padding="zeros")[:, 0]
        weight = known * confidence / (difference + robust).sqrt()
        slope = [(g * residual).sum(1) * weight for g in (fixed.along_x, fixed.along_y)]
        flat = control.flatten(1, 2)
        right = grid.gather(torch.stack(slope, 1)).flatten(2) + (penalty @ flat).transpose(1, 2)
        gram = grid.gram(fixed.curvature * weight[:, None])
        step = grid.solve(grid.normal_equations(gram, smooth, ridge), right)
        control = control - step.clamp(-MAX_STEP, MAX_STEP)
        field = grid.field(control)
        fields.append(field)
    return fields, difference, weight
