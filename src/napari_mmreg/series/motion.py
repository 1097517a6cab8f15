"""How transforms of neighbouring planes differ, and what a smooth motion would be.

Everything is measured on a control grid of 5 x 5 places in the fixed frame, in **fixed pixels**:
where a transform takes them, against where a reference does, turned back by the reference's linear
part. Limits are in pixels at 256-px scale, as everywhere.

The motion of a series is that of the transforms' *affine parts*, fitted to the grid by least
squares. The places of the grid depend linearly on an affine's six numbers, so smoothing these is
smoothing the places. What bends stays as it was found: a transform is corrected by the affine that
leads from its own affine part to the smoothed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import MatrixTransform, Transform

Matrix = NDArray[np.float64]

OUTLIER = 2.0
"""Pixels at 256-px scale by which a plane may differ from what its neighbours say."""

OUTLIER_SPREAD = 4.0
"""How many robust standard deviations it may differ, where that is more."""

MAX_SMOOTHING = 1.0
"""Pixels at 256-px scale by which smoothing may move a plane: more is motion, not noise."""

_SIDE = 5
_MARGIN = 0.1
_LEAST_PLACES = 6
"""Places of the grid that a transform has to know to have an affine part."""


def control_grid(shape: tuple[int, int]) -> Matrix:
    """Return 25 places in a frame: (25, 2), (row, col)."""
    size = np.array(shape, dtype=np.float64) - 1
    steps = np.linspace(_MARGIN, 1 - _MARGIN, _SIDE)
    rows, cols = np.meshgrid(steps * size[0], steps * size[1], indexing="ij")
    return np.stack([rows.ravel(), cols.ravel()], axis=1)


def unit_of(shape: tuple[int, int]) -> float:
    """Return how many pixels of a frame make one at 256-px scale."""
    return max(shape) / 256


def affine_part(transform: Transform, shape: tuple[int, int]) -> Matrix | None:
    """Return the affine that is nearest to a transform on the control grid: 3x3 on (row, col, 1).

    None where the transform knows too few of the places.
    """
    if isinstance(transform, MatrixTransform) and transform.is_affine:
        return np.array(transform.matrix)
    grid = control_grid(shape)
    places = transform.map(grid)
    known = np.isfinite(places).all(axis=1)
    if known.sum() < _LEAST_PLACES:
        return None
    return _fit(grid[known], places[known])


def distance(a: Transform, b: Transform, shape: tuple[int, int]) -> float:
    """Return how far two transforms lie apart: RMS on the control grid, in fixed pixels.

    Infinite where they have no place in common.
    """
    grid = control_grid(shape)
    away = _to_fixed(a.map(grid) - b.map(grid), affine_part(b, shape))
    length = (away**2).sum(axis=1)
    length = length[np.isfinite(length)]
    return float(np.sqrt(length.mean())) if length.size else float("inf")


def drift_between(a: Transform, reference: Transform, shape: tuple[int, int]) -> Matrix:
    """Return the mean way from one transform to another on the control grid: (2,), fixed pixels.

    What the moving image has moved by, (row, col): positive is down and to the right. NaN where
    they have no place in common.
    """
    grid = control_grid(shape)
    away = _to_fixed(a.map(grid) - reference.map(grid), affine_part(reference, shape))
    away = away[np.isfinite(away).all(axis=1)]
    return away.mean(axis=0) if len(away) else np.full(2, np.nan)


def corrected(transform: Transform, own: Matrix, wanted: Matrix) -> Transform:
    """Return the transform whose affine part is `wanted` instead of `own`; its frames stay."""
    step = MatrixTransform(wanted @ np.linalg.inv(own))
    frames = transform.fixed_frame, transform.moving_frame
    return step.compose(transform).with_frames(*frames)


def consensus(transforms: Sequence[Transform], shape: tuple[int, int]) -> tuple[Transform, float]:
    """Return what several estimates of one transform agree on, and by how much they do not.

    The places of the control grid are the medians of what the estimates say, so that a minority
    that is wrong has no weight and the noise of the others averages out. What bends comes from the
    estimate that is nearest to all others.

    Returns
    -------
    transform : Transform
    spread : float
        Median distance of the estimates from it, in fixed pixels.
    """
    if len(transforms) == 1:
        return transforms[0], 0.0
    grid = control_grid(shape)
    places = np.stack([transform.map(grid) for transform in transforms])
    known = np.isfinite(places).all(axis=(0, 2))
    apart = [[distance(a, b, shape) for b in transforms] for a in transforms]
    middle = transforms[int(np.argmin(np.median(apart, axis=1)))]
    own = affine_part(middle, shape)
    if known.sum() >= _LEAST_PLACES and own is not None:
        wanted = _fit(grid[known], np.median(places[:, known], axis=0))
        # Both fits on the same places, or a bend would count as a difference of affines.
        own = _fit(grid[known], middle.map(grid[known]))
        middle = corrected(middle, own, wanted)
    return middle, float(np.median([distance(each, middle, shape) for each in transforms]))


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The affine parts of a series, one a plane.

    Attributes
    ----------
    matrices : ndarray of float64, shape (N, 3, 3)
        Smoothed; of planes that are not kept, interpolated between their neighbours.
    kept : ndarray of bool, shape (N,)
        Whose own transform is used.
    away : ndarray of float64, shape (N,)
        By how much each differed from what its neighbours say, in fixed pixels; NaN where it is
        not known.
    moved : ndarray of float64, shape (N,)
        By how much smoothing moved it, in fixed pixels; NaN where it is not kept.
    """

    matrices: Matrix
    kept: NDArray[np.bool_]
    away: Matrix
    moved: Matrix


