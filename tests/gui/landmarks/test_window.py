"""The Landmarks dock in a real napari window, driven with the mouse and the keyboard."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.compat import isalive
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_mmreg.geometry import Transform
from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.landmarks.dock import LandmarksDock
from napari_mmreg.gui.landmarks.layers import NAMES
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.shared import compat
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.io import read_landmarks
from napari_mmreg.models import ModelInfo

pytestmark = pytest.mark.gui

WAIT = 60_000
CHOSEN = slice(1, 18, 3)
"""Six of the sample's landmarks."""


class Window:
    """A napari window with the dock, and a hand on the mouse."""

    def __init__(self, viewer, dock):
        self.viewer, self.dock, self.controller = viewer, dock, dock.controller
        self.canvas = viewer.window._qt_viewer.canvas.native

    def spot(self, side, point):
        """Where a pixel of an image is on the canvas."""
        place = self.controller.picture(side).placement
        world = compat.to_world(self.viewer, place, np.asarray(point, float)[None])[0]
        camera = self.viewer.scene.camera
        size = np.array([self.canvas.height(), self.canvas.width()])
        row, col = (world - np.array(camera.center)[-2:]) * camera.zoom + size / 2
        return QPoint(round(col), round(row))

    def click(self, side, point):
        where = self.spot(side, point)
        QTest.mouseMove(self.canvas, where)
        QTest.mouseClick(
            self.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, where
        )

    def drag(self, side, start, stop):
        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        one, other = self.spot(side, start), self.spot(side, stop)
        QTest.mouseMove(self.canvas, one)
        QTest.mousePress(self.canvas, button, none, one)
        for step in (0.3, 0.6, 1.0):
            between = QPoint(
                round(one.x() + step * (other.x() - one.x())),
                round(one.y() + step * (other.y() - one.y())),
            )
            QTest.mouseMove(self.canvas, between)
            QTest.qWait(20)
        QTest.mouseRelease(self.canvas, button, none, other)

    def key(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)

    def settle(self):
        self.dock._measure()

    def rows(self):
        """The table as text."""
        model = self.dock.pairs.table.sorted
        return [
            [model.index(row, column).data() for column in range(model.columnCount())]
            for row in range(model.rowCount())
        ]


@pytest.fixture
def open_window(make_napari_viewer):
    docks = []

    def make(*images, viewer=None, show=True):
        if viewer is None:
            viewer = make_napari_viewer(show=show)
            for image, kwargs in images:
                viewer.add_image(image, **kwargs)
        dock = LandmarksDock(viewer)
        viewer.window.add_dock_widget(dock, name="Landmarks", area="right")
        docks.append(dock)
        if show:
            viewer.window.resize(1390, 960)
            QTest.qWait(500)
            viewer.reset_view()
            QTest.qWait(100)
        return Window(viewer, dock)

    yield make
    for dock in docks:
        if isalive(dock):
            dock.shut_down()


@pytest.fixture
def window(open_window, thermal):
    return open_window(
        (thermal.fixed, {"name": "visible", "rgb": True}), (thermal.moving, {"name": "thermal"})
    )


def mark(window, thermal, count=6):
    """Mark pairs by clicks; return the true places."""
    window.dock.pairs.mark.click()
    fixed = thermal.fixed_points[CHOSEN][:count]
    moving = thermal.truth.map(fixed)
    for here, there in zip(fixed, moving, strict=True):
        window.click("fixed", here)
        window.click("moving", there)
    window.settle()
    return fixed, moving


