"""The registered image of a multiscale layer at its full resolution, computed as it is shown.

A run reads one level of a multiscale layer; what it finds holds for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_mmreg.gui.shared.placement import part_of

if TYPE_CHECKING:
    from napari_mmreg.geometry import LazyImage, Transform
    from napari_mmreg.gui.shared.snapshot import Picture, Snapshot
    from napari_mmreg.registration import RegistrationResult


def full_registered(
    snapshot: Snapshot, result: RegistrationResult
) -> tuple[list[Any], dict[str, Any]] | None:
    """Return the levels of the registered layer, and where they lie in the world.

    Returns
    -------
    levels : list of dask arrays
    kwargs : dict
        Arguments of the layer.
    None
        If the moving layer was read in full.
    """
    from napari_mmreg.geometry import resample_pyramid

    fixed, moving = snapshot.fixed, snapshot.moving
    if not is_coarse(moving):
        return None
    finest = _finest(snapshot, result, full_pull(snapshot, result.transform))
    levels = [level.to_dask() for level in resample_pyramid(moving.levels, finest)]
    row, col = fixed.level_scale
    # The first pixel of the full resolution, in pixels of the level that was read.
    start = (0.5 / row - 0.5, 0.5 / col - 0.5)
    return levels, part_of(fixed.placement, start, (1 / row, 1 / col))


def is_coarse(picture: Picture) -> bool:
    """Whether a run reads a coarser level of the layer, not all of it."""
    return len(picture.levels) > 1 and picture.level_scale != (1.0, 1.0)


def full_pull(snapshot: Snapshot, transform: Transform) -> Transform:
    """Return a run's transform, fixed to moving, in pixels of the full resolutions."""
    from napari_mmreg.geometry.matrix import resizing

    to_fixed, to_moving = (resizing(p.level_scale) for p in (snapshot.fixed, snapshot.moving))
    return to_moving.compose(transform.with_frames(None, None)).compose(to_fixed.inverse())


def level_pull(snapshot: Snapshot, transform: Transform) -> Transform:
    """Return a transform of the full resolutions in pixels of the levels that a run reads."""
    from napari_mmreg.geometry.matrix import resizing

    to_fixed, to_moving = (resizing(p.level_scale) for p in (snapshot.fixed, snapshot.moving))
    return to_moving.inverse().compose(transform.with_frames(None, None)).compose(to_fixed)


def at_full_resolution(snapshot: Snapshot, result: RegistrationResult) -> RegistrationResult:
    """Return a run's result in pixels of the full resolutions; what is registered is not computed.

    It is the same one where the layers were read in full.
    """
    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.geometry.matrix import resizing

    fixed, moving = snapshot.fixed, snapshot.moving
    if not is_coarse(fixed) and not is_coarse(moving):
        return result
    to_fixed = resizing(fixed.level_scale)
    pull = full_pull(snapshot, result.transform)
    return replace(
        result,
        transform=pull,
        initial=full_pull(snapshot, result.initial),
        registered=_finest(snapshot, result, pull).to_dask(),
        fixed_shape=full_shape(fixed),
        moving_shape=full_shape(moving),
        fixed_from_grid=MatrixTransform(to_fixed.matrix @ result.fixed_from_grid.matrix),
    )


def options_at_full_resolution(snapshot: Snapshot, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a run's options that count pixels, for the full resolutions instead."""
    from napari_mmreg.geometry import MatrixTransform

    changed: dict[str, Any] = {}
    if options["initial"] is not None:
        pull = full_pull(snapshot, MatrixTransform(options["initial"]))
        changed["initial"] = cast("MatrixTransform", pull).matrix
    for side, picture in (("fixed", snapshot.fixed), ("moving", snapshot.moving)):
        spacing = options[f"{side}_spacing"]
        if spacing is not None:
            row, col = picture.level_scale
            changed[f"{side}_spacing"] = (spacing[0] / row, spacing[1] / col)
    return changed


def finest_levels(picture: Picture) -> list[Any]:
    """Return the levels of a layer from fine to coarse; of one that was read in full, that one."""
    return list(picture.levels) if is_coarse(picture) else [picture.data]


def _finest(snapshot: Snapshot, result: RegistrationResult, pull: Transform) -> LazyImage:
    """Return the registered image on the fixed layer's full resolution."""
    from napari_mmreg.geometry import fill_value, resample_lazily

    moving = snapshot.moving
    finest = finest_levels(moving)[0]
    return resample_lazily(
        finest,
        pull,
        full_shape(snapshot.fixed),
        channels_last=moving.rgb,
        fill=fill_value(np.dtype(finest.dtype), result.nodata),
        nodata=result.nodata,
    )


def full_shape(picture: Picture) -> tuple[int, int]:
    """Return the rows and columns of a layer's full resolution."""
    if not picture.levels:
        return picture.shape
    return int(picture.levels[0].shape[0]), int(picture.levels[0].shape[1])
