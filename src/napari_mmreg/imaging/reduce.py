"""Shrinking images of any size by averaging areas, a block of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.imaging.grey import BLOCK_PIXELS, find_range, grey_block
from napari_mmreg.imaging.outliers import without_outliers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy import sparse


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A part of an image, as grey values on a coarser grid.

    Attributes
    ----------
    grey : ndarray of float32, shape (h, w)
        Mean of the valid pixels, in [0, 1] of the part's value range; 0 where none is valid. Lone
        hot and dead pixels count as the greatest and least value beside them.
    mask : ndarray of bool, shape (h, w)
        Where at least half of the pixels are valid.
    zero, partly_zero : ndarray of bool, shape (h, w)
        Where all, or some, of the pixels are exactly zero in every channel, or have no value.
    """

    grey: NDArray[np.float32]
    mask: NDArray[np.bool_]
    zero: NDArray[np.bool_]
    partly_zero: NDArray[np.bool_]


def area_weights(size: int, factor: float) -> sparse.csr_matrix:
    """Return the matrix (n, size) that averages `size` pixels to ``n = round(size / factor)``.

    Output pixel ``i`` is the mean over ``[i * factor, (i + 1) * factor)`` of the pixels'
    areas, so any factor from 1 is exact; what sticks out at the end does not count.
    """
    from scipy import sparse

    count = max(1, int(np.ceil(size / factor - 0.5)))
    edges = np.union1d(np.arange(size + 1), np.minimum(np.arange(count + 1) * factor, size))
    edges = edges[edges <= count * factor + 1e-9]
    lengths = np.diff(edges)
    middles = edges[:-1] + lengths / 2
    rows = np.minimum((middles / factor).astype(np.intp), count - 1)
    cols = np.minimum(middles.astype(np.intp), size - 1)
    totals = np.bincount(rows, lengths, minlength=count)
    weights = (lengths / totals[rows]).astype(np.float32)
    return sparse.csr_matrix((weights, (rows, cols)), shape=(count, size))


def reduce_area(
    image: NDArray[Any],
    mask: NDArray[Any] | None,
    factors: tuple[float, float],
    name: str = "image",
    check: Callable[[], None] | None = None,
) -> Reduced:
    """Average an image's areas to grey values on a grid `factors` times coarser.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
        As `check_image` returns it, or a crop of it.
    mask : ndarray of shape (H, W), or None
        Not zero where the image may be used.
    factors : (float, float)
        Pixels per output pixel along rows and columns, at least 1.
    name : str
        What messages call the image.
    check : callable, optional
        Called once a block; raises to stop.

    Notes
    -----
    *Convention*: output pixel ``i`` has its centre at ``(i + 0.5) * factor - 0.5``. Only a
    block of rows is ever held in floating point.
    """
    low, high = find_range(image, name, check)
    kept = without_outliers(image, mask, (low, high), factors[0] * factors[1])
    down, across = (
        area_weights(image.shape[0], factors[0]),
        area_weights(image.shape[1], factors[1]),
    )
    shape = (down.shape[0], across.shape[0])
    across_t = across.T.tocsr()
    grey, share, zeros = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    step = max(1, int(BLOCK_PIXELS / (image.shape[1] * factors[0])))
    for start in range(0, shape[0], step):
        if check is not None:
            check()
        stop = min(start + step, shape[0])
        weights = down[start:stop]
        first, last = int(weights.indices.min()), int(weights.indices.max()) + 1
        weights = weights[:, first:last]
        block = image[first:last]
        values, valid = grey_block(block, low, high)
        black = _black(block, values, low)
        if kept != (0.0, 1.0):
            np.clip(values, *kept, out=values)
            values[~valid] = 0.0
        if mask is not None:
            valid &= mask[first:last] != 0
            values[~valid] = 0.0
        grey[start:stop] = (weights @ values) @ across_t
        share[start:stop] = 1.0 if valid.all() else (weights @ valid.astype(np.float32)) @ across_t
        if black.any():
            zeros[start:stop] = (weights @ black.astype(np.float32)) @ across_t
    np.divide(grey, share, out=grey, where=share > 0)
    return Reduced(grey, share >= 0.5 - 1e-4, zeros >= 1 - 1e-4, zeros > 1e-4)


def _black(block: NDArray[Any], values: NDArray[np.float32], low: Any) -> NDArray[np.bool_]:
    """Where all channels are exactly zero; `values` are grey, 0 standing for `low`."""
    if low >= 0:
        # Pixels without data are 0 as well, and may lie beside a black border.
        return np.asarray(values == 0) if low == 0 else np.zeros(values.shape, dtype=np.bool_)
    black = block == 0 if block.ndim == 2 else (block[..., :3] == 0).all(axis=-1)
    return np.asarray(black)
