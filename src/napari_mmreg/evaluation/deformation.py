"""What a transform does to the plane: how far, how evenly, and whether there is a way back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import TransformError
from napari_mmreg.evaluation.alignment import Alignment, Grid
from napari_mmreg.geometry import (
    MatrixTransform,
    Transform,
    folding_fraction,
    inverse_consistency,
    jacobian_determinant,
    pixel_grid,
)
from napari_mmreg.run import Run

Field = NDArray[np.floating[Any]]

_INVERTED_SIDE = 128
"""Places along the longer side where the way back is tried."""


def deformation_measures(alignment: Alignment, grid: Grid, run: Run) -> dict[str, float]:
    """Return the measures of the group ``geometry``, by their keys in `measures`.

    Lengths are in fixed pixels. Folding and the Jacobian are those of the whole transform,
    fixed to moving, on the grid.
    """
    field = alignment.on(alignment.transform, grid.stride).displacement(grid.shape)
    run.check()
    # From grid to moving pixels, the determinant carries the stride; take it out.
    relative = np.asarray((field + _places(grid)) / grid.stride - _places(grid), dtype=np.float32)
    moved = np.linalg.norm(grid.displacement, axis=-1)[grid.valid]
    moved = moved[np.isfinite(moved)]
    numbers = {
        "overlap_percent": 100 * float((grid.valid & grid.fixed_valid).mean()),
        "folding_percent": 100 * folding_fraction(relative, grid.valid),
        "log_jacobian_std": _log_spread(relative, grid),
    }
    if grid.has_before:
        for key, share in (("median", 50), ("p95", 95), ("max", 100)):
            numbers[f"displacement_{key}"] = (
                float(np.percentile(moved, share)) if moved.size else float("nan")
            )
    run.check()
    numbers.update(_way_back(alignment))
    return numbers


def grid_error_on(found: Transform, true: Transform, alignment: Alignment, grid: Grid) -> float:
    """Return the mean distance to the truth where it lies in the moving frame, in moving pixels."""
    truth = alignment.on(true, grid.stride)
    inside = truth.valid(grid.shape, alignment.moving.shape) & grid.fixed_valid
    if not inside.any():
        return float("nan")
    off = alignment.on(found, grid.stride).displacement(grid.shape) - truth.displacement(grid.shape)
    length = np.hypot(off[..., 0], off[..., 1])[inside]
    return float("inf") if np.isnan(length).any() else float(length.mean())


def _places(grid: Grid) -> Field:
    return pixel_grid(slice(0, grid.shape[0]), slice(0, grid.shape[1]))


def _log_spread(relative: Field, grid: Grid) -> float:
    determinant = jacobian_determinant(relative)
    known = grid.valid & np.isfinite(determinant) & (determinant > 0)
    return float(np.log(determinant[known]).std()) if known.any() else float("nan")


def _way_back(alignment: Alignment) -> dict[str, float]:
    """Go to the moving image and back on a coarse grid of fixed pixels."""
    shape = alignment.fixed.shape[:2]
    step = max(shape) / _INVERTED_SIDE if max(shape) > _INVERTED_SIDE else 1.0
    coarse = tuple(max(int(n / step), 1) for n in shape)
    fixed_from_coarse = MatrixTransform(np.diag([step, step, 1.0]))
    forward = alignment.transform.compose(fixed_from_coarse)
    inside = forward.valid(coarse, alignment.moving.shape)
    try:
        backward = fixed_from_coarse.inverse().compose(alignment.transform.inverse())
    except TransformError:
        return {"inverse_consistency": float("nan"), "no_inverse_percent": 100.0}
    miss = inverse_consistency(forward, backward, coarse)[inside] * step
    known = np.isfinite(miss)
    if not miss.size:
        return {}
    return {
        "inverse_consistency": float(miss[known].mean()) if known.any() else float("nan"),
        "no_inverse_percent": 100 * float(1 - known.mean()),
    }