def test_mark_drag_undo_redo_delete_correct_save_and_reload(
    window, thermal, qtbot, tmp_path, monkeypatch, open_window
):
    controller, book = window.controller, window.controller.book
    visible = {layer: layer.visible for layer in window.viewer.layers}
    fixed, moving = mark(window, thermal)
    assert [pair.complete for pair in book.pairs] == [True] * 6
    here = np.array([pair.fixed for pair in book.pairs])
    there = np.array([pair.moving for pair in book.pairs])
    pixel = 1 / window.viewer.scene.camera.zoom
    np.testing.assert_allclose(here, fixed, atol=pixel)
    np.testing.assert_allclose(there, moving, atol=pixel)
    assert controller.fit_state.measurement.after.mean < 2
    assert len(window.rows()) == 6
    assert window.dock.correct.text() == strings.CORRECT_ALONE

    # Drag the newest fixed landmark, undo, redo.
    sixth = book.pairs[-1]
    target = np.add(sixth.fixed, (9, -14))
    window.drag("fixed", sixth.fixed, target)
    moved = book.get(sixth.id)
    np.testing.assert_allclose(moved.fixed, target, atol=2 * pixel)
    assert moved.moving == sixth.moving
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert book.get(sixth.id) == sixth
    window.dock.pairs.redo.click()
    assert book.get(sixth.id) == moved
    window.dock.pairs.undo.click()

    # Delete a pair from the table, and stop marking: everything is visible as it was.
    controller.select({book.pairs[2].id})
    window.dock.pairs.remove.click()
    assert len(book) == 5
    window.dock.pairs.mark.click()
    assert {layer: layer.visible for layer in visible} == visible
    window.settle()
    table = window.rows()
    transform = controller.fit_state.measurement.transform
    assert len(table) == 5

    # Correct: a new run with layers.
    before = set(window.viewer.layers)
    window.dock.correct.click()
    qtbot.waitUntil(lambda: not window.dock.busy, timeout=WAIT)
    run = controller.runs.runs[-1]
    assert set(window.viewer.layers) - before == {run.layers[REGISTERED]}
    assert run.bundle.result.model == "landmarks"
    assert [layer.name for layer in window.viewer.layers[-3:]] == list(NAMES.values())
    history = run.bundle.result.provenance["landmarks"]
    assert [pair["name"] for pair in history["pairs"]] == [row[0] for row in table]

    # Save the table and its transform.
    for name, kind in (("t.csv", strings.SAVE_CSV), ("t.npz", strings.SAVE_TRANSFORM)):
        monkeypatch.setattr(
            QFileDialog,
            "getSaveFileName",
            lambda *_, name=name, kind=kind: (str(tmp_path / name), kind),
        )
        window.dock.pairs.save.click()
    np.testing.assert_array_equal(
        Transform.load(tmp_path / "t.npz").map(fixed), transform.map(fixed)
    )
    assert len(read_landmarks(tmp_path / "t.csv").names) == 5

    # Close the dock, open it again: same table, same transform.
    viewer = window.viewer
    window.dock.shut_down()
    assert not any("landmark" in layer.name for layer in viewer.layers)
    again = open_window(viewer=viewer)
    again.settle()
    assert again.rows() == table
    np.testing.assert_array_equal(
        again.controller.fit_state.measurement.transform.map(fixed), transform.map(fixed)
    )

    # Open the saved file: same coordinates and errors again.
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "t.csv"), ""))
    again.dock.pairs.open.click()
    again.settle()
    assert again.rows() == table


def test_the_ghost_is_accepted_with_a_key_dragged_and_skipped(window, thermal):
    mark(window, thermal, 5)
    controller, book = window.controller, window.controller.book
    place = thermal.fixed_points[0]
    window.click("fixed", place)
    assert controller.entry.expecting == "moving"
    ghost = np.array(controller.entry.ghost)
    assert np.linalg.norm(ghost - thermal.truth.map(place)) < 4
    assert window.dock.pairs.accept.isVisible()
    window.key(Qt.Key.Key_Return)
    np.testing.assert_array_equal(book.pairs[-1].moving, ghost)

    place = thermal.fixed_points[8]
    window.click("fixed", place)
    ghost = np.array(controller.entry.ghost)
    window.drag("moving", ghost, np.add(ghost, (8, 8)))
    pixel = 1 / window.viewer.scene.camera.zoom
    np.testing.assert_allclose(book.pairs[-1].moving, np.add(ghost, (8, 8)), atol=2 * pixel)

    window.click("fixed", thermal.fixed_points[5])
    window.key(Qt.Key.Key_Escape)
    window.settle()
    assert not book.pairs[-1].complete
    assert controller.entry.expecting == "fixed"
    assert "1 half-finished" in window.dock.pairs.count.text()
    assert window.rows()[-1][2] == strings.NOT_MARKED
    # Marking again goes on with it.
    window.dock.pairs.mark.click()
    window.dock.pairs.mark.click()
    assert controller.entry.current.id == book.pairs[-1].id


