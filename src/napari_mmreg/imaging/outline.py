"""Outlines of areas, and how much of one is straight or elliptic, as a camera draws it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE_SHARE = 0.08
"""Straight pieces shorter than this share of an outline could be parts of any curve."""

MIN_ARC = 0.25
"""Share of an outline that an ellipse must explain: a small arc fits anything that is bent."""

MIN_ASPECT = 0.5
"""Shorter axis of an ellipse, of the longer: any two long lines lie on a flat one."""

ROUNDS = 6
"""Fits of an ellipse, each to the points that the one before explained."""


def largest_part(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part of an area, bool (H, W); empty areas stay empty."""
    labels, count = ndimage.label(area)
    if count == 0:
        return np.zeros_like(area)
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def free_outline(area: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the pieces of an area's outline inside the image, in order along it.

    Parameters
    ----------
    area : ndarray of bool, shape (H, W)

    Returns
    -------
    list of ndarray of float64, shape (n, 2)
        (row, col) points about a pixel apart; what runs along the image's edge is left out.
    """
    from skimage.measure import find_contours

    inside = np.array(area.shape) - 1
    pieces = []
    for contour in find_contours(area.astype(np.float32), 0.5):
        points = contour[::2]
        near = ((points < 1.5) | (points > inside - 1.5)).any(axis=1)
        runs = np.split(np.arange(len(points)), np.flatnonzero(np.diff(near)) + 1)
        pieces += [points[run] for run in runs if not near[run[0]] and len(run) >= 8]
    return pieces


def simplify(points: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Return a line with only those of its points that it takes to stay near all of them.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        (row, col); the first and the last are kept, and are one point if the line is closed.
    tolerance : float
        How far a point that is left out may lie from the line, in pixels; more than 0.

    Returns
    -------
    ndarray of float64, shape (m, 2)

    Notes
    -----
    Douglas and Peucker's method, as `skimage.measure.approximate_polygon`, which takes half a
    second to import: it comes with all of `scipy.signal` and `scipy.stats`.
    """
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        distance = _from_segment(points[first + 1 : last], points[first], points[last])
        if distance.size and distance.max() > tolerance:
            furthest = first + 1 + int(distance.argmax())
            kept[furthest] = True
            spans += [(first, furthest), (furthest, last)]
    return points[kept]


def _from_segment(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far points (n, 2) lie from a straight piece; rounded as scikit-image does."""
    along = end - start
    angle = -np.arctan2(*along)
    normal = np.array([np.cos(angle), np.sin(angle)])
    offset = start[1] * normal[1] + start[0] * normal[0]
    distance = np.abs(points[:, 0] * normal[0] + points[:, 1] * normal[1] - offset)
    ends = [np.sqrt(np.square(points - each).sum(axis=1)) for each in (start, end)]
    beside = ((points - start) @ along > 0) & ((end - points) @ along > 0)
    return np.asarray(np.where(beside, distance, np.minimum(*ends)))


def drawn_share(pieces: list[NDArray[np.float64]], tolerance: float) -> tuple[float, float]:
    """Return which share of an outline long straight lines and one ellipse explain.

    Parameters
    ----------
    pieces : list of ndarray of float64, shape (n, 2)
        As `free_outline` returns them.
    tolerance : float
        How far a point may lie from its line or from the ellipse, in pixels.

    Returns
    -------
    (float, float)
        What lines and ellipse explain, and what the ellipse explains; both in [0, 1].
    """
    total = sum(len(piece) for piece in pieces)
    if total == 0:
        return 0.0, 0.0
    points = np.concatenate(pieces)
    straight = np.concatenate([_straight(piece, tolerance, LINE_SHARE * total) for piece in pieces])
    best = (float(straight.mean()), 0.0)
    # A long arc may hold lines too: what is round is fitted with and without them.
    for explained in (straight, np.zeros_like(straight)):
        rest = ~explained
        if rest.sum() < max(12, 0.1 * total):
            continue
        near = _on_ellipse(points, rest, tolerance)
        if (near & rest).sum() >= MIN_ARC * total:
            best = max(best, (float((near | straight).mean()), float(near.mean())))
    return best


def _straight(piece: NDArray[np.float64], tolerance: float, length: float) -> NDArray[np.bool_]:
    """Where a piece of an outline is straight for at least `length` points."""
    simple = simplify(piece, 0.75 * tolerance)
    corners = [int(np.argmin(np.abs(piece - corner).sum(axis=1))) for corner in simple]
    result = np.zeros(len(piece), dtype=bool)
    for first, last in pairwise(corners):
        stop = last if last > first else len(piece)
        if stop - first >= length:
            result[first : stop + 1] = True
    return result


def _on_ellipse(
    points: NDArray[np.float64], use: NDArray[np.bool_], tolerance: float
) -> NDArray[np.bool_]:
    """Which points lie on the ellipse through most of those to be used."""
    centre, scale = points.mean(axis=0), float(np.abs(points - points.mean(axis=0)).max())
    y, x = ((points - centre) / scale).T
    design = np.column_stack([x * x, x * y, y * y, x, y, np.ones_like(x)])
    chosen = use.copy()
    near = np.zeros(len(points), dtype=bool)
    for _ in range(ROUNDS):
        # The conic of least algebraic error; an ellipse, or nothing was found.
        a, b, c, d, e, f = np.linalg.svd(design[chosen], full_matrices=False)[2][-1]
        if not _is_opening(a, b, c, d, e):
            return np.zeros_like(near)
        value = design @ np.array([a, b, c, d, e, f])
        slope = np.hypot(2 * a * x + b * y + d, b * x + 2 * c * y + e)
        distance = np.abs(value) / np.maximum(slope, 1e-9) * scale
        near = distance <= tolerance
        limit = max(tolerance, 1.5 * float(np.median(distance[use])))
        following = use & (distance <= limit)
        if following.sum() < 12 or (following == chosen).all():
            break
        chosen = following
    return near


def _is_opening(a: float, b: float, c: float, d: float, e: float) -> bool:
    """Whether a conic is an ellipse that is not too flat, about a centre among its points."""
    rest = 4 * a * c - b * b
    if rest <= 0:
        return False
    centre = np.array([b * e - 2 * c * d, b * d - 2 * a * e]) / rest
    middle, half = (a + c) / 2, np.hypot((a - c) / 2, b / 2)
    flat = np.sqrt((abs(middle) - half) / (abs(middle) + half))
    return bool(flat >= MIN_ASPECT and np.abs(centre).max() < 1.0)
