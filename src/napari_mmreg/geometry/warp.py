"""Sampling images at positions: any dtype, any size, a tile at a time.

*Convention*: positions are ``(row, col)`` in moving pixels, pixel centres at integers. A
position has data if it lies in ``[-0.5, n - 0.5)`` along each axis, the area that the pixels
cover; within half a pixel of the border the border's own value counts. ITK does the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.frame import Frame

TILE = 512
"""Side of the square tiles in which images are processed, in pixels."""

_WORKERS = min(8, os.cpu_count() or 1)
"""Threads that process tiles; each needs some 20 MB."""

_REACH = {0: 0, 1: 3, 3: 16}
"""Pixels around the sampled ones that count: for linear interpolation next to missing pixels,
and for cubic splines, whose prefilter forgets 0.27 per pixel (below 1e-9 after 16)."""

MAX_CHANNELS_FIRST = 16
"""A first axis as short as this, before two long ones, holds channels rather than rows."""


def check_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of an image's shape; raise `InputError` if there are none."""
    if len(shape) < 2 or min(shape[:2]) < 1:
        raise InputError(f"A grid needs rows and columns, both at least 1, not {tuple(shape)}.")
    return int(shape[0]), int(shape[1])


def tiles(shape: tuple[int, int], tile: int = TILE) -> Iterator[tuple[slice, slice]]:
    """Yield row and column slices of the square tiles that cover `shape`."""
    height, width = shape
    for row in range(0, height, tile):
        for col in range(0, width, tile):
            yield slice(row, min(row + tile, height)), slice(col, min(col + tile, width))


def for_tiles(
    shape: tuple[int, int], work: Callable[[slice, slice], None], tile: int = TILE
) -> None:
    """Call ``work(rows, cols)`` for every tile, on several threads where there are several tiles.

    scipy and numpy let go of the interpreter while they compute. Each tile must write to its own
    place only, so that the result does not depend on the order.
    """
    parts = list(tiles(shape, tile))
    if len(parts) == 1:
        work(*parts[0])
        return
    with ThreadPoolExecutor(min(_WORKERS, len(parts)), "mmreg-tiles") as pool:
        for _ in pool.map(lambda part: work(*part), parts):
            pass  # raises what a tile raised


def pixel_grid(rows: slice, cols: slice) -> NDArray[np.float64]:
    """Return the pixel centres of a tile: float64 (h, w, 2), ``(row, col)``."""
    grid = np.empty((rows.stop - rows.start, cols.stop - cols.start, 2))
    grid[..., 0] = np.arange(rows.start, rows.stop)[:, None]
    grid[..., 1] = np.arange(cols.start, cols.stop)[None, :]
    return grid