def test_dragging_beside_landmarks_pans(window, thermal):
    mark(window, thermal, 2)
    centre = tuple(window.viewer.scene.camera.center)
    window.drag("fixed", (200, 60), (220, 120))
    assert len(window.controller.book) == 2
    assert tuple(window.viewer.scene.camera.center) != centre


def test_a_models_result_is_measured_and_corrected(
    make_napari_viewer, thermal, fake_engine, qtbot, open_window
):
    viewer = make_napari_viewer()
    viewer.add_image(thermal.fixed, name="visible", rgb=True, scale=(0.5, 0.5), units="um")
    viewer.add_image(thermal.moving, name="thermal", scale=(0.5, 0.5), units="um")
    register = RegisterDock(viewer, fake_engine(shift=(3.0, 1.0)), [ModelInfo("m", "M", "", "")])
    viewer.window.add_dock_widget(register, name="Register images")
    register.run_bar.button.click()
    qtbot.waitUntil(lambda: not register.busy, timeout=WAIT)
    window = open_window(viewer=viewer, show=False)
    controller = window.controller
    run = register.session.runs.runs[0]
    assert controller.fit_state.base is run  # the newest result is measured at once
    transform = run.bundle.result.transform
    fixed = thermal.fixed_points[CHOSEN]
    for point in fixed:
        controller.book.add(point, np.add(transform.map(point), (4, -2)))
    window.settle()
    assert controller.fit_state.measurement.before.mean == pytest.approx(np.hypot(4, 2))
    assert controller.fit_state.measurement.after.mean < 0.5
    assert window.dock.numbers.cells["before", 1].text() == "4.47"
    window.dock.numbers.unit.setCurrentIndex(1)
    window.dock.numbers.unit.activated.emit(1)
    assert window.dock.numbers.cells["before", 1].text() == "2.24"
    assert window.dock.numbers.heads[5].text() == "≤ 1.5 micrometer"
    window.dock.fit.strength.setValue(10)
    assert 0.9 < controller.fit_state.measurement.after.mean < 1.4
    window.dock.fit.strength.setValue(20)

    window.dock.correct.click()
    qtbot.waitUntil(lambda: not window.dock.busy, timeout=WAIT)
    corrected = register.runs.run  # the Register dock shows it, too
    assert corrected.bundle.result.model == "fake + landmarks"
    assert corrected.bundle.result.provenance["parent"]["run"] == run.number
    assert corrected.bundle.result.provenance["parent"]["provenance"] == {"seed": 0}
    layer = corrected.layers[REGISTERED]
    assert layer.units == viewer.layers["visible"].units
    np.testing.assert_allclose(layer.scale, (0.5, 0.5))
    moved = corrected.bundle.result.transform.map(fixed) - transform.map(fixed)
    np.testing.assert_allclose(moved, np.tile((4, -2), (len(fixed), 1)), atol=0.5)
    assert controller.fit_state.base is run
    register.shut_down()
    assert controller.fitting_runs() == [run, corrected]  # the other dock still needs them


def test_the_table_sorts_checks_renames_and_selects(window, thermal):
    mark(window, thermal)
    window.dock.pairs.mark.click()
    table, book = window.dock.pairs.table, window.controller.book
    table.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    errors = [window.controller.fit_state.measurement.of(pair)[2] for pair in table.ids()]
    assert errors == sorted(errors, reverse=True)
    first = table.sorted.index(0, 0)
    table.sorted.setData(first, Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)
    window.settle()
    assert [pair.enabled for pair in book.pairs].count(False) == 1
    assert table.ids()[-1] == next(pair.id for pair in book.pairs if not pair.enabled)
    table.sorted.setData(table.sorted.index(0, 0), "left eye")
    assert "left eye" in [pair.name for pair in book.pairs]

    zoom = window.viewer.scene.camera.zoom
    index = table.sorted.index(2, 1)
    QTest.mouseClick(
        table.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        table.visualRect(index).center(),
    )
    chosen = table.ids()[2]
    assert window.controller.selected == {chosen}
    assert window.viewer.scene.camera.zoom > zoom
    np.testing.assert_allclose(
        np.array(window.viewer.scene.camera.center)[-2:], book.get(chosen).fixed
    )
    for side in ("fixed", "moving"):
        assert len(window.controller.layers.get(side).selected_data) == 1
    window.settle()
    assert set(window.dock.zoom_view._shown) == {"fixed", "moving"}


