"""No dock changes the layer list while napari tells of a change of it."""

from __future__ import annotations

import pytest

from layer_watch import ListWatch
from napari_mmreg.gui.apply.dock import ApplyDock
from napari_mmreg.gui.evaluate.dock import EvaluateDock
from napari_mmreg.gui.landmarks.dock import LandmarksDock
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.series.dock import SeriesDock

pytestmark = pytest.mark.gui

WAIT = 60_000


class Docks:
    """Every dock that follows the layers, in one window, after two runs."""

    def __init__(self, viewer, engine, pictures, qtbot):
        self.viewer, self.layers, self.qtbot = viewer, viewer.layers, qtbot
        self.pictures = pictures
        self.add_images()
        self.register = RegisterDock(viewer, engine)
        self.landmarks = LandmarksDock(viewer)
        self.all = [self.register, self.landmarks]
        self.all += [dock(viewer) for dock in (ApplyDock, EvaluateDock, SeriesDock)]
        for dock in self.all:
            viewer.window.add_dock_widget(dock)
        for _ in range(2):
            self.run()
        self.landmarks.fit.preview.setChecked(True)
        self.settle()
        self.watch = ListWatch(viewer.layers)

    def add_images(self):
        for data, name in zip(self.pictures, ("visible", "infrared"), strict=True):
            self.viewer.add_image(data, name=name)

    def run(self):
        self.register.start()
        self.qtbot.waitUntil(lambda: not self.register.busy, timeout=WAIT)
        self.settle()

    def settle(self):
        self.qtbot.wait(50)

    def named(self, *parts):
        return [layer for layer in self.layers if any(part in layer.name for part in parts)]

    def check(self):
        self.settle()
        assert not self.watch.faults, self.watch.faults[0]


@pytest.fixture
def docks(make_napari_viewer, engine, pictures, qtbot):
    docks = Docks(make_napari_viewer(), engine, pictures, qtbot)
    yield docks
    docks.watch.stop()
    for dock in docks.all:
        dock.shut_down()


def test_a_run_and_its_comparison_are_deleted_together(docks):
    docks.layers.selection = set(docks.named("[2]"))
    assert len(docks.layers.selection) > 1
    docks.layers.remove_selected()
    docks.check()
    assert not docks.named("[2]")


def test_images_side_by_side_are_deleted_together_and_others_come(docks):
    docks.register.compare.mode.select("beside")
    docks.add_images()
    docks.layers.reverse()
    docks.check()
    docks.layers.selection = set(docks.named("[2]"))
    docks.layers.remove_selected()
    docks.check()
    assert not docks.named("[2]")
    shown = bool(docks.named("[1] compare"))  # the other run may be shown instead
    assert shown == bool(docks.named("cross")) == docks.viewer.canvas.grid.enabled


def test_the_comparison_follows_a_run_whose_layers_are_deleted(docks):
    assert docks.named("[2] compare")
    docks.layers.selection = set(docks.named("[2] registered"))
    docks.layers.remove_selected()
    docks.check()
    assert not docks.named("[2]")
    assert docks.named("[1] compare")
    docks.layers.remove(docks.named("[1] registered")[0])
    docks.check()
    assert not docks.named("[1]")


def test_everything_is_cleared_and_begun_anew(docks):
    docks.layers.clear()
    docks.check()
    assert not docks.layers
    docks.add_images()
    docks.check()
    assert docks.named("fixed landmarks")
    docks.run()
    docks.check()
    assert docks.named("[1] registered")


def test_an_image_that_is_worked_on_is_deleted_and_another_one_comes(docks):
    docks.layers.selection = set(docks.named("infrared", "landmark"))
    docks.layers.remove_selected()
    docks.check()
    docks.viewer.add_image(docks.pictures[1], name="infrared")
    docks.layers.move(len(docks.layers) - 1, 0)
    docks.layers.reverse()
    docks.check()


def test_docks_that_close_at_once_do_nothing_afterwards(docks):
    docks.layers.remove(docks.named("[2] registered")[0])
    docks.layers.remove(docks.named("infrared")[0])
    for dock in docks.all:
        docks.viewer.window.remove_dock_widget(dock)
    left = list(docks.layers)
    docks.check()
    assert list(docks.layers) == left
    assert not docks.named("compare", "landmark")
