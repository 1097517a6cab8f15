"""From a network that looks at one grid to an answer for a pair of any size (ours).

The moving image is warped by the homography that the first look gives, so that its structures
turn and scale with it, and the network looks again. What it says then is split into a homography
and a smooth rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.alignment.levels import Level, build_level, pair_tensors
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.models.protocol import LOCALISATION, RENDERED, Prediction, Rendering
from napari_mmreg.nn.homography import (
    fit_homography,
    plausible,
    positions,
    resize_matrix,
    transformed,
)
from napari_mmreg.nn.matching import bend_smoothly
from napari_mmreg.nn.sampling import pixel_grid, sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

SIZES = (256, 256)
"""Longer sides of the grids of the looks; networks are trained at 160 to 192."""

SCALES = (16.0, 8.0, 4.0, 3.0, 2.0)
"""Residual scales of the robust fit of a homography, in pixels of these grids."""

SMOOTH = 8.0
"""Gaussian sigma of what bends, in pixels of these grids."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network is shown.

    Attributes
    ----------
    fixed, moving : Tensor of shape (1, 1, H, W)
        Sides are multiples of what the network asks for; the moving image is warped.
    fixed_mask, moving_mask : Tensor of float32, shape (1, 1, H, W)
    near : bool
        The look before found a plausible homography, by which the moving image is warped.
    last : bool
        No look follows: what is asked for pictures is asked now.
    """

    fixed: Tensor
    moving: Tensor
    fixed_mask: Tensor
    moving_mask: Tensor
    near: bool = False
    last: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """What a network says about the pixels it was shown.

    Attributes
    ----------
    places : Tensor of shape (H, W, 2)
        Where the fixed pixels lie in the moving image as it was shown, (x, y).
    error : Tensor of shape (H, W)
        Expected length of the error, in these pixels.
    matches : Tensor of shape (N, 5), or None
        Single matches: x and y in the fixed image, in the moving one as it was shown, and
        their probability.
    rendered : Tensor of shape (K, H, W), or None
        What a picture of the moving image as it was shown can be mixed of, see `Rendering`.
    localisation : Tensor of shape (H, W), or None
        Probability that the images, as they were shown, are displaced by more than 2 px at
        256-px scale.
    """

    places: Tensor
    error: Tensor
    matches: Tensor | None = None
    rendered: Tensor | None = None
    localisation: Tensor | None = None


def show(
    level: Level, matrix: Tensor, multiple: int, *, near: bool = False, last: bool = True
) -> Seen:
    """Warp the moving image of a level by a homography of the pair's grid; pad both images."""
    rows, cols = level.shape
    where = positions(level.from_full(matrix)[None], rows, cols)
    inside = (sample(level.moving_mask, where, padding="zeros") > 0.9).float()
    margin = (0, -cols % multiple, 0, -rows % multiple)
    return Seen(
        F.pad(level.fixed, margin, mode="replicate"),
        F.pad(sample(level.moving, where), margin, mode="replicate"),
        F.pad(level.fixed_mask, margin),
        F.pad(inside, margin),
        near,
        last,
    )


def predict(
    look: Callable[[Seen], Look],
    multiple: int,
    pair: Pair,
    run: Run,
    start: Tensor | None = None,
    sizes: Sequence[int] = SIZES,
    cell: int = 1,
) -> Prediction:
    """Estimate a homography and a displacement of the pair's grid in a few looks.

    Parameters
    ----------
    look : callable
        Asks the network.
    multiple : int
        Its images' sides must be multiples of this.
    pair : Pair
    run : Run
    start : Tensor of float64, shape (3, 3), optional
        A homography to begin with, fixed to moving on the pair's grid, (x, y).
    sizes : sequence of int
        Longer sides of the grids, one for each look.
    cell : int
        Only every `cell`-th pixel counts for the homography: what a network says between its
        cells is interpolated, and fitting to it takes time for nothing.

    Returns
    -------
    Prediction
        With `global_part`, the homography alone, and `error_scale`. If the network matches,
        ``extras["matches"]`` is float32 (N, 5): fixed row and column, moving row and column,
        probability, on the pair's grid. If it renders, ``extras["rendered"]`` is a `Rendering`.
        If it localises, ``extras["localisation"]`` is what the first look said about the pair as
        it came, or as the homography to begin with has it.
    """
    tensors = pair_tensors(pair, run.device)
    nothing = torch.eye(3, dtype=torch.float64, device=run.device)
    matrix, near = nothing if start is None else start, False
    for number, size in enumerate(sizes, start=1):
        level, before = build_level(tensors, size), matrix
        rows, cols = level.shape
        seen = show(level, before, multiple, near=near, last=number == len(sizes))
        found = look(seen)
        if number == 1:
            localised, localised_shape = found.localisation, level.shape
        both = (seen.fixed_mask * seen.moving_mask)[0, 0, :rows, :cols]
        places, error = found.places[:rows, :cols], found.error[:rows, :cols]
        trust = (1 / error).clamp(max=1) * both
        grid = pixel_grid(rows, cols, level.fixed)
        points, there, weight = (
            part[::cell, ::cell].flatten(0, 1) for part in (grid, places, trust)
        )
        step = fit_homography(points, there, weight, SCALES)
        moved = level.to_full(level.from_full(before) @ step)
        near = bool(plausible(moved[None], *pair.shape))
        if near:
            matrix = moved
        else:
            step = nothing
        run.step(number / len(sizes))
    flow = bend_smoothly(transformed(step, grid), places, trust, SMOOTH) - grid
    unit = np.array(pair.shape) / np.array(level.shape)
    bent = DisplacementTransform(
        (_enlarge(flow.permute(2, 0, 1).flip(0), pair.shape) * unit).astype(np.float32)
    )
    extras: dict[str, Any] = {}
    if found.matches is not None:
        extras["matches"] = _on_grid(found.matches, level, before)
    if found.rendered is not None:
        channels = _enlarge(found.rendered[:, :rows, :cols], pair.shape)
        extras[RENDERED] = Rendering(channels, _transform(before))
    if localised is not None:
        rows, cols = localised_shape
        extras[LOCALISATION] = _enlarge(localised[None, :rows, :cols], pair.shape)[..., 0]
    return Prediction(
        transform=_transform(before).compose(bent),
        error_scale=(_enlarge(error[None], pair.shape)[..., 0] * unit.mean()).astype(np.float32),
        global_part=_transform(matrix),
        extras=extras,
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