def inside(positions: NDArray[np.floating[Any]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which positions (..., 2) lie in a frame of `shape`; NaN does not."""
    height, width = check_shape(shape)
    row, col = positions[..., 0], positions[..., 1]
    return (row >= -0.5) & (row < height - 0.5) & (col >= -0.5) & (col < width - 0.5)


def warp_image(
    image: NDArray[Any],
    positions: NDArray[np.floating[Any]],
    order: int = 1,
    fill: float | None = None,
    *,
    chunk: int = TILE,
) -> NDArray[Any]:
    """Sample an image at given positions.

    Parameters
    ----------
    image : ndarray of shape (h, w) or (h, w, C)
        The moving image. Integers are rounded and clipped to their range, booleans cut at
        one half; pixels that are not finite stay where they are and do not spread.
    positions : ndarray of float, shape (H, W, 2)
        Where to sample, ``(row, col)`` in moving pixels; NaN gets the fill value.
    order : {0, 1, 3}
        Nearest neighbour, linear or cubic spline.
    fill : number, optional
        Value outside the moving frame; zero by default.
    chunk : int
        Side of the tiles processed at a time, in pixels.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, C)
        In the image's dtype.

    Raises
    ------
    InputError
        If the image, the positions, the order or the fill value cannot be used.

    Notes
    -----
    *Convention*: ``(row, col)``, pull, pixel centres at integers.
    """
    positions = np.asarray(positions)
    if positions.ndim != 3 or positions.shape[-1] != 2:
        raise InputError(f"Positions need the shape (H, W, 2), but have {positions.shape}.")
    return resample_tiles(
        image,
        check_shape(positions.shape),
        lambda rows, cols: positions[rows, cols].astype(np.float64),
        order=order,
        fill=fill,
        chunk=chunk,
    )


def warp_labels(
    labels: NDArray[Any], positions: NDArray[np.floating[Any]], fill: int = 0
) -> NDArray[Any]:
    """Sample a label image at positions (H, W, 2) without inventing labels; see `warp_image`."""
    return warp_image(labels, positions, order=0, fill=fill)


def resample_tiles(
    image: NDArray[Any],
    shape: tuple[int, int],
    positions_of: Callable[[slice, slice], NDArray[np.float64]],
    *,
    order: int,
    fill: float | None,
    nodata: float | None = None,
    chunk: int = TILE,
) -> NDArray[Any]:
    """Fill a grid of `shape` tile by tile from the positions that `positions_of` gives a tile.

    Parameters are those of `warp_image`, and `nodata`: pixels of this value stay where they are
    and do not spread, like those that are not finite. Only the part of the image that a tile
    looks at is ever converted, so memory stays small whatever the image's size.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise InputError(
            "An image to resample needs the shape (rows, columns) or (rows, columns, channels) "
            f"and at least one pixel, but has {image.shape}."
        )
    if order not in (0, 1, 3):
        raise InputError(f"Interpolation order {order} is unknown; use 0, 1 or 3.")
    if image.dtype.kind not in "biufc":
        raise InputError(f"Images of dtype {image.dtype} cannot be resampled; use numbers.")
    missing = None if nodata is None else in_dtype(nodata, image.dtype)
    result = np.full((*shape, *image.shape[2:]), _fill_value(fill, image.dtype), image.dtype)

    def fill_tile(rows: slice, cols: slice) -> None:
        positions = positions_of(rows, cols)
        known = inside(positions, image.shape)
        if known.all():
            sampled = _sample(image, positions.reshape(-1, 2), order, missing)
            result[rows, cols] = sampled.reshape(result[rows, cols].shape)
        elif known.any():
            result[rows, cols][known] = _sample(image, positions[known], order, missing)

    for_tiles(shape, fill_tile, chunk)
    return result


def fill_value(dtype: np.dtype[Any], nodata: float | None = None) -> float:
    """Return what results show where the moving image does not reach.

    The value that already means no data in the image, if it has one; else NaN in floating point
    and 0 in integers, which have nothing better.
    """
    if nodata is not None and in_dtype(nodata, dtype) is not None:
        return nodata
    return float("nan") if dtype.kind in "fc" else 0


def in_dtype(value: float, dtype: np.dtype[Any]) -> Any:
    """Return a value in an image's dtype; None if it cannot be told there."""
    with np.errstate(all="ignore"):
        try:
            stored = np.asarray(value).astype(dtype)[()]
        except (OverflowError, ValueError):
            return None
    if stored == value or (np.isnan(value) and dtype.kind in "fc"):
        return stored
    # A value that was written for a wider type, such as -3.4e38 in float32, is what it rounds to.
    return stored if dtype.kind in "fc" and np.isfinite(stored) else None


def _fill_value(fill: float | None, dtype: np.dtype[Any]) -> Any:
    if fill is None:
        return dtype.type(0)
    value = in_dtype(fill, dtype)
    if value is None and dtype.kind in "biu":
        raise InputError(f"The fill value {fill} does not fit images of dtype {dtype}.")
    if value is None:
        with np.errstate(all="ignore"):
            return np.asarray(fill).astype(dtype)[()]
    return value


