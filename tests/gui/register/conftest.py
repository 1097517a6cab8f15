"""What the tests of the Register dock share."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.compat import isalive
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared.snapshot import RunSettings
from napari_mmreg.models import ModelInfo

MODELS = [ModelInfo("one", "Model One", "For maps.", "BSD-3-Clause")]


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def session(viewer, engine):
    session = Session(viewer, engine)
    yield session
    session.close()


@pytest.fixture
def pair(viewer, pictures):
    return tuple(
        viewer.add_image(data, name=name)
        for data, name in zip(pictures, ("visible", "infrared"), strict=True)
    )


@pytest.fixture
def make_run():
    """Return what registers two layers in a session and adds the run."""

    def run(session, fixed, moving, **settings):
        job = session.job(session.snapshot(fixed, moving, RunSettings(**settings)))
        outcome = job.execute(lambda stage, fraction: None)
        assert outcome.error is None
        list(session.deliver(outcome.value))
        return session.runs.runs[-1]

    return run


@pytest.fixture
def make_dock(make_napari_viewer):
    docks = []

    def make(register, pictures):
        viewer = make_napari_viewer()
        for picture, name in zip(pictures, ("visible", "infrared"), strict=True):
            viewer.add_image(picture, name=name)
        dock = RegisterDock(viewer, register, MODELS)
        viewer.window.add_dock_widget(dock, name="Register images")
        docks.append(dock)
        return viewer, dock

    yield make
    for dock in docks:
        if isalive(dock):
            dock.shut_down()


class Mouse:
    """The left button on a shown canvas; places are screen pixels from its middle."""

    def __init__(self, viewer, qtbot):
        viewer.window.show()
        viewer.window.resize(1280, 720)
        qtbot.wait(300)
        viewer.reset_view()
        qtbot.wait(200)
        self._canvas = viewer.window._qt_viewer.canvas.native
        self._middle = QPoint(self._canvas.width() // 2, self._canvas.height() // 2)
        self._qtbot = qtbot
        self._how = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)

    def press(self, x, y):
        self.move(x, y)
        QTest.mousePress(self._canvas, *self._how, self._at(x, y))

    def move(self, x, y):
        QTest.mouseMove(self._canvas, self._at(x, y))
        self._qtbot.wait(60)

    def release(self, x, y):
        QTest.mouseRelease(self._canvas, *self._how, self._at(x, y))
        self._qtbot.wait(60)

    def drag(self, start, end):
        self.press(*start)
        for share in (0.5, 1.0):
            self.move(*(round(a + share * (b - a)) for a, b in zip(start, end, strict=True)))
        self.release(*end)

    def _at(self, x, y):
        return self._middle + QPoint(round(x), round(y))


@pytest.fixture
def mouse(qtbot):
    return lambda viewer: Mouse(viewer, qtbot)