def smooth_motion(
    matrices: Sequence[Matrix | None], shape: tuple[int, int], window: int = 5
) -> Motion:
    """Smooth the affine parts of a series, leave out outliers and fill gaps.

    Parameters
    ----------
    matrices : sequence of ndarray of shape (3, 3), or None
        One a plane; None where there is none. At least one is known.
    shape : (int, int)
        The fixed frame.
    window : int
        How many planes each is smoothed over; below 3 nothing is.

    Returns
    -------
    Motion

    Notes
    -----
    A plane is an outlier if it lies further than `OUTLIER` and `OUTLIER_SPREAD` from everything
    that its neighbours say: where the one before or after lies, where two before or after lead, and
    the middle of both. A jump that lasts is none. Smoothing is a local straight line
    (tricube weights, reweighted twice by bisquare); where it would move a plane by more than
    `MAX_SMOOTHING`, the plane stays where it was found.
    """
    known = [n for n, matrix in enumerate(matrices) if matrix is not None]
    found = np.stack([np.asarray(matrices[n]) for n in known])
    index = np.array(known)
    surprise, good = _find_outliers(index, _places(found, shape), OUTLIER * unit_of(shape))
    away = np.full(len(matrices), np.nan)
    away[index] = surprise
    kept = np.zeros(len(matrices), dtype=bool)
    kept[index] = good
    index, own = index[good], found[good]
    smoothed, moved_kept = _smooth(index, own, shape, window)
    everywhere = np.arange(len(matrices))
    filled = np.tile(np.eye(3), (len(matrices), 1, 1))
    for row in range(2):
        for col in range(3):
            filled[:, row, col] = np.interp(everywhere, index, smoothed[:, row, col])
    moved = np.full(len(matrices), np.nan)
    moved[index] = moved_kept
    return Motion(filled, kept, away, moved)


