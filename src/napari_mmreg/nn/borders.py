"""Dark surroundings of a warped frame that exact tests miss, for instance after JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.012
"""Grey levels up to here, of the range [0, 1], count as black."""

MIN_SHARE, MAX_SHARE = 0.002, 0.75
MIN_FILLED = 0.9
MAX_CORNERS = 12
TOLERANCE = 0.015
"""How far a corner of the outline may stand out and still be simplified away, of the size."""
ROUNDING = 1e-9


def without_border(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the black surroundings of a warped frame out of a mask.

    `imaging.border` asks for exact zeros and finds nothing once a picture was compressed.
    Here black may be noisy and the frame may have dark bays; what tells it from a head in a
    scanner or a round retina is that its outline is a convex polygon of few corners.

    Parameters
    ----------
    image : ndarray of float32, shape (h, w)
        Grey values in [0, 1].
    mask : ndarray of bool, shape (h, w)
        Where there is data.

    Returns
    -------
    ndarray of bool, shape (h, w)
        The mask itself where nothing was found.
    """
    if not mask.all():  # somebody already knows where the data is
        return mask
    dark = image <= image.min() + LEVEL
    if not (dark[0].any() or dark[-1].any() or dark[:, 0].any() or dark[:, -1].any()):
        return mask
    labels, _ = ndimage.label(np.pad(dark, 1, constant_values=True))
    outside = (labels == labels[0, 0])[1:-1, 1:-1]
    # Noise leaves bright specks outside and the outline ragged.
    data = ndimage.binary_opening(~outside, np.ones((3, 3), dtype=bool))
    if not MIN_SHARE <= 1 - data.mean() <= MAX_SHARE:
        return mask
    hull = _polygon(data)
    if hull is None or (data & hull).sum() < MIN_FILLED * hull.sum():
        return mask
    return hull


def _polygon(data: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the convex hull of an area if it has few corners."""
    from scipy.spatial import ConvexHull, QhullError
    from skimage.measure import approximate_polygon

    labels, count = ndimage.label(data)
    if count == 0:
        return None
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    rows = np.flatnonzero(largest.any(axis=1))
    first = largest[rows].argmax(axis=1)
    last = data.shape[1] - 1 - largest[rows, ::-1].argmax(axis=1)
    outline = np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])
    try:
        corners = outline[ConvexHull(outline).vertices]
    except (QhullError, ValueError):
        return None
    tolerance = TOLERANCE * max(data.shape)
    outline = np.vstack([corners, corners[:1]])
    simple = approximate_polygon(outline, tolerance)
    # A round outline loses a segment at every side when it is simplified, a polygon nothing.
    lost = _area(outline) - _area(simple)
    around = np.linalg.norm(np.diff(outline, axis=0), axis=1).sum()
    if len(simple) - 1 > MAX_CORNERS or lost > 0.3 * tolerance * around:
        return None
    return _filled(corners, data.shape)


def _filled(corners: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels in and on a convex polygon, row by row; a test of each takes long."""
    rows, cols = shape
    first, last = np.full(rows, np.inf), np.full(rows, -np.inf)
    for one, two in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        (top, left), (bottom, right) = sorted((tuple(one), tuple(two)))
        if top == bottom:  # the edges beside it hold its ends
            continue
        side = slice(top, bottom + 1)
        crossing = left + (right - left) * np.arange(bottom - top + 1) / (bottom - top)
        first[side] = np.minimum(first[side], crossing)
        last[side] = np.maximum(last[side], crossing)
    col = np.arange(cols)
    return (col >= first[:, None] - ROUNDING) & (col <= last[:, None] + ROUNDING)


def _area(outline: NDArray[np.float64]) -> float:
    """Area of a closed polygon (first corner repeated)."""
    row, col = outline.T
    return 0.5 * abs(float((row[:-1] * col[1:] - row[1:] * col[:-1]).sum()))
