"""Landmark pairs proposed by a registration: matches at the clearest, well spread places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_mmreg.geometry import Transform
from napari_mmreg.landmarks.pairs import LandmarkPair
from napari_mmreg.landmarks.snap import PATCH, RADIUS, best_match

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CANDIDATES = 4
"""Places tried per seed that is asked for."""

_GRID = 256
"""Longer side of the reduced image in which places are looked for."""


def seed_pairs(
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
    return _spread(found, count)


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


def _spread(found: list[tuple[float, LandmarkPair]], count: int) -> list[LandmarkPair]:
    """Choose `count` pairs: the best one first, then always the one farthest from those taken."""
    if not found:
        return []
    found = sorted(found, key=lambda item: -item[0])
    places = np.array([pair.fixed for _, pair in found])
    scores = np.array([score for score, _ in found])
    taken = [0]
    distance = np.linalg.norm(places - places[0], axis=1)
    while len(taken) < min(count, len(found)):
        best = int(np.argmax(distance * scores))
        if distance[best] <= 0:
            break
        taken.append(best)
        distance = np.minimum(distance, np.linalg.norm(places - places[best], axis=1))
    order = sorted(taken, key=lambda row: (places[row][0], places[row][1]))
    return [found[row][1] for row in order]