def _smooth(
    index: NDArray[np.int64], matrices: Matrix, shape: tuple[int, int], window: int
) -> tuple[Matrix, Matrix]:
    """Return smoothed matrices, and by how much each was moved in fixed pixels."""
    if window < 3 or len(index) < 3:
        return matrices, np.zeros(len(index))
    numbers = matrices[:, :2].reshape(len(index), 6)
    trust = np.ones(len(index))
    smoothed = numbers
    for _ in range(3):
        smoothed = _local_lines(index, numbers, trust, window // 2)
        moved = _length(_places(_square(smoothed), shape) - _places(matrices, shape))
        scale = 6 * max(float(np.median(moved)), 1e-6)
        trust = np.clip(1 - (moved / scale) ** 2, 0, None) ** 2
    moved = _length(_places(_square(smoothed), shape) - _places(matrices, shape))
    far = moved > MAX_SMOOTHING * unit_of(shape)
    smoothed = np.where(far[:, None], numbers, smoothed)
    return _square(smoothed), np.where(far, 0.0, moved)


def _local_lines(index: NDArray[np.int64], numbers: Matrix, trust: Matrix, reach: int) -> Matrix:
    """Return the value at each index of a straight line through its neighbours."""
    result = numbers.copy()
    for n, centre in enumerate(index):
        step = (index - centre) / (reach + 1)
        weight = trust * np.clip(1 - np.abs(step) ** 3, 0, None) ** 3
        weight[n] = max(weight[n], 1e-3)  # alone among planes of no trust, it is what there is
        total = weight.sum()
        mean_step = (weight * step).sum() / total
        mean = (weight[:, None] * numbers).sum(axis=0) / total
        spread = (weight * (step - mean_step) ** 2).sum()
        if spread > 1e-9:
            slope = (weight[:, None] * (step - mean_step)[:, None] * (numbers - mean)).sum(axis=0)
            mean = mean - slope / spread * mean_step
        result[n] = mean
    return result


def _find_outliers(
    index: NDArray[np.int64], places: Matrix, least: float
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return how far each plane differs from what its neighbours say, and which are kept.

    The worst one goes first, and the others are asked again without it; of two nobody can tell.
    """
    away = _surprise(index, places)
    kept = np.ones(len(index), dtype=bool)
    while kept.sum() > 2:
        here = np.flatnonzero(kept)
        away[here] = _surprise(index[here], places[here])
        limit = max(least, OUTLIER_SPREAD * 1.4826 * float(np.median(away[here])))
        worst = here[int(np.argmax(away[here]))]
        if away[worst] <= limit:
            break
        kept[worst] = False
    return away, kept


def _surprise(index: NDArray[np.int64], places: Matrix) -> Matrix:
    """Return how far each plane lies from the nearest thing that its neighbours say."""
    total = len(places)
    result = np.zeros(total)
    for n in range(total):
        said = [places[near] for near in (n - 1, n + 1) if 0 <= near < total]
        # The second two of a side speak where the first one is itself an outlier.
        lines = [(n - 1, n + 1), *((n + s, n + 2 * s) for s in (-1, 1))]
        lines += [(n + 2 * s, n + 3 * s) for s in (-1, 1)]
        for a, b in lines:
            if min(a, b) >= 0 and max(a, b) < total:
                share = (index[n] - index[a]) / (index[b] - index[a])
                said.append(places[a] + share * (places[b] - places[a]))
        if said:
            result[n] = min(float(_length((places[n] - each)[None])[0]) for each in said)
    return result


def _places(matrices: Matrix, shape: tuple[int, int]) -> Matrix:
    """Return where matrices take the control grid, in fixed pixels: (N, 25, 2)."""
    grid = control_grid(shape)
    moving = grid @ np.swapaxes(matrices[:, :2, :2], 1, 2) + matrices[:, None, :2, 2]
    reference = matrices[len(matrices) // 2, :2, :2]
    turned: Matrix = moving @ np.linalg.inv(reference).T
    return turned


def _to_fixed(away: Matrix, reference: Matrix | None) -> Matrix:
    """Turn differences in moving pixels into fixed ones."""
    if reference is None:
        return away
    turned: Matrix = away @ np.linalg.inv(reference[:2, :2]).T
    return turned


def _length(away: Matrix) -> Matrix:
    """Return the RMS length over the grid, of each of (N, 25, 2)."""
    return np.asarray(np.sqrt((away**2).sum(axis=-1).mean(axis=-1)))


def _fit(points: Matrix, places: Matrix) -> Matrix:
    """Return the affine from points to places by least squares."""
    homogeneous = np.column_stack([points, np.ones(len(points))])
    solution = np.linalg.lstsq(homogeneous, places, rcond=None)[0]
    matrix = np.eye(3)
    matrix[:2] = solution.T
    return matrix


def _square(numbers: Matrix) -> Matrix:
    """Return (N, 6) as (N, 3, 3)."""
    matrices = np.tile(np.eye(3), (len(numbers), 1, 1))
    matrices[:, :2] = numbers.reshape(-1, 2, 3)
    return matrices
