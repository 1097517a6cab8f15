"""Landmark pairs proposed by a registration: clear matches at well spread places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_mmreg.geometry import Transform
from napari_mmreg.landmarks.pairs import LandmarkPair, Point
from napari_mmreg.landmarks.snap import PATCH, RADIUS, best_match

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_CANDIDATES = 4
"""Places tried per seed that is asked for."""

_GRID = 256
"""Longer side of the reduced image in which places are looked for."""


def propose_pairs(
    fixed: Any,
    moving: Any,
    transform: Transform,
    count: int = 12,
    misregistration: NDArray[Any] | None = None,
) -> list[LandmarkPair]:
    """Propose landmark pairs from a registration.

    Corners are looked for in the fixed image, one in each of the cells of a grid; each is
    matched again in the moving image near where the transform takes it, and kept only if that
    match is clear. The pairs are the matches, so they can disagree with the transform.

    Parameters
    ----------
    fixed, moving : array_like of shape (H, W) or (H, W, C)
    transform : Transform
        Fixed to moving.
    count : int
        How many pairs at most.
    misregistration : array_like of shape (H, W), optional
        Where it is high, no place is proposed.

    Returns
    -------
    list of LandmarkPair
        Source ``"model"``; ids are not given yet. Empty where nothing matches clearly.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving, pixel centres at integers.
    """
    found: list[tuple[float, LandmarkPair]] = []
    for place in _corners(fixed, count * _CANDIDATES, misregistration):
        match = best_match(fixed, moving, place, transform)
        if match is not None and match.clear:
            fixed_point = (float(place[0]), float(place[1]))
            pair = LandmarkPair(0, "", fixed_point, match.point, source="model")
            found.append((match.score, pair))
    if not found:
        return []
    places = np.array([pair.fixed for _, pair in found])
    rows = _spread(places, np.array([score for score, _ in found]), count)
    return [found[row][1] for row in rows]


def match_pairs(
    matches: NDArray[Any], count: int = 12, taken: Iterable[Point] = ()
) -> list[LandmarkPair]:
    """Make landmark pairs of a model's best, well spread matches.

    Parameters
    ----------
    matches : ndarray of shape (N, 5)
        Fixed row and column, moving row and column, probability, in pixels of the images: what
        `RegistrationResult` has as `matches`.
    count : int
        How many pairs at most.
    taken : iterable of (float, float)
        Fixed places of pairs that are there already. None of these is proposed again, and the
        new ones keep away from them.

    Returns
    -------
    list of LandmarkPair
        Source ``"model"``; ids are not given yet.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, pixel centres at integers.
    """
    rows = well_spread(matches[:, :2], matches[:, 4], count, taken)
    points = np.asarray(matches[rows, :4], dtype=np.float64).tolist()
    return [LandmarkPair(0, "", (a, b), (c, d), source="model") for a, b, c, d in points]


def well_spread(
    places: NDArray[Any], scores: NDArray[Any], count: int, taken: Iterable[Point] = ()
) -> NDArray[np.intp]:
    """Choose the best places of all parts of an image.

    Parameters
    ----------
    places : ndarray of shape (N, 2)
    scores : ndarray of shape (N,)
        The larger the better, at least 0.
    count : int
        How many at most.
    taken : iterable of (float, float)
        Places to keep away from.

    Returns
    -------
    ndarray of int
        Rows of `places`, from top to bottom.
    """
    places, scores = np.asarray(places, np.float64), np.asarray(scores, np.float64)
    free = np.full(len(places), np.inf)
    for place in taken:
        free = np.minimum(free, np.linalg.norm(places - place, axis=1))
    rows = np.flatnonzero(free > 0)
    rows = rows[_best_of_cells(places[rows], scores[rows], count * _CANDIDATES)]
    return rows[_spread(places[rows], scores[rows], count, free[rows])]


def _best_of_cells(
    places: NDArray[np.float64], scores: NDArray[np.float64], cells: int
) -> NDArray[np.intp]:
    """Return the row with the highest score in each of about so many cells of a grid."""
    if len(places) <= cells:
        return np.arange(len(places))
    low = places.min(axis=0)
    side = np.sqrt(np.prod(places.max(axis=0) - low + 1) / cells)
    best_first = np.argsort(-scores, kind="stable")
    cell = np.floor((places[best_first] - low) / side)
    return best_first[np.unique(cell, axis=0, return_index=True)[1]]


def _corners(
    image: Any, count: int, misregistration: NDArray[Any] | None
) -> list[NDArray[np.float64]]:
    """Return the strongest corner of each cell of a grid, in full pixels."""
    rows, cols = image.shape[:2]
    step = max(1, int(np.ceil(max(rows, cols) / _GRID)))
    small = np.asarray(image[::step, ::step], dtype=np.float64)
    grey = np.nan_to_num(small if small.ndim == 2 else small[..., :3].mean(axis=-1))
    strength = _corner_strength(grey)
    if misregistration is not None:
        strength = strength * (1.0 - np.asarray(misregistration)[::step, ::step])
    edge = -(-(PATCH + RADIUS) // step)
    strength[:edge], strength[-edge:], strength[:, :edge], strength[:, -edge:] = 0, 0, 0, 0
    side = max(2, int(np.sqrt(strength.size / count)))
    places = []
    for top in range(0, strength.shape[0], side):
        for left in range(0, strength.shape[1], side):
            cell = strength[top : top + side, left : left + side]
            row, col = np.unravel_index(np.argmax(cell), cell.shape)
            if cell[row, col] > 0:
                places.append(np.array([top + row, left + col], dtype=np.float64) * step)
    return places


def _corner_strength(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smaller eigenvalue of the structure tensor (Shi and Tomasi)."""
    down = ndimage.gaussian_filter(grey, 1.0, order=(1, 0))
    right = ndimage.gaussian_filter(grey, 1.0, order=(0, 1))
    blur = [ndimage.gaussian_filter(part, 2.5) for part in (down**2, right**2, down * right)]
    return np.asarray(
        (blur[0] + blur[1]) / 2 - np.hypot((blur[0] - blur[1]) / 2, blur[2]), dtype=np.float64
    )


def _spread(
    places: NDArray[np.float64],
    scores: NDArray[np.float64],
    count: int,
    free: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Choose `count` places: the best one first, then always the one farthest from those taken.

    `free` is how far each is from what was taken before, infinite if nothing was.
    """
    distance = np.full(len(places), np.inf) if free is None else free
    taken: list[int] = []
    while len(taken) < min(count, len(places)):
        best = int(np.argmax(scores if np.isinf(distance).all() else distance * scores))
        if distance[best] <= 0:
            break
        taken.append(best)
        distance = np.minimum(distance, np.linalg.norm(places - places[best], axis=1))
    order = np.lexsort(places[taken].T[::-1])
    return np.array(taken, dtype=np.intp)[order]
