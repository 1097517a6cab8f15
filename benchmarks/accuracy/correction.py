"""What a correction with half of a pair's landmarks does to the error at the other half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.accuracy.protocols import LandmarkCase, pixel_positions
from napari_mmreg.geometry import DisplacementTransform, Transform, correct_transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = 4
"""Random halvings of a pair's landmarks; each half is used once and unused once."""

REACH = 2.0
"""How far a landmark acts, in diagonals of the moving image: all over, as the dock's default."""


def corrected_errors(
    positions: NDArray[np.floating], case: LandmarkCase, seed: int = 0
) -> tuple[float, float]:
    """Return the mean error at unused landmarks, without and with the correction.

    Parameters
    ----------
    positions : ndarray of shape (H, W, 2)
        Where each fixed pixel lies in the moving image, (row, col); a method's answer.
    case : LandmarkCase
    seed : int
        Of the halvings.

    Returns
    -------
    before, after : float
        In px, the moving image counted as 256 x 256; the mean over all halves.
    """
    moved = np.asarray(positions, np.float64) - pixel_positions(*case.fixed.shape[:2])
    transform = DisplacementTransform(moved.astype(np.float32))
    rng = np.random.default_rng(seed)
    before, after = [], []
    for _ in range(SPLITS):
        order = rng.permutation(len(case.fixed_points))
        halves = np.array_split(order, 2)
        for used, unused in (halves, halves[::-1]):
            corrected = correct_transform(
                transform,
                case.fixed_points[used],
                case.moving_points[used],
                reach=REACH * float(np.hypot(*case.moving.shape[:2])),
            )
            before.append(_error(transform, case, unused))
            after.append(_error(corrected, case, unused))
    return float(np.mean(before)), float(np.mean(after))


def _error(transform: Transform, case: LandmarkCase, rows: NDArray[np.intp]) -> float:
    missed = transform.map(case.fixed_points[rows]) - case.moving_points[rows]
    scale = 256 / np.array(case.moving.shape[:2])
    return float(np.linalg.norm(missed * scale, axis=1).mean())
