"""Landmark pairs as every file of them holds them, and what their readers and writers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkPairs:
    """Landmark pairs as a file holds them.

    Attributes
    ----------
    names : tuple of str
        One per pair.
    fixed, moving : ndarray of float64, shape (n, 2)
        ``(row, col)`` in pixels of the fixed and of the moving image, pixel centres at integers;
        NaN in the image where a half-finished pair has no point yet.
    enabled : tuple of bool
        Whether a pair is to be used; all are, unless the file says something else.
    sources : tuple of str
        Who placed it; ``"file"`` where the file does not say.
    """

    names: tuple[str, ...]
    fixed: NDArray[np.float64]
    moving: NDArray[np.float64]
    enabled: tuple[bool, ...] = field(default=())
    sources: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        count = len(self.names)
        object.__setattr__(self, "enabled", self.enabled or (True,) * count)
        object.__setattr__(self, "sources", self.sources or ("file",) * count)

    @property
    def usable(self) -> LandmarkPairs:
        """The pairs that are enabled and have both points."""
        known = np.isfinite(self.fixed).all(axis=1) & np.isfinite(self.moving).all(axis=1)
        rows = np.flatnonzero(known & np.array(self.enabled, dtype=bool))
        return LandmarkPairs(
            tuple(self.names[row] for row in rows),
            self.fixed[rows],
            self.moving[rows],
            tuple(self.enabled[row] for row in rows),
            tuple(self.sources[row] for row in rows),
        )


def check_table(
    fixed_points: ArrayLike, moving_points: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as (n, 2); raise `InputError` unless each point is finite or wholly NaN."""
    fixed, moving = _points(fixed_points, "fixed"), _points(moving_points, "moving")
    if len(fixed) != len(moving):
        raise InputError(
            f"There are {len(fixed)} fixed points, {len(moving)} moving points; each pair "
            "needs one of each."
        )
    for points in (fixed, moving):
        half = np.isnan(points).any(axis=1) & ~np.isnan(points).all(axis=1)
        if half.any() or np.isinf(points).any():
            raise InputError("Landmarks must be finite numbers; remove the pairs that are not.")
    return fixed, moving


def number(cell: str, where: str) -> float:
    """Return the finite number in a cell; raise `InputError` that names the place."""
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{where}: {cell.strip()!r} is not a finite number; use 12.5, not 12,5.")
    return value


def _points(points: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"The {name} points need the shape (n, 2), but have {array.shape}.")
    return array
