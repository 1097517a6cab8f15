"""Marking pair by pair: what the next click means, and the ghost that shows where it may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.landmarks import LandmarkPair, Side
from napari_mmreg.landmarks.snap import best_match

if TYPE_CHECKING:
    from napari_mmreg.gui.landmarks.desk import LandmarkDesk


class PairFlow:
    """Turns clicks into pairs: fixed, then moving, then the next pair.

    Attributes
    ----------
    ghost : ndarray of shape (2,) or None
        Where the moving landmark is expected, in moving pixels.
    matched : bool
        Whether the ghost was found in the image, not only computed.
    """

    def __init__(self, desk: LandmarkDesk) -> None:
        self._desk = desk
        self._current: int | None = None
        self.ghost: Any = None
        self.matched = False

    @property
    def expecting(self) -> Side:
        """The image in which the next click marks a place."""
        pair = self.current
        return "fixed" if pair is None or pair.fixed is None else "moving"

    @property
    def current(self) -> LandmarkPair | None:
        """The half-finished pair that the next click completes."""
        pair = None if self._current is None else self._desk.book.get(self._current)
        return pair if pair is not None and not pair.complete else None

    def click(self, side: Side, point: Any) -> None:
        """Mark a place: of the current pair if it has none there yet, else of a new one."""
        pair = self.current
        if pair is None or pair.at(side) is not None:
            pair_id = self._desk.book.add(**{side: point})
            self.expect(pair_id)
        else:
            pair_id = pair.id
            self._desk.book.place(pair_id, side, point)
            self.expect(None)
        self._desk.select({pair_id})
        self._desk.marking.update()

    def accept(self) -> None:
        """Take the ghost as the moving landmark."""
        if self.ghost is not None:
            self.click("moving", self.ghost)

    def move_ghost(self, point: Any) -> None:
        """Put the ghost elsewhere, while it is dragged."""
        self.ghost = np.asarray(point, dtype=np.float64)
        self._desk.layers.show_ghost(self.ghost)

    def skip(self) -> None:
        """Leave the pair half-finished and mark the next one."""
        self.expect(None)
        self._desk.marking.update()
        self._desk.events.edited()

    def expect(self, pair_id: int | None) -> None:
        """Go on with a pair that lacks a place, or with a new one; show the ghost."""
        self._current = pair_id
        pair, self.ghost = self.current, None
        if pair is not None and pair.fixed is not None and self._desk.marking.on:
            self.ghost, self.matched = self._expected(pair.fixed)
        self._desk.layers.show_ghost(self.ghost)

    def follow(self) -> None:
        """Notice that an edit, such as undo, finished or removed the current pair."""
        if self._current is not None and self.current is None:
            self.expect(None)

    def _expected(self, fixed_point: Any) -> tuple[Any, bool]:
        """Return where a fixed point should be in the moving image, and whether it was seen."""
        transform = self._desk.judging.best
        fixed, moving = self._desk.picture("fixed"), self._desk.picture("moving")
        if fixed is None or moving is None:
            return None, False
        match = best_match(fixed.data, moving.data, fixed_point, transform)
        if match is not None and match.clear:
            return np.array(match.point), True
        expected = transform.map(fixed_point)
        within = (expected >= 0) & (expected <= np.array(moving.shape) - 1)  # False for NaN
        return (expected, False) if within.all() else (None, False)
