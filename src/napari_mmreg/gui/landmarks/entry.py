"""Marking pair by pair: what the next click means, and the ghost that shows where it may go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.utils.events import EmitterGroup, Event

from napari_mmreg.landmarks import LandmarkBook, LandmarkPair, Side

Locate = Callable[[Any], tuple[Any, bool]]
"""Fixed point (row, col) to the expected moving one, None if unknown, and whether it was seen."""


class PairEntry:
    """Turns clicks into pairs: fixed, then moving, then the next pair.

    Events: ``entered`` (its ``value`` is the id of the pair that got a place), ``skipped``,
    ``ghost`` (its ``value`` is where the ghost is now, or None).

    Parameters
    ----------
    book : LandmarkBook
        Gets the pairs.
    locate : callable
        Says where the moving landmark of a fixed point is expected.

    Attributes
    ----------
    ghost : ndarray of shape (2,) or None
        Where the moving landmark is expected, in moving pixels.
    matched : bool
        Whether the ghost was found in the image, not only computed.
    """

    def __init__(self, book: LandmarkBook, locate: Locate) -> None:
        self._book = book
        self._locate = locate
        self._current: int | None = None
        self.ghost: Any = None
        self.matched = False
        self.events = EmitterGroup(source=self, entered=Event, skipped=Event, ghost=Event)

    @property
    def expecting(self) -> Side:
        """The image in which the next click marks a place."""
        pair = self.current
        return "fixed" if pair is None or pair.fixed is None else "moving"

    @property
    def current(self) -> LandmarkPair | None:
        """The half-finished pair that the next click completes."""
        pair = None if self._current is None else self._book.get(self._current)
        return pair if pair is not None and not pair.complete else None

    def click(self, side: Side, point: Any) -> None:
        """Mark a place: of the current pair if it has none there yet, else of a new one."""
        pair = self.current
        if pair is None or pair.at(side) is not None:
            pair_id = self._book.add(**{side: point})
            self.expect(pair_id)
        else:
            pair_id = pair.id
            self._book.place(pair_id, side, point)
            self.expect(None)
        self.events.entered(value=pair_id)

    def accept(self) -> None:
        """Take the ghost as the moving landmark."""
        if self.ghost is not None:
            self.click("moving", self.ghost)

    def move_ghost(self, point: Any) -> None:
        """Put the ghost elsewhere, while it is dragged."""
        self.ghost = np.asarray(point, dtype=np.float64)
        self.events.ghost(value=self.ghost)

    def skip(self) -> None:
        """Leave the pair half-finished and mark the next one."""
        self.expect(None)
        self.events.skipped()

    def expect(self, pair_id: int | None) -> None:
        """Go on with a pair that lacks a place, or with a new one; show the ghost."""
        self._current = pair_id
        pair, self.ghost = self.current, None
        if pair is not None and pair.fixed is not None:
            self.ghost, self.matched = self._locate(pair.fixed)
        self.events.ghost(value=self.ghost)

    def follow(self) -> None:
        """Notice that an edit, such as undo, finished or removed the current pair."""
        if self._current is not None and self.current is None:
            self.expect(None)
