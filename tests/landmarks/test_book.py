"""The landmark book: edits, undo, redo, listeners; random edits undone to the start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from napari_mmreg.errors import InputError
from napari_mmreg.landmarks import LandmarkBook, LandmarkPair, State, used_points

points = st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))


def test_a_pair_is_added_place_by_place():
    book = LandmarkBook()
    first = book.add(fixed=(1, 2))
    assert book.pending.id == first
    assert not book.get(first).complete
    book.place(first, "moving", (3.5, 4))
    assert book.pending is None
    assert book.pairs == (LandmarkPair(first, "1", (1.0, 2.0), (3.5, 4.0)),)
    assert [book.undo_label, book.redo_label] == ["place landmark", ""]


def test_used_points_leave_out_half_finished_and_disabled_pairs():
    book = LandmarkBook()
    for place in range(4):
        book.add((place, 0), (place, 1) if place != 1 else None)
    book.enable([3], enabled=False)
    ids, fixed, moving = used_points(book.pairs)
    assert ids == (1, 4)
    np.testing.assert_array_equal(fixed, [[0, 0], [3, 0]])
    np.testing.assert_array_equal(moving, [[0, 1], [3, 1]])


def test_the_steps_of_a_drag_are_undone_together():
    book = LandmarkBook()
    pair = book.add((0, 0), (0, 0))
    gesture = object()
    for step in range(1, 5):
        book.place(pair, "moving", (step, step), gesture)
    assert book.get(pair).moving == (4, 4)
    book.undo()
    assert book.get(pair).moving == (0, 0)
    book.redo()
    assert book.get(pair).moving == (4, 4)
    book.place(pair, "moving", (9, 9), object())
    book.undo()
    assert book.get(pair).moving == (4, 4)


def test_an_id_is_never_given_twice():
    book = LandmarkBook()
    first = book.add((0, 0))
    book.remove([first])
    assert book.add((0, 0)) != first
    book.replace_all([LandmarkPair(1, "eye", (1, 1), (2, 2), source="file")])
    assert [pair.id for pair in book.pairs] == [3]
    assert book.pairs[0].name == "eye"


def test_who_moves_a_landmark_owns_it():
    book = LandmarkBook()
    book.extend([LandmarkPair(0, "", (1, 1), (2, 2), source="model")])
    assert (book.pairs[0].source, book.pairs[0].name) == ("model", "1")
    book.place(1, "moving", (2, 3))
    assert book.pairs[0].source == "manual"


@pytest.mark.parametrize(
    "edit",
    [
        lambda book: book.add(),
        lambda book: book.add((np.nan, 1)),
        lambda book: book.add((1, 2, 3)),
        lambda book: book.add("ab"),
        lambda book: book.place(7, "fixed", (1, 2)),
        lambda book: book.place(1, "fixed", (1, np.inf)),
        lambda book: book.remove([1, 7]),
        lambda book: book.extend([LandmarkPair(0, "")]),
    ],
)
def test_an_impossible_edit_changes_nothing(edit):
    book = LandmarkBook()
    book.add((1, 1))
    before, calls = book.state, []
    book.listen(lambda: calls.append(1))
    with pytest.raises(InputError):
        edit(book)
    assert book.state == before
    assert book.undo_label == "add pair"
    assert calls == []


def test_an_edit_that_changes_nothing_is_no_step():
    book = LandmarkBook()
    book.add((1, 1), name="nose")
    book.rename(1, "  nose ")
    book.rename(1, "   ")
    book.enable([1], enabled=True)
    book.place(1, "fixed", (1, 1))
    book.undo()
    assert len(book) == 0
    assert not book.undo()


class Edits(RuleBasedStateMachine):
    """Random edits, undos and redos beside a list of all states that there were."""

    @initialize()
    def start(self):
        self.book = LandmarkBook()
        self.states = [self.book.state]
        self.place = 0
        self.calls = 0
        self.book.listen(self.count)

    def count(self):
        self.calls += 1

    def edited(self):
        if self.book.state != self.states[self.place]:
            del self.states[self.place + 1 :]
            self.states.append(self.book.state)
            self.place += 1

    def pick(self, number):
        return self.book.pairs[number % len(self.book)].id

    @rule(fixed=st.none() | points, moving=points, source=st.sampled_from(["manual", "model"]))
    def add(self, fixed, moving, source):
        self.book.add(fixed, moving, source)
        self.edited()

    @precondition(lambda self: len(self.book))
    @rule(number=st.integers(0, 50), side=st.sampled_from(["fixed", "moving"]), point=points)
    def move(self, number, side, point):
        self.book.place(self.pick(number), side, point)
        self.edited()

    @precondition(lambda self: len(self.book))
    @rule(number=st.integers(0, 50))
    def remove(self, number):
        self.book.remove([self.pick(number)])
        self.edited()

    @precondition(lambda self: len(self.book))
    @rule(number=st.integers(0, 50), enabled=st.booleans())
    def enable(self, number, enabled):
        self.book.enable([self.pick(number)], enabled=enabled)
        self.edited()

    @precondition(lambda self: len(self.book))
    @rule(number=st.integers(0, 50), name=st.text(max_size=5))
    def rename(self, number, name):
        self.book.rename(self.pick(number), name)
        self.edited()

    @rule(places=st.lists(points, max_size=4))
    def open_file(self, places):
        self.book.replace_all([LandmarkPair(9, "", place, place) for place in places])
        self.edited()

    @rule()
    def undo(self):
        assert self.book.undo() == (self.place > 0)
        self.place = max(self.place - 1, 0)

    @rule()
    def redo(self):
        assert self.book.redo() == (self.place < len(self.states) - 1)
        self.place = min(self.place + 1, len(self.states) - 1)

    @invariant()
    def the_state_is_the_expected_one(self):
        assert self.book.state == self.states[self.place]
        ids = [pair.id for pair in self.book.pairs]
        assert len(set(ids)) == len(ids)
        assert all(pair_id < self.book.state.next_id for pair_id in ids)

    def teardown(self):
        if not hasattr(self, "book"):
            return
        while self.book.undo():
            pass
        assert self.book.state == State()
        while self.book.redo():
            pass
        assert self.book.state == self.states[-1]


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
