"""From a network that sees one grid to an answer for a pair of any size (ours).

The moving image is warped by the homography that the first pass gives, so that its structures
turn and scale with it, and the network sees it again. What it says then is split into a homography
and a smooth rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.alignment.levels import Level
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.models.protocol import Prediction, Rendering
from napari_mmreg.nn.homography import (
    fit_homography,
    plausible,
    positions,
    resize_matrix,
    transformed,
)
from napari_mmreg.nn.matching import smooth_residual
from napari_mmreg.nn.sampling import pixel_grid, sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = (256, 256)
"""Longer sides of the grids of the passes; networks are trained at 160 to 192."""

SCALES = (16.0, 8.0, 4.0, 3.0, 2.0)
"""Residual scales of the robust fit of a homography, in pixels of these grids."""

SMOOTH = 8.0
"""Gaussian sigma of what bends, in pixels of these grids."""


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a network is given in one pass of the cascade.

    Attributes
    ----------
    fixed, moving : Tensor of shape (1, 1, H, W)
        Sides are multiples of what the network asks for; the moving image is warped.
    fixed_mask, moving_mask : Tensor of float32, shape (1, 1, H, W)
    near : bool
        The pass before found a plausible homography, by which the moving image is warped.
    last : bool
        No pass follows: renderings are made now.
    fixed_features : object
        What the network handed on of the same fixed image in the pass before; None if there was
        none on this grid.
    """

    fixed: Tensor
    moving: Tensor
    fixed_mask: Tensor
    moving_mask: Tensor
    near: bool = False
    last: bool = True
    fixed_features: Any = None

    @property
    def images(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Both images and both masks, in the order in which networks take them."""
        return self.fixed, self.moving, self.fixed_mask, self.moving_mask


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What a network says about the pixels it was given.

    Attributes
    ----------
    target_points : Tensor of shape (H, W, 2)
        Where the fixed pixels lie in the moving image as it was given, (x, y).
    error : Tensor of shape (H, W)
        Expected length of the error, in these pixels.
    matches : Tensor of shape (N, 5), or None
        Single matches: x and y in the fixed image, in the moving one as it was given, and
        their probability.
    rendered : Tensor of shape (K, H, W), or None
        What a rendering of the moving image as it was given is mixed of, see `Rendering`.
    localisation : Tensor of shape (H, W), or None
        Probability that the images, as they were given, are displaced by more than 2 px at
        256-px scale.
    fixed_features : object
        What need not be found again of the fixed image in a second pass; the network's own.
    """

    target_points: Tensor
    error: Tensor
    matches: Tensor | None = None
    rendered: Tensor | None = None
    localisation: Tensor | None = None
    fixed_features: Any = None


def warp_inputs(
    level: Level, matrix: Tensor, multiple: int, before: Pass | None = None, *, last: bool = True
) -> NetworkInput:
    """Warp the moving image of a level by a homography of the pair's grid; pad both images."""
    rows, cols = level.shape
    where = positions(level.from_full(matrix)[None], rows, cols)
    inside = (sample(level.moving_mask, where, padding="zeros") > 0.9).float()
    margin = (0, -cols % multiple, 0, -rows % multiple)
    return NetworkInput(
        F.pad(level.fixed, margin, mode="replicate"),
        F.pad(sample(level.moving, where), margin, mode="replicate"),
        F.pad(level.fixed_mask, margin),
        F.pad(inside, margin),
        before is not None and before.near,
        last,
        before.output.fixed_features if before is not None and before.level is level else None,
    )


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of a network over a level of the pair, and what it found.

    Attributes
    ----------
    level : Level
    matrix : Tensor of float64, shape (3, 3)
        By which the moving image was warped: of the pair's grid, fixed to moving, (x, y).
    output : NetworkOutput
        Without padding.
    trust : Tensor of shape (H, W)
        Weight of each pixel's answer, 0 without data.
    step : Tensor of float64, shape (3, 3)
        The homography of the level that the answer adds; the identity if it is not plausible.
    found : Tensor of float64, shape (3, 3)
        `matrix` with that step.
    near : bool
        Whether the step was plausible.
    """

    level: Level
    matrix: Tensor
    output: NetworkOutput
    trust: Tensor
    step: Tensor
    found: Tensor
    near: bool

    def motion(self) -> float:
        """Return by how many pixels at 256-px scale its step moves the frame in the mean."""
        rows, cols = self.level.shape
        grid = pixel_grid(rows, cols, self.trust)[::8, ::8]
        moved = (transformed(self.step, grid) - grid).norm(dim=-1).mean()
        return float(moved) * 256 / max(rows, cols)


def fit_pass(
    level: Level, matrix: Tensor, inputs: NetworkInput, output: NetworkOutput, cell: int = 1
) -> Pass:
    """Fit a homography to what a network says.

    Parameters
    ----------
    level : Level
    matrix : Tensor of float64, shape (3, 3)
        By which the moving image was warped.
    inputs : NetworkInput
        What `warp_inputs` made of both.
    output : NetworkOutput
        The network's answer to them.
    cell : int
        Only every `cell`-th pixel counts for the homography: what a network says between its
        cells is interpolated, and fitting to it takes time for nothing.

    Returns
    -------
    Pass
    """
    rows, cols = level.shape
    both = (inputs.fixed_mask * inputs.moving_mask)[0, 0, :rows, :cols]
    cropped = _crop(output, rows, cols)
    trust = (1 / cropped.error).clamp(max=1) * both
    grid = pixel_grid(rows, cols, level.fixed)
    points, target, weight = (
        part[::cell, ::cell].flatten(0, 1) for part in (grid, cropped.target_points, trust)
    )
    step = fit_homography(points, target, weight, SCALES)
    moved = level.to_full(level.from_full(matrix) @ step)
    near = bool(plausible(moved[None], *level.full_shape))
    if not near:
        step, moved = torch.eye(3, dtype=torch.float64, device=step.device), matrix
    return Pass(level, matrix, cropped, trust, step, moved, near)


def make_prediction(first: Pass, last: Pass) -> Prediction:
    """Split what the last pass says into a homography and a smooth displacement.

    Parameters
    ----------
    first, last : Pass
        The localisation is the first one's, of the pair as it came or as the homography to begin
        with has it; all else is the last one's.

    Returns
    -------
    Prediction
        With `global_part`, the homography alone, and `error_scale`; with `matches`, `rendering`
        and `localisation` if the network matches, renders, localises.
    """
    level, output, shape = last.level, last.output, last.level.full_shape
    grid = pixel_grid(*level.shape, level.fixed)
    flow = smooth_residual(transformed(last.step, grid), output.target_points, last.trust, SMOOTH)
    unit = np.array(shape) / np.array(level.shape)
    smooth = _enlarge((flow - grid).permute(2, 0, 1).flip(0), shape) * unit
    rendering = None
    if output.rendered is not None:
        rendering = Rendering(_enlarge(output.rendered, shape), _transform(last.matrix))
    likely = first.output.localisation
    error = _enlarge(output.error[None], shape)[..., 0] * unit.mean()
    return Prediction(
        transform=_transform(last.matrix).compose(DisplacementTransform(smooth.astype(np.float32))),
        error_scale=error.astype(np.float32),
        global_part=_transform(last.found),
        matches=None if output.matches is None else _on_grid(output.matches, level, last.matrix),
        localisation=None if likely is None else _enlarge(likely[None], shape)[..., 0],
        rendering=rendering,
    )


def _crop(output: NetworkOutput, rows: int, cols: int) -> NetworkOutput:
    """Take off the padding."""
    rendered, likely = output.rendered, output.localisation
    return NetworkOutput(
        output.target_points[:rows, :cols],
        output.error[:rows, :cols],
        output.matches,
        None if rendered is None else rendered[:, :rows, :cols],
        None if likely is None else likely[:rows, :cols],
        output.fixed_features,
    )


def _on_grid(matches: Tensor, level: Level, matrix: Tensor) -> NDArray[np.float32]:
    """Bring matches on a level, the moving image warped by a homography, to the pair's grid."""
    enlarge = torch.linalg.inv(resize_matrix(level.full_shape, level.shape, matrix))
    fixed = transformed(enlarge, matches[:, :2]).flip(1)
    moving = transformed(matrix @ enlarge, matches[:, 2:4]).flip(1)
    result: NDArray[np.float32] = torch.cat([fixed, moving, matches[:, 4:]], 1).cpu().numpy()
    return result


def _enlarge(maps: Tensor, shape: tuple[int, int]) -> NDArray[Any]:
    """Bring (C, h, w) to (H, W, C)."""
    grown = F.interpolate(maps[None], size=shape, mode="bilinear", align_corners=False)
    result: NDArray[Any] = grown[0].permute(1, 2, 0).cpu().numpy()
    return result


def _transform(matrix: Tensor) -> MatrixTransform:
    return MatrixTransform.from_xy(matrix.cpu().numpy())
