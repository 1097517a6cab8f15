"""The best local match of a fixed point near where a transform expects it in the moving image.

Patches of both images are compared by the orientation of their gradients, which two sensors
share where grey values do not. Only the patches are read, and only numpy and scipy are used, so
that this is fast enough to follow a click.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_mmreg.geometry import Transform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RADIUS = 6
"""How far from the expected place is looked, in fixed pixels."""

PATCH = 20
"""Half the side of the patch that is compared, in fixed pixels."""

CLEAR, DISTINCT = 0.35, 0.1
"""Correlation from which on a match is believed, and how far it must stand out above all other
places. On aligned pairs of nine kinds of sensors (`val`), with the expected place off by up to
5.7 px, this accepts 27 % of the corners; their median error is 0.7 px, and 99 % are below 3 px."""

_CHANNELS = 8
_SIGMA = 1.2
_MARGIN = 5
"""Pixels beside the patches that the filters need."""

_PEAK = 3.0
"""Radius of a peak, in pixels."""

_FEWEST = 0.7
"""Share of the patch that must have data in both images."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a fixed point was found again.

    Attributes
    ----------
    point : (float, float)
        ``(row, col)`` in moving pixels.
    score : float
        Correlation of the patches there, in [-1, 1].
    clear : bool
        Whether the match is distinct enough to move a landmark there.
    """

    point: tuple[float, float]
    score: float
    clear: bool


def best_match(
    fixed: Any, moving: Any, fixed_point: ArrayLike, transform: Transform, radius: int = RADIUS
) -> Match | None:
    """Find a fixed point again in the moving image.

    Parameters
    ----------
    fixed, moving : array_like of shape (H, W) or (H, W, C)
        The images; may be lazy, only what lies around the point is read.
    fixed_point : array_like of shape (2,)
        ``(row, col)`` in fixed pixels.
    transform : Transform
        Fixed to moving; right to about `radius` fixed pixels, rotation and scale included.
    radius : int
        How far is looked, in fixed pixels.

    Returns
    -------
    Match or None
        None where the patch does not lie within both images.

    Notes
    -----
    *Convention*: ``(row, col)``, pixel centres at integers. The moving image is pulled onto the
    fixed pixels around the point, so that patches have one orientation and scale; the match is
    the maximum of the normalised correlation of the gradients' orientation channels, to a
    fraction of a pixel.
    """
    middle = np.asarray(fixed_point, dtype=np.float64)
    reach = PATCH + radius + _MARGIN
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    around = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1) + middle
    here, here_known = _sample(fixed, around)
    there, there_known = _sample(moving, transform.map(around))
    centre = slice(radius + _MARGIN, -(radius + _MARGIN))
    inner = slice(_MARGIN, -_MARGIN)
    template = _describe(here, here_known)[:, centre, centre]
    known = here_known[centre, centre]
    if known.mean() < _FEWEST or there_known[inner, inner].mean() < _FEWEST:
        return None
    scores = _correlate(template, _describe(there, there_known)[:, inner, inner])
    row, col, score, others = _peak(scores)
    offset = np.array([row, col]) - radius
    place = transform.map(middle + offset)
    if not np.isfinite(place).all():
        return None
    edge = bool((np.abs(offset) > radius - 0.5).any())
    clear = score >= CLEAR and score - others >= DISTINCT and not edge
    return Match((float(place[0]), float(place[1])), score, clear)


def _sample(
    image: Any, positions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return grey values at positions (n, m, 2), and where there is data."""
    shape = np.array(image.shape[:2])
    within = (positions >= 0) & (positions <= shape - 1)  # False for NaN
    known = within[..., 0] & within[..., 1]
    if not known.any():
        return np.zeros(known.shape), known
    low = np.maximum(np.floor(positions[known].min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(positions[known].max(axis=0)).astype(int) + 2, shape)
    part = np.asarray(image[low[0] : high[0], low[1] : high[1]], dtype=np.float64)
    grey = part if part.ndim == 2 else part[..., :3].mean(axis=-1)
    inside = np.where(known[..., None], positions - low, 0.0)
    values = ndimage.map_coordinates(grey, np.moveaxis(inside, -1, 0), order=1, mode="nearest")
    known &= np.isfinite(values)
    return np.where(known, values, values[known].mean() if known.any() else 0.0), known


def _describe(image: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return oriented gradient channels (C, n, m): direction up to its sign, contrast equalised."""
    down = ndimage.gaussian_filter(image, _SIGMA, order=(1, 0))
    right = ndimage.gaussian_filter(image, _SIGMA, order=(0, 1))
    length = np.hypot(down, right) * ndimage.minimum_filter(known, 5)
    usual = ndimage.gaussian_filter(length, 6.0) + 0.05 * length.max() + 1e-12
    angle = np.arctan2(down, right)
    turn = np.arange(_CHANNELS)[:, None, None] * np.pi / _CHANNELS
    share = np.maximum(np.cos(2 * (angle - turn)), 0.0) ** 2
    return np.asarray(ndimage.gaussian_filter(share * (length / usual), (0, 1.0, 1.0)))


def _correlate(template: NDArray[np.float64], field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normalised correlation of a template with every window of a larger field."""
    centred = template - template.mean(axis=(1, 2), keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(field, template.shape[1:], axis=(1, 2))
    product = np.einsum("cijnm,cnm->ij", windows, centred, optimize=True)
    count = template.shape[1] * template.shape[2]
    total = windows.sum(axis=(3, 4))
    squares = np.square(windows).sum(axis=(3, 4)) - np.square(total) / count
    energy = squares.sum(axis=0) * np.square(centred).sum()
    return np.asarray(product / np.sqrt(np.maximum(energy, 1e-12)))


def _peak(scores: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return row, column and height of the maximum, and the best height farther than 3 px away.

    Parabolas give the fraction of a pixel.
    """
    row, col = (int(i) for i in np.unravel_index(np.argmax(scores), scores.shape))
    place = []
    for axis, at in ((0, row), (1, col)):
        line = scores[:, col] if axis == 0 else scores[row]
        shift = 0.0
        if 0 < at < len(line) - 1:
            before, here, after = line[at - 1 : at + 2]
            bend = before - 2 * here + after
            shift = float(0.5 * (before - after) / bend) if bend < 0 else 0.0
        place.append(at + shift)
    rows, cols = np.indices(scores.shape)
    far = np.hypot(rows - row, cols - col) > _PEAK
    others = float(scores[far].max()) if far.any() else -1.0
    return place[0], place[1], float(scores[row, col]), others
