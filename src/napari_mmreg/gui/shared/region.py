"""A part of the fixed image, drawn by the user, that is registered instead of the whole of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.placement import (
    Matrix,
    moving_from_fixed,
    part_of,
    place,
    unit_factors,
)
from napari_mmreg.gui.shared.snapshot import LEVEL_BUDGET, Picture

LEAST = 16
"""Pixels along each side that can be registered."""

Box = tuple[int, int, int, int]
"""First row and column, last ones (exclusive), in pixels of a picture."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a picture, read when it becomes an array: in the worker thread."""

    source: Any
    box: Box

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and perhaps channels."""
        first_row, first_col, row, col = self.box
        return (row - first_row, col - first_col, *self.source.shape[2:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        dtype: np.dtype[Any] = np.dtype(self.source.dtype)
        return dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        first_row, first_col, row, col = self.box
        part = np.asarray(self.source[first_row:row, first_col:col], dtype=dtype)
        return part.copy() if copy else part


def cut_region(picture: Picture, shapes: Any) -> Picture:
    """Return the part of a picture within what is drawn in a Shapes layer.

    Of a multiscale picture the finest level is taken whose part is no larger than what a run reads.

    Parameters
    ----------
    picture : Picture
    shapes : napari Shapes layer
        The rectangle around all its shapes counts.

    Raises
    ------
    InputError
        If nothing is drawn, it lies outside, it is too small, or its units are of another kind.
    """
    corners = _drawn(picture, shapes)
    data, scale = picture.data, np.ones(2)
    for level in picture.levels:  # from fine to coarse
        step = np.asarray(picture.shape) / level.shape[:2]
        if np.prod(np.ptp(corners, axis=0) / step) <= LEVEL_BUDGET:
            data, scale = level, step
            break
    # The frames of all levels coincide.
    box = _box((corners + 0.5) / scale - 0.5, data.shape, picture, shapes)
    start = (np.array(box[:2]) + 0.5) * scale - 0.5
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = start
    stride = (float(scale[0]), float(scale[1]))
    kwargs = part_of(picture.placement, (float(start[0]), float(start[1])), stride)
    world = picture.placement.world_from_pixels @ matrix
    whole = bool((scale == 1).all()) and not picture.origin.coarse
    return replace(
        picture,
        data=Part(data, box),
        placement=replace(picture.placement, world_from_pixels=world, layer_kwargs=kwargs),
        origin=replace(picture.origin, crop=box, coarse=not whole),
        levels=(),
        level_scale=(1.0, 1.0),
    )


def whole_from_region(whole: Picture, region: Picture) -> Matrix:
    """Return a region's pixels to those of the picture that it was cut from: 3x3, (row, col, 1)."""
    return moving_from_fixed(region.placement, whole.placement)


def _drawn(picture: Picture, shapes: Any) -> NDArray[np.float64]:
    """Return the corners (2, 2) of what is drawn, in the picture's pixels."""
    if not len(shapes.data):
        raise InputError(strings.NOTHING_DRAWN.format(name=shapes.name))
    points = np.concatenate([np.asarray(shape)[:, -2:] for shape in shapes.data])
    around = place(shapes, (0,) * (shapes.ndim - 2))
    try:
        unit_factors(around.units, picture.placement.units)
    except InputError as error:
        raise InputError(
            strings.REGION_UNITS.format(
                name=shapes.name,
                unit=around.units[-1],
                fixed=picture.name,
                other=picture.placement.units[-1],
            )
        ) from error
    matrix = moving_from_fixed(around, picture.placement)
    pixels = (np.column_stack([points, np.ones(len(points))]) @ matrix.T)[:, :2]
    return np.array([pixels.min(axis=0), pixels.max(axis=0)])


def _box(corners: NDArray[np.float64], shape: Any, picture: Picture, shapes: Any) -> Box:
    low = np.clip(np.floor(corners[0] + 0.5), 0, shape[:2]).astype(int)
    high = np.clip(np.ceil(corners[1] + 0.5), 0, shape[:2]).astype(int)
    rows, cols = (int(n) for n in high - low)
    if rows < 1 or cols < 1:
        raise InputError(strings.NO_REGION_HERE.format(name=shapes.name, fixed=picture.name))
    if min(rows, cols) < LEAST:
        raise InputError(
            strings.SMALL_REGION.format(name=shapes.name, rows=rows, cols=cols, least=LEAST)
        )
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
