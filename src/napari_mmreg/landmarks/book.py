"""`LandmarkBook`: the pairs of two images, every edit undoable, every change announced."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from napari_mmreg.errors import InputError
from napari_mmreg.landmarks.pairs import LandmarkPair, Side, Source, as_point

HISTORY = 500
"""Edits that can be undone."""


@dataclass(frozen=True, slots=True)
class State:
    """All that an edit can change. Edits replace it as a whole, so undo is exact."""

    pairs: tuple[LandmarkPair, ...] = ()
    next_id: int = 1


@dataclass(frozen=True, slots=True)
class _Edit:
    """One step back or forward: what it did, and the state on the other side of it."""

    label: str
    state: State
    gesture: object = None


class LandmarkBook:
    """Landmark pairs with undo.

    Every method that edits is one step of undo, is announced to all listeners once, and
    changes nothing if it raises.
    """

    def __init__(self) -> None:
        self._state = State()
        self._done: list[_Edit] = []
        self._undone: list[_Edit] = []
        self._listeners: list[Callable[[], None]] = []

    # Reading

    @property
    def state(self) -> State:
        """The pairs and the next id; immutable."""
        return self._state

    @property
    def pairs(self) -> tuple[LandmarkPair, ...]:
        """All pairs, in the order in which they were added."""
        return self._state.pairs

    def __len__(self) -> int:
        return len(self._state.pairs)

    def get(self, pair_id: int) -> LandmarkPair | None:
        """Return a pair by its id, None if there is none."""
        return next((pair for pair in self.pairs if pair.id == pair_id), None)

    @property
    def pending(self) -> LandmarkPair | None:
        """The newest pair that is marked in one image only."""
        return next((pair for pair in reversed(self.pairs) if not pair.complete), None)

    # Listening

    def listen(self, callback: Callable[[], None]) -> None:
        """Call `callback` after every change."""
        self._listeners.append(callback)

    def unlisten(self, callback: Callable[[], None]) -> None:
        """Stop calling it; unknown ones are ignored."""
        if callback in self._listeners:
            self._listeners.remove(callback)

    # Editing

    def add(
        self,
        fixed: ArrayLike | None = None,
        moving: ArrayLike | None = None,
        source: Source = "manual",
        name: str = "",
    ) -> int:
        """Add one pair, perhaps with one place only; return its id.

        Raises
        ------
        InputError
            If no place is given, or one is not two finite numbers.
        """
        pair_id = self._state.next_id
        new = LandmarkPair(
            0,
            name,
            None if fixed is None else as_point(fixed),
            None if moving is None else as_point(moving),
            source=source,
        )
        self._commit("add pair", _extended(self._state, [new]))
        return pair_id

    def extend(self, pairs: Iterable[LandmarkPair]) -> None:
        """Add several pairs as one edit; they get ids of this book, and names if they lack one."""
        self._commit("add pairs", _extended(self._state, pairs))

    def replace_all(self, pairs: Iterable[LandmarkPair]) -> None:
        """Put other pairs in place of all, as one edit; ids go on counting."""
        self._commit("open landmarks", _extended(State((), self._state.next_id), pairs))

    def place(self, pair_id: int, side: Side, point: ArrayLike, gesture: object = None) -> None:
        """Mark a pair's place in one image, or move it there; it is the user's from then on.

        Parameters
        ----------
        pair_id : int
        side : {"fixed", "moving"}
        point : array_like of float, shape (2,)
            ``(row, col)`` in that image's pixels.
        gesture : object, optional
            Edits with the same gesture, such as the steps of one drag, are undone together.
        """
        pair = self._known(pair_id)
        where = as_point(point)
        label = "move landmark" if pair.at(side) is not None else "place landmark"
        moved = (
            replace(pair, fixed=where, source="manual")
            if side == "fixed"
            else replace(pair, moving=where, source="manual")
        )
        self._commit(label, self._with([moved]), gesture)

    def remove(self, ids: Iterable[int]) -> None:
        """Remove pairs."""
        gone = {self._known(pair_id).id for pair_id in ids}
        kept = tuple(pair for pair in self.pairs if pair.id not in gone)
        self._commit("delete", replace(self._state, pairs=kept))

    def enable(self, ids: Iterable[int], *, enabled: bool) -> None:
        """Let fits and errors use pairs, or not."""
        changed = [replace(self._known(pair_id), enabled=enabled) for pair_id in ids]
        self._commit("enable" if enabled else "disable", self._with(changed))

    def rename(self, pair_id: int, name: str) -> None:
        """Give a pair another name; an empty one is ignored."""
        pair, text = self._known(pair_id), " ".join(name.split())
        if text:
            self._commit("rename", self._with([replace(pair, name=text)]))

    def restore(self, state: State) -> None:
        """Take over a former session's state, ids included, as one edit."""
        self._commit("reopen", state)

    def clear(self) -> None:
        """Forget everything, what could be undone included: other images, another book."""
        self._state = State()
        self._done, self._undone = [], []
        self._announce()

    # Undo

    @property
    def undo_label(self) -> str:
        """What `undo` would take back; '' if nothing."""
        return self._done[-1].label if self._done else ""

    @property
    def redo_label(self) -> str:
        """What `redo` would do again; '' if nothing."""
        return self._undone[-1].label if self._undone else ""

    def undo(self) -> bool:
        """Take the last edit back; False if there is none."""
        return self._step(self._done, self._undone)

    def redo(self) -> bool:
        """Do the last undone edit again; False if there is none."""
        return self._step(self._undone, self._done)

    def _step(self, source: list[_Edit], target: list[_Edit]) -> bool:
        if not source:
            return False
        edit = source.pop()
        target.append(_Edit(edit.label, self._state))
        self._state = edit.state
        self._announce()
        return True

    def _commit(self, label: str, state: State, gesture: object = None) -> None:
        if state == self._state:
            return
        last = self._done[-1] if self._done else None
        if gesture is None or last is None or last.gesture != gesture or self._undone:
            self._done.append(_Edit(label, self._state, gesture))
            del self._done[:-HISTORY]
        self._undone.clear()
        self._state = state
        self._announce()

    def _announce(self) -> None:
        for callback in list(self._listeners):
            callback()

    def _known(self, pair_id: int) -> LandmarkPair:
        pair = self.get(pair_id)
        if pair is None:
            raise InputError(f"There is no landmark pair with the id {pair_id}.")
        return pair

    def _with(self, changed: Iterable[LandmarkPair]) -> State:
        new = {pair.id: pair for pair in changed}
        return replace(self._state, pairs=tuple(new.get(pair.id, pair) for pair in self.pairs))


def _extended(state: State, new: Iterable[LandmarkPair]) -> State:
    pairs, next_id = list(state.pairs), state.next_id
    for pair in new:
        if pair.fixed is None and pair.moving is None:
            raise InputError("A landmark pair needs a place in one image at least.")
        pairs.append(replace(pair, id=next_id, name=pair.name or str(next_id)))
        next_id += 1
    return State(tuple(pairs), next_id)
