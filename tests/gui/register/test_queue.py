"""Register pressed while a run goes on: one after the other, whatever becomes of each."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_mmreg.errors import Cancelled, DeviceError, InputError
from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.register.queue import Request, RunQueue, as_they_are
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.snapshot import RunSettings

WAIT = 20_000


class Gated:
    """Stands for `napari_mmreg.register`; every call waits until it is let through.

    What it makes of a call is the next of `outcomes`: a status, or an error.
    """

    def __init__(self, fake):
        self.fake = fake
        self.outcomes = []
        self.calls = []
        self.cancelled = 0
        self._gate = threading.Semaphore(0)

    def let(self, count=1):
        self._gate.release(count)

    def __call__(self, fixed, moving, **options):
        self.calls.append((fixed, moving, options))
        number = len(self.calls) - 1
        while not self._gate.acquire(timeout=0.01):
            if options["cancel"]():
                self.cancelled += 1
                raise Cancelled("cancelled")
        outcome = self.outcomes[number] if number < len(self.outcomes) else "ok"
        if isinstance(outcome, Exception):
            raise outcome
        self.fake.status = outcome
        return self.fake(fixed, moving, **options)


@pytest.fixture
def gated(fake_engine):
    engine = Gated(fake_engine(shift=(2.0, -1.5)))
    yield engine
    engine.let(99)


@pytest.fixture
def several(make_dock, gated, pictures, qtbot):
    """Return a viewer with four images, and a dock."""
    viewer, dock = make_dock(gated, pictures)
    for name in ("third", "fourth"):
        viewer.add_image(pictures[1], name=name)

    def choose(fixed, moving):
        dock.images.choose(viewer.layers[fixed], viewer.layers[moving])
        dock.images.keep()

    def running(count):
        qtbot.waitUntil(lambda: len(gated.calls) == count, timeout=WAIT)

    def idle():
        qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)

    choose("visible", "infrared")
    return viewer, dock, choose, running, idle


def fill(dock, choose, running):
    """Register the first pair and let two more wait."""
    dock.run_bar.button.click()
    running(1)
    for moving in ("third", "fourth"):
        choose("visible", moving)
        dock.run_bar.add.click()


# The queue itself, without a window


def _request(title, *layers, snapshot=None):
    return Request(title, None, lambda _: None, layers, snapshot)


def test_one_runs_and_the_others_wait_in_their_order():
    queue, requests = RunQueue(), [_request(name) for name in "abc"]
    for request in requests:
        queue.put(request)
    assert queue.next() is requests[0]
    assert queue.next() is None  # it still runs
    queue.remove(requests[1])
    queue.remove(requests[1])
    queue.end()
    assert queue.next() is requests[2]
    assert not queue.waiting


def test_what_did_not_work_is_said_until_the_last_has_ended():
    queue = RunQueue()
    for name in "abc":
        queue.put(_request(name))
    said = []
    for problem in ("too dark", "", ""):
        queue.next()
        said.append(queue.end(problem))
    missed = texts.MISSED.format(title="a", problem="too dark")
    assert said == [["Run: a."], ["Run: b.", missed], ["Run: c.", missed]]
    queue.put(_request("d"))  # alone: nothing but its outcome is said
    queue.next()
    assert queue.end("no") == []


def _like(session, pair, first, second=None):
    one, two = (
        _request("", *pair, snapshot=as_they_are(session.snapshot(*pair, **kwargs)))
        for kwargs in (first, second or first)
    )
    return one.is_like(two)


def test_the_same_is_the_same_layers_as_they_are_with_the_same_settings(session, viewer, pair):
    auto, other = RunSettings(), RunSettings(seed=1)
    assert _like(session, pair, {"settings": auto})
    assert not _like(session, pair, {"settings": auto}, {"settings": other})
    before = _request("", *pair, snapshot=session.snapshot(*pair, auto))
    assert not before.is_like(_request("", *pair[::-1], snapshot=session.snapshot(*pair, auto)))
    pair[1].translate = (3, 4)
    assert not before.is_like(_request("", *pair, snapshot=session.snapshot(*pair, auto)))


def test_a_mask_painted_on_meanwhile_is_another_request(session, viewer, pair):
    mask = viewer.add_labels(np.ones((96, 128), int))
    kwargs = {"settings": RunSettings(), "moving_mask": mask}
    first = _request("", *pair, snapshot=as_they_are(session.snapshot(*pair, **kwargs)))
    again = _request("", *pair, snapshot=as_they_are(session.snapshot(*pair, **kwargs)))
    assert first.is_like(again)
    mask.data[:50] = 0
    later = _request("", *pair, snapshot=as_they_are(session.snapshot(*pair, **kwargs)))
    assert not first.is_like(later)
    assert first.snapshot.moving_mask.data.all()  # what waits is as it was


def test_the_same_is_refused_while_it_runs_and_while_it_waits(session, pair):
    queue = RunQueue()

    def ask():
        queue.put(_request("", *pair, snapshot=session.snapshot(*pair, RunSettings())))

    ask()
    with pytest.raises(InputError, match="waiting"):
        ask()
    queue.next()
    with pytest.raises(InputError, match="being registered"):
        ask()
    queue.end()
    ask()  # done: it may be done again


# In the dock


@pytest.mark.gui
def test_pairs_are_registered_one_after_the_other(several, gated, qtbot):
    viewer, dock, choose, running, idle = several
    box = dock.queue_box
    dock.run_bar.button.click()
    running(1)
    assert box.isHidden()  # nothing waits
    choose("visible", "third")
    dock.method.model.select("one")
    dock.run_bar.add.click()
    choose("third", "fourth")
    dock._on_register_key()
    assert box.isVisibleTo(dock)
    assert box.titles == [
        "Now: Auto · infrared → visible",
        "Model One · third → visible",
        "Model One · fourth → third",
    ]
    assert box.words.text() == "2 waiting"
    viewer.layers["third"].contrast_limits = (0, 2)  # the next may be prepared meanwhile
    gated.let()
    running(2)
    assert box.titles[0] == "Now: Model One · third → visible"
    assert dock.run_bar.button.text() == strings.CANCEL
    assert "Run: Auto · infrared → visible." in dock.status.text
    gated.let(2)
    idle()
    assert box.isHidden()
    assert dock.run_bar.button.text() == strings.REGISTER
    assert dock.run_bar.add.isHidden()
    assert [call[2]["model"] for call in gated.calls] == ["auto", "one", "one"]
    np.testing.assert_array_equal(gated.calls[2][0], viewer.layers["third"].data)
    records = dock.session.runs.runs
    names = [(r.number, r.bundle.snapshot.moving.name) for r in records]
    assert names == [(1, "infrared"), (2, "third"), (3, "fourth")]
    assert dock.runs.run is records[-1]  # one is shown at a time
    assert [name for name in ("[1] registered", "[3] registered") if viewer.layers[name].visible]
    assert not viewer.layers["[1] registered"].visible


@pytest.mark.gui
def test_the_same_pair_is_not_registered_twice(several, gated, qtbot):
    viewer, dock, _, running, idle = several
    viewer.window.show()
    viewer.window.resize(1100, 480)
    qtbot.wait(200)
    dock.run_bar.button.click()
    running(1)
    assert dock.status.visibleRegion().isEmpty()
    dock.area.verticalScrollBar().setValue(0)
    dock.run_bar.add.click()
    assert texts.RUNS_ALREADY in dock.status.text
    qtbot.waitUntil(lambda: not dock.status.visibleRegion().isEmpty(), timeout=WAIT)
    assert dock.queue_box.isHidden()
    dock.method.refine.setChecked(not dock.method.refine.isChecked())
    dock.run_bar.add.click()
    dock.run_bar.add.click()
    assert texts.WAITS_ALREADY in dock.status.text
    gated.let(9)
    idle()
    assert [call[2]["refine"] for call in gated.calls] == [True, False]


@pytest.mark.gui
def test_cancel_goes_on_with_the_next_and_cancel_all_does_not(several, gated, qtbot):
    _, dock, choose, running, idle = several
    fill(dock, choose, running)
    dock.run_bar.button.click()
    assert strings.CANCELLED in dock.status.text
    running(2)
    assert gated.cancelled == 1
    assert dock.queue_box.titles == ["Now: Auto · third → visible", "Auto · fourth → visible"]
    dock.queue_box.cancel_all.click()
    assert dock.status.text.endswith(texts.CANCELLED_ALL)
    assert dock.queue_box.isHidden()
    assert dock.run_bar.button.text() == strings.REGISTER
    qtbot.waitUntil(lambda: gated.cancelled == 2, timeout=WAIT)
    idle()
    qtbot.wait(100)
    assert len(gated.calls) == 2
    assert not dock.session.runs.runs
    choose("visible", "infrared")
    gated.let()
    dock.run_bar.button.click()
    idle()
    assert dock.runs.runs.numbers == [1]


@pytest.mark.gui
@pytest.mark.parametrize("how", ["button", "key"])
def test_what_waits_can_be_removed(several, gated, how):
    _, dock, choose, running, idle = several
    fill(dock, choose, running)
    box = dock.queue_box
    assert box.remove_button(0) is None  # it runs
    if how == "button":
        box.remove_button(1).click()
    else:
        box.list.setCurrentRow(0)
        box._on_delete()
        box.list.setCurrentRow(1)
        box._on_delete()
    assert box.titles[1:] == ["Auto · fourth → visible"]
    gated.let(9)
    idle()
    assert len(gated.calls) == 2
    moving = [record.bundle.snapshot.moving.name for record in dock.session.runs.runs]
    assert moving == ["infrared", "fourth"]


@pytest.mark.gui
@pytest.mark.parametrize(
    "problem", ["failed", DeviceError("There is no GPU."), ZeroDivisionError("oops")]
)
def test_what_fails_does_not_stop_the_others(several, gated, problem):
    _, dock, choose, running, idle = several
    gated.outcomes = [problem, "ok"]
    dock.run_bar.button.click()
    running(1)
    choose("visible", "third")
    dock.run_bar.add.click()
    gated.let(9)
    idle()
    assert dock.status.word.text() == "OK"
    why = "Half of the image has no counterpart." if problem == "failed" else str(problem)
    assert "Before it, Auto · infrared → visible: " in dock.status.text
    assert why in dock.status.text
    assert dock.runs.runs.numbers == [1]
    assert dock.next_steps.isHidden()  # they would be of another pair


@pytest.mark.gui
def test_a_layer_removed_while_its_pair_waits(several, gated):
    viewer, dock, choose, running, idle = several
    fill(dock, choose, running)
    viewer.layers.remove("third")
    assert "its layer “third” was removed" in dock.status.text
    assert dock.queue_box.titles[1:] == ["Auto · fourth → visible"]
    gated.let()
    running(2)
    viewer.layers.clear()  # what runs has its pixels
    gated.let()
    idle()
    assert len(gated.calls) == 2
    moving = [record.bundle.snapshot.moving.name for record in dock.session.runs.runs]
    assert moving == ["fourth"]


@pytest.mark.gui
@pytest.mark.parametrize("what", ["dock", "viewer", "workers"])
def test_closing_stops_all(several, gated, qtbot, what):
    viewer, dock, choose, running, _ = several
    dock.run_bar.button.click()
    running(1)
    choose("visible", "third")
    dock.run_bar.add.click()
    if what == "dock":
        viewer.window.remove_dock_widget(dock)
    elif what == "viewer":
        viewer.close()
    else:  # as napari does it first when its last window closes
        dock.runner._worker.quit()
    qtbot.waitUntil(lambda: gated.cancelled == 1, timeout=WAIT)
    qtbot.wait(200)
    assert len(gated.calls) == 1
    assert what == "workers" or not dock.queue.waiting


@pytest.mark.gui
def test_a_saved_result_waits_for_the_run(several, gated, tmp_path):
    _, dock, _, running, idle = several
    gated.let()
    dock.run_bar.button.click()
    idle()
    result = dock.runs.run.bundle.result
    shapes = {name: {"shape": list(result.registered.shape)} for name in ("fixed", "moving")}
    result.provenance.update(inputs=shapes, parameters={"refine": False, "initial": None})
    result.save(tmp_path / "out")
    dock.method.model.select("one")
    dock.run_bar.button.click()
    running(2)
    dock.open_folder(str(tmp_path / "out"))
    assert dock.queue_box.titles[1:] == ["Open result · out"]
    gated.let()
    idle()
    assert dock.runs.runs.numbers == [1, 2, 3]
