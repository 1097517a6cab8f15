"""Telling label images and masks, which must not be interpolated, from other images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TILE = 256
_TILES = 8
"""At most this many tiles along each side are looked at."""

FEW = 16
"""Up to this many values, a coherent image of small integers is taken for classes."""

COHERENT = 0.7
"""Share of neighbours of equal value, off the background, from which values form areas."""

WIDE_COHERENT = 0.5
"""The same for integers of 32 bits and more, in which images are rare."""

STEPS = 0.9
"""Share of small steps among all steps from which an image is a gradient, not areas."""


def looks_like_labels(image: NDArray[Any]) -> bool:
    """Return whether an image holds labels, classes or a mask rather than an image.

    Parameters
    ----------
    image : ndarray of shape (h, w) or (h, w, C)
        Of any dtype.

    Returns
    -------
    bool
        True for booleans, for integers of at most two values, and for integers whose values
        form areas with sharp jumps between them. False for floating point and for colours.

    Notes
    -----
    Viewers go by the dtype alone (napari takes integers of 32 and 64 bits for labels), but
    labels are often written with 8 or 16 bits, and images of some sensors with 32. Here the
    background, the most frequent value, is left aside: in a label image most neighbours off the
    background are equal and the others jump; in an image few are equal; and a smooth gradient
    with coarse steps, such as a depth map, climbs from one value to the next. Large images are
    judged by up to 64 tiles.
    """
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.ndim != 2 or image.dtype.kind not in "biu" or 0 in image.shape:
        return False
    if image.dtype.kind == "b":
        return True
    native = image.dtype.newbyteorder("=")
    tiles = [np.asarray(image[part]).astype(native, copy=False) for part in _parts(image.shape)]
    values = np.unique(np.concatenate([np.unique(tile) for tile in tiles]))
    if len(values) <= 2:
        return True
    ranks = [np.searchsorted(values, tile) for tile in tiles]
    counts = np.sum([np.bincount(r.ravel(), minlength=len(values)) for r in ranks], axis=0)
    background = int(np.argmax(counts))
    steps = np.concatenate([_steps(rank, background) for rank in ranks])
    if steps.size == 0:
        return True  # lone pixels of one background
    equal = float((steps == 0).mean())
    wide = image.dtype.itemsize >= 4
    if len(values) > FEW and equal < 1:
        small = float((steps[steps > 0] <= 2).mean())
        if small >= STEPS:
            return False
    if wide and counts[background] >= 0.5 * counts.sum():
        return True  # few and small things, as marked points are
    return equal >= (WIDE_COHERENT if wide else COHERENT)


def _parts(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Return slices of tiles spread evenly over an image."""
    starts = [
        np.unique(np.linspace(0, max(0, size - _TILE), min(_TILES, -(-size // _TILE))).astype(int))
        for size in shape[:2]
    ]
    return [
        (slice(row, row + _TILE), slice(col, col + _TILE)) for row in starts[0] for col in starts[1]
    ]


def _steps(rank: NDArray[np.intp], background: int) -> NDArray[np.intp]:
    """Return the steps between neighbours that are not both background, in ranks of values."""
    found = []
    for first, second in ((rank[1:], rank[:-1]), (rank[:, 1:], rank[:, :-1])):
        some = (first != background) | (second != background)
        found.append(np.abs(first - second)[some])
    return np.concatenate(found)
