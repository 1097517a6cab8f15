"""Images of any axes through a transform: stacks, channels, pyramids, a plane at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.frame import Frame
from napari_mmreg.geometry.labels import looks_like_labels
from napari_mmreg.geometry.matrix import resizing
from napari_mmreg.geometry.transform import Transform
from napari_mmreg.geometry.warp import (
    MAX_CHANNELS_FIRST,
    check_shape,
    for_tiles,
    pixel_grid,
    resample_tiles,
    tiles,
)
from napari_mmreg.run import Run

KEPT_POSITIONS = 4096 * 4096
"""Positions of grids up to this many pixels are computed once for all planes of a stack."""

STAGE = "Resampling"

_COLOURS = 4


def channels_are_last(
    shape: tuple[int, ...], channel_axis: int | None = None, frame: Frame | None = None
) -> bool:
    """Return whether the last axis of an image holds channels rather than columns.

    Parameters
    ----------
    shape : tuple of int
        ``(..., rows, columns)`` or ``(..., rows, columns, channels)``.
    channel_axis : int, optional
        Which axis holds the channels, where that is known. One before rows and columns is carried
        like any other axis of a stack.
    frame : Frame, optional
        The image that is expected.

    Raises
    ------
    InputError
        If there are no two axes for rows and columns.
    """
    ndim = len(shape)
    if ndim < 2:
        raise InputError(f"An image needs rows and columns, but this one has the shape {shape}.")
    if channel_axis is not None:
        axis = channel_axis + ndim if channel_axis < 0 else channel_axis
        last = axis == ndim - 1
        if not (last and ndim > 2) and not 0 <= axis < ndim - 2:
            raise InputError(
                f"Axis {channel_axis} of an image of shape {shape} cannot hold channels: rows and "
                "columns are the last two axes, or the two before the last one."
            )
        return last
    if ndim == 2:
        return False
    if frame is not None and (shape[-3:-1] == frame.shape) != (shape[-2:] == frame.shape):
        return shape[-3:-1] == frame.shape
    sides = min(shape[-3:-1])
    return shape[-1] <= _COLOURS < sides or shape[-1] <= MAX_CHANNELS_FIRST < sides


def stack_order(planes: Sequence[Any]) -> int:
    """Return how a stack is best interpolated: 0 if its planes look like labels, else 1.

    The first, the middle and the last plane are looked at, see `looks_like_labels`.
    """
    places = sorted({0, len(planes) // 2, len(planes) - 1})
    return 0 if all(looks_like_labels(np.asarray(planes[n])) for n in places) else 1


def resample_planes(
    planes: Iterable[Any],
    pull: Transform,
    shape: tuple[int, ...],
    *,
    number: int = 1,
    order: int = 1,
    fill: float | None = None,
    nodata: float | None = None,
    run: Run | None = None,
) -> Iterator[NDArray[Any]]:
    """Bring planes of one size onto a grid, one after the other.

    Parameters
    ----------
    planes : iterable of array_like, shape (h, w) or (h, w, C)
        Each is read when its turn comes.
    pull : Transform
        Pixels of the grid to pixels of the planes; frames are not looked at.
    shape : tuple of int
        Rows and columns of the grid.
    number : int
        How many planes there are, for the progress.
    order, fill, nodata
        As in `Transform.resample`.
    run : Run, optional
        Takes the progress, and is asked for cancel at every tile.

    Yields
    ------
    ndarray of shape (H, W) or (H, W, C)
        In the plane's dtype.

    Raises
    ------
    InputError
        If something cannot be used.
    Cancelled
        If the run says so.
    """
    positions = _Positions(pull, check_shape(shape), number, run or Run())
    for plane in planes:
        yield resample_tiles(
            np.asarray(plane), positions.shape, positions, order=order, fill=fill, nodata=nodata
        )


def resample_stack(
    image: Any,
    pull: Transform,
    shape: tuple[int, ...],
    *,
    channels_last: bool = False,
    order: int | None = None,
    fill: float | None = None,
    nodata: float | None = None,
    run: Run | None = None,
) -> NDArray[Any]:
    """Bring every plane of an image onto a grid.

    Parameters
    ----------
    image : array_like of shape (..., h, w) or (..., h, w, C)
        Of any dtype; it may be lazy, and is read plane by plane.
    pull, shape, fill, nodata, run
        As in `resample_planes`.
    channels_last : bool
        Whether the last axis holds channels.
    order : {0, 1, 3}, optional
        By default as `stack_order` says.

    Returns
    -------
    ndarray of shape (..., H, W) or (..., H, W, C)
        In the image's dtype.

    Raises
    ------
    InputError, Cancelled
        As `resample_planes`.
    """
    stacked, channels = _split(image.shape, channels_last=channels_last)
    places = list(np.ndindex(*stacked))
    result = np.empty((*stacked, *check_shape(shape), *channels), image.dtype)
    if not places:
        return result
    if order is None:
        order = stack_order([image[place] for place in (places[0], places[len(places) // 2])])
    carried = resample_planes(
        (image[place] for place in places),
        pull,
        shape,
        number=len(places),
        order=order,
        fill=fill,
        nodata=nodata,
        run=run,
    )
    for place, plane in zip(places, carried, strict=True):
        result[place] = plane
    return result


def resample_levels(
    levels: Sequence[Any],
    pull: Transform,
    shape: tuple[int, ...],
    *,
    channels_last: bool = False,
    run: Run | None = None,
    **options: Any,
) -> list[NDArray[Any]]:
    """Bring a multiscale image onto a grid, and each coarser level onto one as much coarser.

    Parameters
    ----------
    levels : sequence of array_like
        From fine to coarse, each as the image of `resample_stack`.
    pull : Transform
        Pixels of the grid to pixels of the finest level.
    shape : tuple of int
        Rows and columns of the finest grid.
    channels_last, run, **options
        As in `resample_stack`.

    Returns
    -------
    list of ndarray

    Notes
    -----
    *Convention*: the frames of all levels coincide, ``level = (full + 0.5) * s - 0.5``.
    """
    run = run or Run()
    full = np.array(_plane_shape(levels[0].shape, channels_last=channels_last))
    result = []
    for number, level in enumerate(levels):
        scale = np.array(_plane_shape(level.shape, channels_last=channels_last)) / full
        grid = np.maximum(np.rint(np.array(check_shape(shape)) * scale), 1)
        into_level = resizing((scale[0], scale[1])).compose(pull)
        onto = grid / np.array(check_shape(shape))
        from_grid = resizing((onto[0], onto[1])).inverse()
        with run.part(number / len(levels), (number + 1) / len(levels)):
            result.append(
                resample_stack(
                    level,
                    into_level.compose(from_grid),
                    (int(grid[0]), int(grid[1])),
                    channels_last=channels_last,
                    run=run,
                    **options,
                )
            )
    return result


class _Positions:
    """Where the pixels of a tile lie in the planes; kept where several planes need them."""

    def __init__(self, pull: Transform, shape: tuple[int, int], number: int, run: Run) -> None:
        self.shape = shape
        self._pull = pull
        self._run = run
        self._total = number * sum(1 for _ in tiles(shape))
        self._done = count(1)
        self._kept: NDArray[np.float64] | None = None
        if number > 1 and shape[0] * shape[1] <= KEPT_POSITIONS:
            kept = np.empty((*shape, 2))

            def keep(rows: slice, cols: slice) -> None:
                run.check()
                kept[rows, cols] = pull.map(pixel_grid(rows, cols))

            for_tiles(shape, keep)
            self._kept = kept

    def __call__(self, rows: slice, cols: slice) -> NDArray[np.float64]:
        self._run.check()
        self._run.report(STAGE, (next(self._done) - 1) / self._total)
        if self._kept is not None:
            return self._kept[rows, cols]
        return self._pull.map(pixel_grid(rows, cols))


def _split(
    shape: tuple[int, ...], *, channels_last: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the lengths of the axes before rows and columns, and of those after them."""
    ndim = len(shape)
    if ndim < (3 if channels_last else 2):
        raise InputError(f"An image needs rows and columns, but this one has the shape {shape}.")
    return (shape[:-3], shape[-1:]) if channels_last else (shape[:-2], ())


def _plane_shape(shape: tuple[int, ...], *, channels_last: bool) -> tuple[int, ...]:
    return tuple(shape[-3:-1] if channels_last else shape[-2:])
