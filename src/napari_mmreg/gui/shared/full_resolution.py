"""The registered image of a multiscale layer at its full resolution, computed as it is shown.

A run reads one level of a multiscale layer; what it finds holds for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.gui.shared.placement import part_of

if TYPE_CHECKING:
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
    from napari_mmreg.geometry import fill_value, resample_lazily, resample_pyramid
    from napari_mmreg.geometry.matrix import resizing

    fixed, moving = snapshot.fixed, snapshot.moving
    if len(moving.levels) < 2 or moving.level_scale == (1.0, 1.0):
        return None
    shape = _full_shape(fixed)
    pull = resizing(moving.level_scale).compose(result.transform.with_frames(None, None))
    pull = pull.compose(resizing(fixed.level_scale).inverse())
    finest = resample_lazily(
        moving.levels[0],
        pull,
        shape,
        channels_last=moving.rgb,
        fill=fill_value(np.dtype(moving.levels[0].dtype), result.nodata),
        nodata=result.nodata,
    )
    levels = [level.to_dask() for level in resample_pyramid(moving.levels, finest)]
    row, col = fixed.level_scale
    # The first pixel of the full resolution, in pixels of the level that was read.
    start = (0.5 / row - 0.5, 0.5 / col - 0.5)
    return levels, part_of(fixed.placement, start, (1 / row, 1 / col))


def _full_shape(picture: Picture) -> tuple[int, int]:
    if not picture.levels:
        return picture.shape
    return int(picture.levels[0].shape[0]), int(picture.levels[0].shape[1])
