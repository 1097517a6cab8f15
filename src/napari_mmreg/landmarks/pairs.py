"""`LandmarkPair`: one place, marked in the fixed and in the moving image, or in one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError

Side = Literal["fixed", "moving"]
Source = Literal["manual", "model", "file"]
Point = tuple[float, float]

SIDES: tuple[Side, Side] = ("fixed", "moving")


@dataclass(frozen=True, slots=True)
class LandmarkPair:
    """One landmark pair.

    Attributes
    ----------
    id : int
        Never changes and is never given to another pair of the same book.
    name : str
        What the user reads.
    fixed, moving : (float, float) or None
        ``(row, col)`` in pixels of that image, pixel centres at integers; None where the place
        is not marked yet.
    enabled : bool
        Whether fits and errors use the pair.
    source : {"manual", "model", "file"}
        Who placed it.
    """

    id: int
    name: str
    fixed: Point | None = None
    moving: Point | None = None
    enabled: bool = True
    source: Source = "manual"

    @property
    def complete(self) -> bool:
        """Whether both places are marked."""
        return self.fixed is not None and self.moving is not None

    @property
    def used(self) -> bool:
        """Whether fits and errors use the pair: complete and enabled."""
        return self.enabled and self.complete

    def at(self, side: Side) -> Point | None:
        """Return the place in one image."""
        return self.fixed if side == "fixed" else self.moving


def as_point(place: ArrayLike) -> Point:
    """Return a place as plain numbers.

    Raises
    ------
    InputError
        If it is not two finite numbers.
    """
    try:
        values = np.asarray(place, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("A landmark needs two numbers, (row, col).") from error
    if values.shape != (2,) or not np.isfinite(values).all():
        raise InputError("A landmark needs two finite numbers, (row, col); place it again.")
    return float(values[0]), float(values[1])


def used_points(
    pairs: Iterable[LandmarkPair],
) -> tuple[tuple[int, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Return what fits and errors use.

    Returns
    -------
    ids : tuple of int
    fixed, moving : ndarray of float64, shape (n, 2)
        ``(row, col)`` in pixels; row i of both belongs to ``ids[i]``.
    """
    rows = [
        (pair.id, pair.fixed, pair.moving)
        for pair in pairs
        if pair.enabled and pair.fixed is not None and pair.moving is not None
    ]
    fixed = np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 2)
    moving = np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return tuple(row[0] for row in rows), fixed, moving
