"""The places of a result that are most likely wrong, worst first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MOST_PLACES = 12
_GRID = 128
"""Places are looked for on about so many points along the longer side."""

_APART = 1 / 8
"""Two places are at least this part of the longer side apart."""

STANDS_OUT = 0.05
"""A place's risk is at least this much above the median."""


@dataclass(frozen=True)
class Place:
    """A fixed pixel whose surroundings are likely off.

    Attributes
    ----------
    row, col : float
        In fixed pixels.
    risk : float
        Mean probability around it, in [0, 1].
    """

    row: float
    col: float
    risk: float


def worst_places(
    risk: NDArray[np.float32], valid: NDArray[np.bool_], count: int = MOST_PLACES
) -> list[Place]:
    """Return where the risk is highest, well apart from each other.

    Parameters
    ----------
    risk : ndarray of float32, shape (H, W)
        In [0, 1]; NaN where unknown.
    valid : ndarray of bool, shape (H, W)
        Where the registered image has data: no place is looked for elsewhere.
    count : int
        At most so many.

    Returns
    -------
    list of Place
        Highest risk first; empty where no place's risk stands out from the others'.
    """
    stride = max(1, max(risk.shape) // _GRID)
    thin = np.where(valid & np.isfinite(risk), risk, np.nan)[::stride, ::stride]
    known = np.isfinite(thin)
    if not known.any():
        return []
    mean = _blurred(thin, known)
    apart = max(thin.shape) * _APART
    least = float(np.median(mean[known])) + STANDS_OUT
    rows, cols = np.indices(thin.shape)
    left = np.where(known, mean, -1.0)
    places: list[Place] = []
    while len(places) < count:
        row, col = (int(i) for i in np.unravel_index(left.argmax(), left.shape))
        if left[row, col] < least:
            break
        places.append(Place(float(row * stride), float(col * stride), float(left[row, col])))
        left[np.hypot(rows - row, cols - col) < apart] = -1.0
    return places


def _blurred(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean over the neighbourhood, of known values alone."""
    sigma = max(max(values.shape) / 64, 1.0)
    total = ndimage.gaussian_filter(np.where(known, values, 0).astype(np.float64), sigma)
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma)
    return np.asarray(total / np.maximum(weight, 1e-9))
