"""*Refine in tiles* in a real window: the menu, the run that comes of it, cancel, closing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.compat import isalive
from qtpy.QtGui import QGuiApplication
from skimage import data

from napari_mmreg import large
from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.large import refine as module

pytestmark = pytest.mark.gui

WAIT = 20_000


class Tiles:
    """Stands for the elastic network: a shift of one pixel a tile, once it is let go."""

    def __init__(self):
        self.let_go = threading.Event()
        self.let_go.set()
        self.entered = threading.Event()

    def __call__(self, read, network, run):
        self.entered.set()
        while not self.let_go.wait(0.01):
            run.check()
        return np.ones((*module.nodes(read[0]).shape[:2], 2), np.float32)


@pytest.fixture
def tiles(monkeypatch):
    monkeypatch.setattr(module, "LEAST", 128)
    monkeypatch.setattr(large.windows, "SIDE", 256)
    monkeypatch.setattr("napari_mmreg.models.elastic.load_elastic", lambda device: None)
    tiles = Tiles()
    monkeypatch.setattr(module, "_correct", tiles)
    return tiles


@pytest.fixture
def dock(make_napari_viewer, engine):
    viewer = make_napari_viewer()
    picture = data.camera()[:300, :400].astype(np.float32)
    viewer.add_image(picture, name="visible")
    viewer.add_image(255 - picture, name="infrared")
    dock = RegisterDock(viewer, engine, [])
    viewer.window.add_dock_widget(dock, name="Register images")
    yield dock
    if isalive(dock):
        dock.shut_down()


def _run(qtbot, dock):
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)


def _choose(dock):
    dock.runs.offer_tiles()  # as the menu does when it opens
    (action,) = dock.runs.tiles_menu.actions()
    action.trigger()
    return action.text()


def test_from_the_menu_to_a_run_that_can_be_compared(dock, tiles, qtbot):
    _run(qtbot, dock)
    assert _choose(dock) == "At full resolution · 6 tiles"
    assert dock.run_bar.button.text() == strings.CANCEL
    assert not dock.runs.tiles.isEnabled()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert dock.runs.tiles.isEnabled()
    assert dock.status.word.text() == strings.DONE_WORD
    assert "6 of 6 tiles refined" in dock.status.text
    first, second = dock.session.runs.runs
    assert dock.runs.run is second
    assert [run.layers[REGISTERED].visible for run in (first, second)] == [False, True]
    dock.compare.source.select(first)
    assert dock.compare.source.currentText() == f"Run {first.title}"
    dock._sharing.copy_script(dock)
    assert "napari_mmreg.refine_tiles(" in QGuiApplication.clipboard().text()
    _choose(dock)  # once more
    assert dock.status.text.endswith(texts.TILES_AGAIN)
    dock.runs.remove.click()
    assert dock.session.runs.runs == [first]
    assert first.layers[REGISTERED].visible


def test_cancel_leaves_the_run_and_the_next_one_goes_on(dock, tiles, qtbot):
    _run(qtbot, dock)
    tiles.let_go.clear()
    _choose(dock)
    qtbot.waitUntil(tiles.entered.is_set, timeout=WAIT)
    dock.run_bar.button.click()
    assert dock.status.text.endswith(strings.CANCELLED)
    assert dock.runs.tiles.isEnabled()
    _choose(dock)
    tiles.let_go.set()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert dock.runs.runs.numbers == [1, 2]


def test_nothing_to_refine_is_said(dock, tiles, qtbot, monkeypatch):
    _run(qtbot, dock)
    monkeypatch.setattr(module, "_correct", lambda *_: None)
    _choose(dock)
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert dock.status.word.text() == strings.DONE_WORD
    assert "no run was added" in dock.status.text
    assert dock.runs.runs.numbers == [1]


def test_the_menu_says_where_it_is_of_no_use(dock, qtbot):
    _run(qtbot, dock)
    dock.runs.offer_tiles()
    (action,) = dock.runs.tiles_menu.actions()
    assert not action.isEnabled()
    assert "1,024 pixels" in action.text()
    dock.refine_tiles(1)  # whoever asks all the same
    assert dock.status.word.text() == strings.ERROR_WORD
    assert "of no use" in dock.status.text


def test_the_dock_may_be_closed_meanwhile(dock, tiles, qtbot):
    _run(qtbot, dock)
    tiles.let_go.clear()
    _choose(dock)
    qtbot.waitUntil(tiles.entered.is_set, timeout=WAIT)
    viewer = dock._viewer
    viewer.window.remove_dock_widget(dock)
    assert not dock.runner.busy
    assert "[2] registered" not in viewer.layers
