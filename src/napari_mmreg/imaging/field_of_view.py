"""Where an image shows anything at all: inside its aperture or warped frame.

Endoscopes, fundus cameras and microscopes look through a round opening, an earlier warp leaves
corners without data. The edge of such an area belongs to the camera and not to what it looked
at: it is at the same place in every image of that camera, whatever moved.

Three detectors, each on one image by itself and all conservative, since a flat area can also be
what the sensor saw:

* `black_border`: the outside is exactly zero. With its thresholds 447 of 545 known borders are
  found in JPEG-compressed multimodal images, and none in 80 slices of heads.
* `without_border`: the same after compression, where black is noisy.
* `apertures`: the outside has any one level (black, grey, white, with noise) that it shows in
  two corners of the image or more, and the edge is soft or sharp. What is left must have an
  outline that a camera draws and nature does not: an ellipse, cut by straight sides or not, to a
  pixel of a 256-px image. Heads in a scanner and tissue on a slide are not that regular, and
  their outlines stay something to align on.

All thresholds are our own choice, made on `train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_mmreg.imaging.median import median_of_nine
from napari_mmreg.imaging.outline import drawn_share, free_outline, largest_part, simplify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MIN_SHARE = 0.001
MAX_SHARE = 0.6
MIN_PURITY = 0.75
MAX_ZEROS_INSIDE = 0.05
MIN_CONVEXITY = 0.95
MAX_CORNERS = 9
CORNER_TOLERANCE = 0.02
"""Of exactly black borders."""

SPECK = 5
"""Specks narrower than this are not part of the frame, in pixels."""

NOISY_LEVEL = 0.012
"""Grey levels up to here, of the range [0, 1], count as black after compression."""

NOISY_SHARES = (0.002, 0.75)
NOISY_FILLED = 0.9
NOISY_CORNERS = 12
NOISY_TOLERANCE = 0.015
"""How far a corner of the outline may stand out and still be simplified away, of the size."""

ROUNDING = 1e-9

SIZE = 256
"""Longer side of the grid on which apertures are looked for."""

APERTURE_SHARES = (0.01, 0.75)
APERTURE_PURITY = 0.8
"""Share of the outside that must have the outside's level."""

PATCH = 0.04
"""Side of the corner patches that tell the level, as a share of the shorter side."""

TOLERANCES = (0.012, 0.15)
"""Bounds of what counts as noise about the level, of the range [0, 1]."""

MAX_SPREAD = 0.05
"""Corner patches that vary more than this have no level."""

SAME_LEVEL = 0.03

DRAWN = ((1.2, 0.8), (2.5, 0.95))
"""Pixels, and the share of the outline that must be drawn to within that; one is enough. Of 80
heads none has more than 0.66 and 0.90."""

ROUND = 0.75
"""Share of the outline on an ellipse from which on an aperture is beyond doubt."""

MIN_SIDES = 3
"""Corners of the image that must be outside if all of the outline is straight."""

MIN_CONTRAST = 1.5
"""Difference from the outside next to the edge, in terms of the noise, of four pixels in five."""

MAX_SOFT = 0.05
"""Width of a soft edge at most, as a share of the size."""

PLATEAU = 0.8
"""An edge ends where this share of the contrast further inside is reached."""


def apertures(grey: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.bool_], bool]]:
    """Find what an image shows inside a round opening or a drawn frame.

    Parameters
    ----------
    grey : ndarray of float32, shape (H, W)
        Finite values of any range.

    Yields
    ------
    inside : ndarray of bool, shape (H, W)
        True inside, away from the soft part of the edge; one for each level that several corners
        of the image share, and none if no aperture was recognised.
    certain : bool
        Whether it is plainly elliptic.
    """
    from skimage.transform import resize

    low, high = (float(value) for value in np.percentile(grey, (0.5, 99.5)))
    if low == high:
        return
    unit = np.clip((grey - low) / (high - low), 0.0, 1.0).astype(np.float32)
    factor = min(1.0, SIZE / max(grey.shape))
    if factor < 1:
        shape = [max(16, round(side * factor)) for side in grey.shape]
        unit = resize(unit, shape, order=1, anti_aliasing=True).astype(np.float32)
    calm = median_of_nine(unit)
    for level, tolerance, corners in _corner_levels(calm):
        contrast = np.abs(calm - level)
        inside, rounded = _drawn_inside(contrast <= tolerance)
        # A frame of straight sides on black is the business of the other two detectors.
        plain = rounded > 0 or (level > NOISY_LEVEL and corners >= MIN_SIDES)
        if inside is None or not plain or not _stands_out(inside, contrast, tolerance):
            continue
        inside = _away_from_edge(inside, contrast)
        if not inside.any():
            continue
        if inside.shape != grey.shape:
            large = resize(inside.astype(np.float32), grey.shape, order=1, mode="edge")
            inside = np.asarray(large > 0.99)
        yield inside, rounded >= ROUND