def test_the_preview_follows_and_leaves_nothing_behind(window, thermal):
    mark(window, thermal)
    window.dock.pairs.mark.click()
    moving = window.viewer.layers["thermal"]
    window.dock.fit.preview.setChecked(True)
    layer = window.controller.preview.layer
    assert not moving.visible
    assert window.dock.images.pair[1] is moving  # the preview is no image to choose
    shown = layer.data.copy()
    pair = window.controller.book.pairs[0]
    window.controller.drag(pair.id, "moving", np.array(pair.moving) + 25, object())
    assert not np.array_equal(layer.data, shown)
    window.dock.fit.preview.setChecked(False)
    assert moving.visible
    assert layer not in window.viewer.layers


def test_too_few_pairs_say_how_many_more(window, thermal):
    assert not window.dock.correct.isEnabled()
    mark(window, thermal, 1)
    assert "2 more needed for affine" in window.dock.pairs.count.text()
    window.dock.fit.kind.select("translation")
    assert window.dock.correct.isEnabled()


def test_proposed_pairs_are_good_and_undone_at_once(window, thermal):
    mark(window, thermal)
    window.dock.pairs.propose.click()
    proposed = [pair for pair in window.controller.book.pairs if pair.source == "model"]
    assert len(proposed) >= 5
    missed = [np.linalg.norm(thermal.truth.map(pair.fixed) - pair.moving) for pair in proposed]
    assert np.median(missed) < 1.5
    window.dock.pairs.undo.click()
    assert len(window.controller.book) == 6


def test_errors_are_sentences(window, tmp_path, monkeypatch):
    notification_manager.records.clear()
    (tmp_path / "bad.csv").write_text("x,y\n1,2\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "bad.csv"), ""))
    window.dock.pairs.open.click()
    assert "the header lacks point" in window.dock.status.text
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "t"), strings.SAVE_TRANSFORM)
    )
    window.dock._on_save()
    assert "do not define a transform yet" in window.dock.status.text


def test_without_images_nothing_breaks(open_window, qtbot):
    window = open_window(show=False)
    assert window.dock.pairs.hint.text() == strings.HINT_NO_IMAGES
    assert not window.dock.pairs.mark.isEnabled()
    window.dock._on_propose()
    assert strings.HINT_NO_IMAGES in window.dock.status.text
    layer = window.viewer.add_image(np.zeros((64, 64)), name="one")
    other = window.viewer.add_image(np.zeros((64, 64)), name="two")
    qtbot.waitUntil(lambda: window.controller.ready, timeout=WAIT)
    window.viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not window.controller.ready, timeout=WAIT)
    window.viewer.layers.remove(other)


def test_nothing_is_left_behind(open_window, pictures):
    window = open_window(
        *((p, {"name": n}) for p, n in zip(pictures, "ab", strict=True)), show=False
    )
    viewer, dock = window.viewer, window.dock
    window.controller.start_marking()
    window.controller.set_preview(on=True)
    dock.shut_down()
    assert [layer.name for layer in viewer.layers] == ["a", "b"]
    assert all(layer.visible for layer in viewer.layers)
    assert all("Marking" not in repr(callback) for callback in viewer.mouse_drag_callbacks)
    controller = weakref.ref(window.controller)
    viewer.window.remove_dock_widget(dock)
    del window.controller, window.dock, dock
    gc.collect()
    assert controller() is None or not controller().ready
