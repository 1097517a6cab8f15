"""Grey values without hot and dead pixels, which would set the contrast of everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_mmreg.imaging.grey import grey_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

BULK = (2.5, 97.5)
"""Percentiles between which no lone pixels lie that are few enough to be outliers."""

FAR = 3.0
"""An outlier lies farther from the bulk of the values than so many times its width."""

HARM = 0.005
"""Share of contaminated pixels from which outliers reach the percentiles of `normalise`."""

LONE = 0.3
"""Share of outliers with another one beside them below which they are lone pixels. Random ones
that make up 2.5 % of an image have 0.18; bright things of several pixels have more than 0.5."""

_TILE = 256
_TILES = 8
_BESIDE = np.ones((3, 3), dtype=bool)


def without_outliers(
    image: NDArray[Any],
    mask: NDArray[Any] | None,
    value_range: tuple[Any, Any],
    area: float = 1.0,
) -> tuple[float, float]:
    """Return the part of an image's range that is left without lone hot and dead pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
        As `check_image` returns it.
    mask : ndarray of shape (H, W), or None
        Not zero where it may be used.
    value_range : (low, high)
        Of its values; they become 0 and 1.
    area : float
        Pixels that will be averaged to one: each outlier among them spoils it.

    Returns
    -------
    (float, float)
        ``(0.0, 1.0)`` unless there are outliers, and enough of them to matter. Stars, lamps and
        speckle are none: they are wider than a pixel, or the values near them are no gap.
    """
    parts = []
    for rows, cols in _tiles(image.shape):
        grey, valid = grey_block(image[rows, cols], *value_range)
        if mask is not None:
            valid = valid & (mask[rows, cols] != 0)
        parts.append((grey, valid))
    values = np.concatenate([grey[valid] for grey, valid in parts])
    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, BULK))
    width = high - low
    limits = (low - FAR * width, high + FAR * width)
    if width == 0 or (limits[0] <= 0 and limits[1] >= 1):
        return 0.0, 1.0
    kept = [0.0, 1.0]
    for side, outside in enumerate((values < limits[0], values > limits[1])):
        share = float(outside.mean())
        if not outside.any() or 1 - (1 - share) ** area < HARM:
            continue
        far = [
            valid & ((grey < limits[0]) if side == 0 else (grey > limits[1]))
            for grey, valid in parts
        ]
        if _accompanied(far) < LONE:
            rest = values[~outside]
            kept[side] = float(rest.min() if side == 0 else rest.max())
    return kept[0], kept[1]


def _accompanied(marked: list[NDArray[np.bool_]]) -> float:
    """Return the share of marked pixels that have another marked one among their neighbours."""
    count = sum(int(part.sum()) for part in marked)
    beside = 0
    for part in marked:
        neighbours = ndimage.convolve(part.astype(np.uint8), _BESIDE, mode="constant")
        beside += int((part & (neighbours > 1)).sum())
    return beside / count


def _tiles(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Return slices of up to 64 tiles spread evenly over an image."""
    starts = [
        np.unique(np.linspace(0, max(0, size - _TILE), min(_TILES, -(-size // _TILE))).astype(int))
        for size in shape[:2]
    ]
    return [
        (slice(row, row + _TILE), slice(col, col + _TILE)) for row in starts[0] for col in starts[1]
    ]
