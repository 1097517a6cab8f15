"""Images through a transform without holding them: any part is computed when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError, MissingExtraError
from napari_mmreg.geometry.labels import looks_like_labels
from napari_mmreg.geometry.matrix import resizing
from napari_mmreg.geometry.transform import Transform
from napari_mmreg.geometry.warp import TILE, check_shape, pixel_grid, resample_tiles

CROP = 2048 * 2048
"""Pixels of the source that are read for one tile at most, where it can be halved."""

_SMALLEST = 32
"""Side of a tile that is not halved any more."""

_STEP = 1.01
"""A level serves a grid whose steps are at least its pixels, but for rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One plane of an array of any kind; what is sliced from it is a numpy array.

    Attributes
    ----------
    array : array_like of shape (..., h, w) or (..., h, w, C)
        numpy, dask, zarr, or anything else with a shape, a dtype and slicing.
    place : tuple of int
        Index along the axes before rows and columns.
    """

    array: Any
    place: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and perhaps channels."""
        return tuple(int(size) for size in self.array.shape[len(self.place) :])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def ndim(self) -> int:
        """2, or 3 with channels."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        part = self.array[(*self.place, *(key if isinstance(key, tuple) else (key,)))]
        if hasattr(part, "__dask_graph__"):
            # Threads that each start threads of their own would be too many.
            part = part.compute(scheduler="synchronous")
        return np.asarray(part)


@dataclass(frozen=True, slots=True, eq=False)
class LazyImage:
    """An image on a grid, of which any part can be computed alone.

    Attributes
    ----------
    source : array_like of shape (..., h, w) or (..., h, w, C)
        What is sampled; only the parts that are needed are read.
    pull : Transform
        Pixels of the grid to pixels of the source; frames are not looked at.
    grid : (int, int)
        Rows and columns.
    channels_last : bool
        Whether the source's last axis holds channels.
    order, fill, nodata
        As in `Transform.resample`.

    Notes
    -----
    *Convention*: ``(row, col)``, pixel centres at integers, pull. Parts that begin and end at
    multiples of `TILE` are equal to the same parts of `Transform.resample` to the bit, others but
    for rounding: the same tiles are computed.
    """

    source: Any
    pull: Transform
    grid: tuple[int, int]
    channels_last: bool = False
    order: int = 1
    fill: float | None = None
    nodata: float | None = None

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the axes before rows and columns."""
        return tuple(int(n) for n in self.source.shape[: -3 if self.channels_last else -2])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole image."""
        channels = self.source.shape[-1:] if self.channels_last else ()
        return (*self.leading, *self.grid, *(int(n) for n in channels))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The source's."""
        dtype: np.dtype[Any] = np.dtype(self.source.dtype)
        return dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def read(self, rows: slice, cols: slice, place: tuple[int, ...] = ()) -> NDArray[Any]:
        """Compute a part: (h, w) or (h, w, C).

        Parameters
        ----------
        rows, cols : slice
            With a start and a stop in the grid, and no step.
        place : tuple of int
            Index along the axes before rows and columns.
        """
        source = Plane(self.source, place)
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        result = np.empty((*shape, *source.shape[2:]), self.dtype)
        for top in _cuts(rows):
            for left in _cuts(cols):
                part = result[
                    top.start - rows.start : top.stop - rows.start,
                    left.start - cols.start : left.stop - cols.start,
                ]
                self._fill(source, part, top, left)
        return result

    def _fill(self, source: Plane, part: NDArray[Any], rows: slice, cols: slice) -> None:
        """Compute one tile, or its halves if it looks at too much of the source at once."""
        positions = self.pull.map(pixel_grid(rows, cols))
        if min(positions.shape[:2]) > _SMALLEST and _area(positions, source.shape) > CROP:
            middle, centre = (each.start + (each.stop - each.start) // 2 for each in (rows, cols))
            for top in (slice(rows.start, middle), slice(middle, rows.stop)):
                for left in (slice(cols.start, centre), slice(centre, cols.stop)):
                    inner = part[
                        top.start - rows.start : top.stop - rows.start,
                        left.start - cols.start : left.stop - cols.start,
                    ]
                    self._fill(source, inner, top, left)
            return
        part[...] = resample_tiles(
            source,  # type: ignore[arg-type]  # sliced like an array
            (positions.shape[0], positions.shape[1]),
            lambda down, across: positions[down, across],
            order=self.order,
            fill=self.fill,
            nodata=self.nodata,
        )

    def to_dask(self, chunk: int = TILE) -> Any:
        """Return a dask array whose chunks are computed when they are looked at.

        Parameters
        ----------
        chunk : int
            Side of the chunks, in pixels.

        Raises
        ------
        MissingExtraError
            If dask is not installed; napari brings it.
        """
        da = _dask_array()
        sides = [_lengths(size, chunk) for size in self.grid]
        chunks = (*((1,) * n for n in self.leading), *sides)
        if self.channels_last:
            chunks = (*chunks, (self.shape[-1],))
        lead = len(self.leading)

        def compute(block_info: Any = None) -> NDArray[Any]:
            where = block_info[None]["array-location"]
            place = tuple(int(start) for start, _ in where[:lead])
            rows, cols = (slice(int(start), int(stop)) for start, stop in where[lead : lead + 2])
            return self.read(rows, cols, place)[(None,) * lead]

        # A name of its own: dask would else look at all pixels to make one.
        return da.map_blocks(
            compute,
            chunks=chunks,
            dtype=self.dtype,
            meta=np.empty((0,) * self.ndim, self.dtype),
            name=f"mmreg-resampled-{id(self)}-{np.random.default_rng().integers(2**62)}",
        )


def resample_lazily(
    image: Any,
    pull: Transform,
    shape: tuple[int, ...],
    *,
    channels_last: bool = False,
    order: int | None = None,
    fill: float | None = None,
    nodata: float | None = None,
) -> LazyImage:
    """Bring an image onto a grid without computing anything yet.

    Parameters
    ----------
    image : array_like of shape (..., h, w) or (..., h, w, C)
        numpy, dask, zarr, or anything else with a shape, a dtype and slicing.
    pull : Transform
        Pixels of the grid to pixels of the image; frames are not looked at.
    shape : tuple of int
        Rows and columns of the grid.
    channels_last : bool
        Whether the last axis holds channels.
    order, fill, nodata
        As in `Transform.resample`. To choose the order, up to 64 small parts are read.

    Returns
    -------
    LazyImage

    Raises
    ------
    InputError
        If something cannot be used.
    """
    if len(image.shape) < (3 if channels_last else 2) or 0 in image.shape:
        raise InputError(f"An image of shape {tuple(image.shape)} cannot be resampled.")
    if order is None:
        order = 0 if _labels(image, channels_last=channels_last) else 1
    return LazyImage(image, pull, check_shape(shape), channels_last, order, fill, nodata)


def resample_pyramid(levels: Sequence[Any], finest: LazyImage) -> list[LazyImage]:
    """Return an image on a grid, and on coarser ones, each from the level that is as fine.

    Parameters
    ----------
    levels : sequence of array_like
        Of the source, from fine to coarse.
    finest : LazyImage
        The finest level on the grid, see `resample_lazily`.

    Returns
    -------
    list of LazyImage
        From fine to coarse: on the grid itself, and as much coarser as the source's levels are.

    Notes
    -----
    *Convention*: the frames of all levels coincide, ``level = (full + 0.5) * s - 0.5``.
    """
    planes = [
        np.array(level.shape[-3:-1] if finest.channels_last else level.shape[-2:], dtype=float)
        for level in levels
    ]
    factors = [float((planes[0] / plane).max()) for plane in planes]
    step = pixel_step(finest.pull, finest.grid)
    base = max((n for n, factor in enumerate(factors) if factor <= step * _STEP), default=0)
    result = []
    for level, plane, factor in zip(levels[base:], planes[base:], factors[base:], strict=True):
        if level.shape[: len(finest.leading)] != finest.leading:
            break  # reduced along the stack, too
        scale = plane / planes[0]
        into_level = resizing((scale[0], scale[1])).compose(finest.pull)
        grid = np.maximum(np.rint(np.array(finest.grid) * factors[base] / factor), 1)
        onto = grid / np.array(finest.grid)
        pull = into_level.compose(resizing((onto[0], onto[1])).inverse())
        shape = (int(grid[0]), int(grid[1]))
        result.append(replace(finest, source=level, pull=pull, grid=shape))
    return result


def is_lazy(image: Any) -> bool:
    """Return whether an image is in chunks elsewhere (dask, zarr, HDF5), or computed when read."""
    return isinstance(image, LazyImage | Plane) or (
        not isinstance(image, np.ndarray)
        and all(hasattr(image, name) for name in ("shape", "dtype", "chunks", "__getitem__"))
    )


def _labels(image: Any, *, channels_last: bool) -> bool:
    if channels_last and image.shape[-1] > 1:
        return False
    leading = image.shape[: -3 if channels_last else -2]
    middle = Plane(image, tuple(int(n) // 2 for n in leading))
    return looks_like_labels(middle)  # type: ignore[arg-type]  # sliced like an array


def pixel_step(pull: Transform, grid: tuple[int, int]) -> float:
    """Return how many pixels of the source one step in the middle of the grid covers."""
    places = pull.map(np.add(np.array(grid) / 2, [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
    size = abs(np.linalg.det(places[1:] - places[0])) ** 0.5
    return float(size) if np.isfinite(size) and size > 0 else 1.0


def _area(positions: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """Return how many pixels of the source the box around some positions holds."""
    flat = positions.reshape(-1, 2)
    known = flat[np.isfinite(flat).all(axis=1)]
    if len(known) == 0:
        return 0.0
    last = np.array(shape[:2]) - 1
    low, high = (np.clip(each, 0, last) for each in (known.min(axis=0), known.max(axis=0)))
    return float(np.prod(high - low + 1))


def _cuts(part: slice) -> list[slice]:
    """Return the slices into which multiples of `TILE` cut one."""
    edges = [part.start, *range((part.start // TILE + 1) * TILE, part.stop, TILE), part.stop]
    return [slice(a, b) for a, b in pairwise(edges)]


def _lengths(size: int, chunk: int) -> tuple[int, ...]:
    return tuple(min(chunk, size - start) for start in range(0, size, chunk))


def _dask_array() -> Any:
    try:
        import dask.array
    except ImportError as error:
        raise MissingExtraError(
            "Images that are computed when looked at need dask; napari brings it, or: pip install "
            '"napari-mmreg[large]"'
        ) from error
    return dask.array