def _corner_levels(grey: NDArray[np.float32]) -> list[tuple[float, float, int]]:
    """Return the levels that two corners or more share, with the noise and how many corners."""
    side = max(3, round(PATCH * min(grey.shape)))
    ends = (slice(0, side), slice(-side, None))
    patches = [grey[rows, cols] for rows in ends for cols in ends]
    medians = np.array([np.median(patch) for patch in patches])
    spreads = np.array(
        [
            np.percentile(np.abs(patch - median), 90)
            for patch, median in zip(patches, medians, strict=True)
        ]
    )
    levels: list[tuple[float, float, int]] = []
    for median in np.sort(medians):
        alike = (np.abs(medians - median) < SAME_LEVEL) & (spreads <= MAX_SPREAD)
        known = any(abs(level - median) < SAME_LEVEL for level, _, _ in levels)
        if alike.sum() >= 2 and not known:
            noise = float(np.clip(2.5 * spreads[alike].max(), *TOLERANCES))
            levels.append((float(medians[alike].mean()), noise, int(alike.sum())))
    return levels


def _drawn_inside(flat: NDArray[np.bool_]) -> tuple[NDArray[np.bool_] | None, float]:
    """Return what is not joined to the flat corners, and which share of its outline is elliptic.

    None if its outline was not drawn by a camera.
    """
    labels, _ = ndimage.label(np.pad(flat, 1, constant_values=True))
    outside = labels == labels[0, 0]
    data = ndimage.binary_opening(~outside, np.ones((3, 3), dtype=bool))[1:-1, 1:-1]
    inside = np.asarray(ndimage.binary_fill_holes(largest_part(data)))
    share = 1 - inside.mean()
    if not APERTURE_SHARES[0] <= share <= APERTURE_SHARES[1]:
        return None, 0.0
    if flat[~inside].mean() < APERTURE_PURITY:
        return None, 0.0
    pieces = free_outline(inside)
    for tolerance, least in DRAWN:
        drawn, rounded = drawn_share(pieces, tolerance)
        if drawn >= least:
            return inside, rounded
    return None, 0.0


def _stands_out(inside: NDArray[np.bool_], contrast: NDArray[np.float32], noise: float) -> bool:
    """Whether an area differs from the outside right from its edge on; a fading sky does not."""
    depth = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
    ring = (depth > 3) & (depth <= 6)
    return bool(ring.any() and np.percentile(contrast[ring], 20) >= MIN_CONTRAST * noise)


def _away_from_edge(inside: NDArray[np.bool_], contrast: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Shrink an area by the width of its soft edge, and by two pixels more."""
    longest = max(4, round(MAX_SOFT * max(inside.shape)))
    depth = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
    rings = np.minimum(np.ceil(depth), 2 * longest).astype(np.intp)
    present = np.arange(1, min(2 * longest, int(rings.max()) + 1))
    profile = np.asarray(ndimage.median(contrast, rings, present))
    reached = np.flatnonzero(profile >= PLATEAU * np.median(profile[longest // 2 :]))
    width = min(int(reached[0]) if reached.size else longest, longest)
    return np.asarray(depth > width + 2)


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
    left = largest_part(_without_specks(~_joined_to_edge(zero)))
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


def _without_specks(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_opening(area, np.ones((SPECK, SPECK), dtype=bool)))


def _is_frame(area: NDArray[np.bool_]) -> bool:
    """Whether `area` fills a convex polygon with few corners."""
    from scipy.spatial import ConvexHull

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
    simplified = simplify(corners, tolerance)
    return len(simplified) - 1 <= MAX_CORNERS


def without_border(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the black surroundings of a warped frame out of a mask.

    `black_border` asks for exact zeros and finds nothing once an image was compressed.
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
    dark = image <= image.min() + NOISY_LEVEL
    if not (dark[0].any() or dark[-1].any() or dark[:, 0].any() or dark[:, -1].any()):
        return mask
    labels, _ = ndimage.label(np.pad(dark, 1, constant_values=True))
    outside = (labels == labels[0, 0])[1:-1, 1:-1]
    # Noise leaves bright specks outside and the outline ragged.
    data = ndimage.binary_opening(~outside, np.ones((3, 3), dtype=bool))
    if not NOISY_SHARES[0] <= 1 - data.mean() <= NOISY_SHARES[1]:
        return mask
    hull = _polygon(data)
    if hull is None or (data & hull).sum() < NOISY_FILLED * hull.sum():
        return mask
    return hull


def _polygon(data: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the convex hull of an area if it has few corners."""
    from scipy.spatial import ConvexHull, QhullError

    largest = largest_part(data)
    if not largest.any():
        return None
    rows = np.flatnonzero(largest.any(axis=1))
    first = largest[rows].argmax(axis=1)
    last = data.shape[1] - 1 - largest[rows, ::-1].argmax(axis=1)
    outline = np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])
    try:
        corners = outline[ConvexHull(outline).vertices]
    except (QhullError, ValueError):
        return None
    tolerance = NOISY_TOLERANCE * max(data.shape)
    outline = np.vstack([corners, corners[:1]])
    simple = simplify(outline, tolerance)
    # A round outline loses a segment at every side when it is simplified, a polygon nothing.
    lost = _area(outline) - _area(simple)
    around = np.linalg.norm(np.diff(outline, axis=0), axis=1).sum()
    if len(simple) - 1 > NOISY_CORNERS or lost > 0.3 * tolerance * around:
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
