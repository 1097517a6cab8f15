"""What a map of correlations over shifts says besides its peak, and how much two images overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.geometry import Transform

NEAR = 4
"""Pixels about no shift in which the found place's own peak lies."""

PEAK = 5
"""Side of the neighbourhood of which a peak is the maximum, in pixels."""

VALLEY = 0.5
"""Share of the lower of two peaks to which correlation falls between them if they are two."""

STEPS, MOST_PEAKS = 24, 12
"""Places looked at between two peaks, and peaks looked at."""

NEARBY = 0.16
"""Distance of a better shift at most, of the map's longer side."""


def rival_peak(correlation: NDArray[np.float32]) -> float:
    """Return how high the best other place is, as a share of the found one.

    A ridge, as along an edge, is not another place: between two peaks there is a valley.

    Parameters
    ----------
    correlation : ndarray of float32, shape (2 * a + 1, 2 * b + 1)
        As `shift_correlation` returns it: no shift is in the middle.

    Returns
    -------
    float
        0 if there is no other peak; above 1 if one is higher.
    """
    rows, cols = correlation.shape
    middle = np.array([rows // 2, cols // 2])
    around = correlation[
        max(middle[0] - NEAR, 0) : middle[0] + NEAR + 1,
        max(middle[1] - NEAR, 0) : middle[1] + NEAR + 1,
    ]
    own = float(around.max())
    if own <= 0:
        return 0.0
    place = np.array(np.unravel_index(int(around.argmax()), around.shape))
    start = place + np.maximum(middle - NEAR, 0)
    tops = ndimage.maximum_filter(correlation, PEAK) == correlation
    tops[[0, -1]], tops[:, [0, -1]] = False, False
    where = np.argwhere(tops)
    values = correlation[tops]
    best = 0.0
    for index in np.argsort(-values)[:MOST_PEAKS]:
        value, other = float(values[index]), where[index]
        if value <= best * own or np.abs(other - start).max() <= PEAK // 2:
            continue
        line = start + np.linspace(0, 1, STEPS)[:, None] * (other - start)
        between = correlation[tuple(np.rint(line).astype(int).T)]
        if between.min() < VALLEY * min(own, value):
            best = value / own
    return best


def better_shift(correlation: NDArray[np.float32]) -> tuple[float, float]:
    """Return how far from no shift the best place nearby lies, and how much more alike it is.

    Parameters
    ----------
    correlation : ndarray of float32, shape (2 * a + 1, 2 * b + 1)
        As `shift_correlation` returns it.

    Returns
    -------
    (float, float)
        Pixels, and the difference of the correlations.
    """
    rows, cols = correlation.shape
    y, x = np.ogrid[-(rows // 2) : rows - rows // 2, -(cols // 2) : cols - cols // 2]
    near = y * y + x * x <= (NEARBY * max(rows, cols)) ** 2
    best = int(np.where(near, correlation, -2.0).argmax())
    dy, dx = best // cols - rows // 2, best % cols - cols // 2
    gain = float(correlation[rows // 2 + dy, cols // 2 + dx] - correlation[rows // 2, cols // 2])
    return float(np.hypot(dy, dx)), gain


def overlap_share(
    fixed_mask: NDArray[np.bool_],
    moving_mask: NDArray[np.bool_],
    both: NDArray[np.bool_],
    transform: Transform,
    full_shape: tuple[int, int],
) -> float:
    """Return how much of the smaller image finds data in the other one.

    Parameters
    ----------
    fixed_mask, moving_mask : ndarray of bool, shape (h, w)
        Where each has data.
    both : ndarray of bool, shape (h, w)
        Where both have data under the transform.
    transform : Transform
        Of the pair's grid, fixed to moving.
    full_shape : (int, int)
        Rows and columns of that grid.

    Returns
    -------
    float
        In [0, 1].
    """
    ends = [np.linspace(0, side - 1, 9) for side in full_shape]
    moved = transform.map(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1))
    down = np.diff(moved, axis=0)[:, :-1] / (ends[0][1] - ends[0][0])
    right = np.diff(moved, axis=1)[:-1] / (ends[1][1] - ends[1][0])
    enlarged = np.abs(down[..., 0] * right[..., 1] - down[..., 1] * right[..., 0])
    found = enlarged[np.isfinite(enlarged)]
    scale = float(np.median(found)) if found.size else 1.0
    # What the moving image's data would cover of an unbounded fixed grid.
    covered = moving_mask.sum() / max(scale, 1e-6)
    smaller = min(float(fixed_mask.sum()), float(covered))
    return min(1.0, float(both.sum()) / max(smaller, 1.0))
