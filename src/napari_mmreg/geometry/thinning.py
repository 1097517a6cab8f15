"""Blocks of an image with fewer pixels: averages that know no-data, or single pixels of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def thin_block(
    block: NDArray[Any], factor: int, *, nearest: bool = False, nodata: float | None = None
) -> NDArray[Any]:
    """Return a block with a pixel for every `factor` x `factor` of its own.

    Parameters
    ----------
    block : ndarray of shape (h, w) or (h, w, C)
        Its last rows and columns count more often where its sides are no multiples.
    factor : int
    nearest : bool
        Whether to keep every `factor`-th pixel, as of labels, rather than to average.
    nodata : number, optional
        Values that are left out of averages, as those that are not finite are. Where there are no
        others, one of them stays.

    Returns
    -------
    ndarray of shape (ceil(h / factor), ceil(w / factor)) or with C
        In the block's dtype.

    Notes
    -----
    *Convention*: averages lie at ``(i + 0.5) * factor - 0.5``, as in a frame with fewer pixels.
    """
    if nearest or block.dtype.kind == "b":
        return block[::factor, ::factor]
    missing_sides = [(0, -size % factor) for size in block.shape[:2]]
    even = block
    if any(after for _, after in missing_sides):
        even = np.pad(block, [*missing_sides, *[(0, 0)] * (block.ndim - 2)], mode="edge")
    rows, cols = even.shape[0] // factor, even.shape[1] // factor
    cells = even.reshape(rows, factor, cols, factor, *even.shape[2:])
    missing = ~np.isfinite(cells) if block.dtype.kind in "fc" else None
    if nodata is not None:
        without = cells == nodata
        missing = without if missing is None else missing | without
    if missing is None or not missing.any():
        return _back(cells.mean((1, 3), dtype=_working(block.dtype)), block.dtype)
    count = (~missing).sum((1, 3))
    total = np.where(missing, 0, cells).sum((1, 3), dtype=_working(block.dtype))
    mean = _back(total / np.maximum(count, 1), block.dtype)
    return np.where(count > 0, mean, cells[:, 0, :, 0])


def _working(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "c":
        return np.complex128
    return np.float32 if dtype.itemsize <= 2 else np.float64


def _back(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return (np.rint(values) if dtype.kind in "iu" else values).astype(dtype)