def _sample(
    image: NDArray[Any], points: NDArray[np.float64], order: int, missing: Any = None
) -> NDArray[Any]:
    """Sample at points (n, 2) that all lie in the frame: (n,) or (n, C) in the image's dtype."""
    limit = np.array(image.shape[:2]) - 1
    margin = _REACH[order]
    # Column by column: numpy is slow at reducing pairs.
    least, most = (np.array([of(axis) for axis in points.T]) for of in (np.min, np.max))
    low = np.clip(np.floor(least + 0.5).astype(np.intp) - margin, 0, limit)
    high = np.clip(np.floor(most + 0.5).astype(np.intp) + margin, 0, limit) + 1
    crop = np.asarray(image[low[0] : high[0], low[1] : high[1]])  # reads lazy arrays here
    if (least < 0).any() or (most > limit).any():
        points = np.clip(points, 0, limit)
    where = (points - low).T
    if order == 0:
        return np.asarray(crop[_nearest(where)])
    if crop.ndim == 2:
        return _sample_channel(crop, where, order, missing)
    return np.stack(
        [_sample_channel(crop[..., c], where, order, missing) for c in range(crop.shape[-1])],
        axis=-1,
    )


def _nearest(where: NDArray[np.float64]) -> tuple[NDArray[np.intp], ...]:
    """Return the pixels at positions (2, n)."""
    return tuple(np.floor(where + 0.5).astype(np.intp))


def _sample_channel(
    channel: NDArray[Any],
    where: NDArray[np.float64],
    order: int,
    missing: Any = None,
) -> NDArray[Any]:
    dtype = channel.dtype
    working = np.result_type(dtype, np.float32)  # float64 for 32-bit integers and above
    if working.char in "gG":  # scipy has no long double
        working = np.dtype(np.complex128 if working.kind == "c" else np.float64)
    values = channel.astype(working, copy=False)
    bad = ~np.isfinite(values)
    if missing is not None:
        bad |= channel == missing
    some_bad = bool(bad.any())
    if some_bad or missing is not None:
        nearest = _nearest(where)
    if some_bad:
        if bad.all():
            return channel[nearest]
        source = ndimage.distance_transform_edt(bad, return_distances=False, return_indices=True)
        values = values[tuple(source)]
    sampled = np.empty(where.shape[1], dtype=working)
    ndimage.map_coordinates(
        values, where, output=sampled, order=3 if order == 3 else 1, mode="mirror"
    )
    if some_bad:
        # A pixel without a value stays one pixel: it neither spreads nor vanishes.
        lost = bad[nearest]
        sampled[lost] = channel[nearest][lost]
    result = _to_dtype(sampled, dtype)
    if missing is not None:
        # What was interpolated must not come out as the value that means no data.
        hit = (result == missing) & ~bad[nearest]
        result[hit] = channel[nearest][hit]
    return result


def _to_dtype(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "b":
        return np.asarray(values >= 0.5)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        low, high = values.dtype.type(info.min), values.dtype.type(info.max)
        if int(high) > info.max:  # the largest 64-bit integers are no float
            high = np.nextafter(high, values.dtype.type(0))
        return np.asarray(np.clip(np.rint(values), low, high), dtype=dtype)
    return values.astype(dtype, copy=False)


def check_channels_last(image: NDArray[Any], frame: Frame | None = None) -> None:
    """Raise `InputError` for images whose first axis holds the channels, as far as one can tell.

    Parameters
    ----------
    image : ndarray
        What is to be resampled.
    frame : Frame, optional
        The image that is expected.
    """
    if image.ndim != 3:
        return
    first, rows, cols = image.shape
    if frame is not None:
        channels_first = (rows, cols) == frame.shape != (first, rows)
    else:
        channels_first = first <= MAX_CHANNELS_FIRST < min(rows, cols)
    if channels_first:
        raise InputError(
            f"The image has the shape {image.shape}: its first axis seems to hold {first} channels "
            "or slices. Images are (rows, columns, channels) here; pass channel_axis=0, or "
            "np.moveaxis(image, 0, -1). If the channels are last all the same, pass channel_axis=2."
        )
