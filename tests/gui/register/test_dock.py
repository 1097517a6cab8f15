"""The dock in a real napari window."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.utils.notifications import ErrorNotification, notification_manager
from qtpy.compat import isalive
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog

from napari_mmreg.errors import DeviceError
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.models import ModelInfo

pytestmark = pytest.mark.gui

MODELS = [ModelInfo("one", "Model One", "For maps.", "BSD-3-Clause")]
WAIT = 20_000


@pytest.fixture
def make_dock(make_napari_viewer):
    docks = []

    def make(register, *, pictures=()):
        viewer = make_napari_viewer()
        for picture, name in zip(pictures, ("visible", "infrared"), strict=False):
            viewer.add_image(picture, name=name)
        dock = RegisterDock(viewer, register, MODELS)
        viewer.window.add_dock_widget(dock, name="Register images")
        docks.append(dock)
        return viewer, dock

    yield make
    for dock in docks:
        if isalive(dock):
            dock.shut_down()


def _finished(dock):
    return not dock.busy


def _run(qtbot, dock):
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)


# Images


def test_choosers_follow_the_layers(make_dock, pictures, engine):
    viewer, dock = make_dock(engine)
    assert dock.images.pair == (None, None)
    assert not dock.run_bar.button.isEnabled()
    assert dock.images.hint.text() == strings.EMPTY_HINT
    infrared = viewer.add_image(pictures[1], name="infrared")
    assert dock.images.pair == (infrared, None)
    assert dock.images.hint.text() == strings.ONE_IMAGE_HINT
    visible = viewer.add_image(pictures[0], name="visible")
    assert dock.images.pair == (visible, infrared)
    assert dock.run_bar.button.isEnabled()
    visible.name = "photo"
    assert dock.images.fixed.layers.currentText() == "photo"
    viewer.layers.remove(visible)
    assert dock.images.pair == (infrared, None)
    assert not dock.run_bar.button.isEnabled()


def test_what_the_user_chose_stays_and_is_never_chosen_twice(make_dock, pictures, engine):
    viewer, dock = make_dock(engine, pictures=pictures)
    visible, infrared = viewer.layers
    combo = dock.images.fixed.layers
    combo.setCurrentIndex(combo.values.index(infrared))
    combo.activated.emit(combo.currentIndex())
    assert dock.images.pair == (infrared, visible)  # the other side gave way
    third = viewer.add_image(pictures[0], name="SAR")
    assert dock.images.pair == (infrared, visible)
    dock.images.swap.click()
    assert dock.images.pair == (visible, infrared)
    viewer.layers.remove(infrared)
    assert dock.images.pair == (visible, third)


def test_a_modality_is_guessed_and_kept_in_the_metadata(make_dock, pictures, engine):
    viewer, dock = make_dock(engine, pictures=pictures)
    side = dock.images.moving
    assert side.modality.value == "infrared"
    side.modality.select("sar")
    side.modality.activated.emit(side.modality.currentIndex())
    assert viewer.layers["infrared"].metadata[METADATA_KEY]["modality"] == "sar"
    dock.images.swap.click()
    assert dock.images.fixed.modality.value == "sar"


def _drop(widget, mime):
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    widget.dropEvent(event)
    return event


def test_files_and_layers_can_be_dropped(make_dock, pictures, engine, tmp_path):
    import imageio.v3 as iio

    viewer, dock = make_dock(engine, pictures=pictures)
    path = tmp_path / "thermal.png"
    iio.imwrite(path, (pictures[1] * 255).astype(np.uint8))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    assert _drop(dock.images.moving, mime).isAccepted()
    assert dock.images.moving.layer is viewer.layers["thermal"]
    assert dock.images.moving.modality.value == "thermal"

    mime = QMimeData()
    mime.setText("infrared")  # what napari's layer list gives
    _drop(dock.images.fixed, mime)
    assert dock.images.fixed.layer is viewer.layers["infrared"]


def test_open_puts_the_file_on_its_side(make_dock, pictures, engine, tmp_path, monkeypatch):
    import imageio.v3 as iio

    _, dock = make_dock(engine)
    for side, name in ((dock.images.moving, "a.png"), (dock.images.fixed, "b.png")):
        path = tmp_path / name
        iio.imwrite(path, (pictures[0] * 255).astype(np.uint8))
        monkeypatch.setattr(
            QFileDialog, "getOpenFileName", lambda *_, _path=str(path), **__: (_path, "")
        )
        side.open_button.click()
    assert [layer.name for layer in dock.images.pair] == ["b", "a"]


def test_a_file_that_cannot_be_read_is_a_sentence(make_dock, engine, tmp_path):
    _, dock = make_dock(engine)
    bad = tmp_path / "notes.mmreg-nothing"
    bad.write_text("x")
    with notification_manager:
        dock.images.open_paths(dock.images.fixed, [str(bad)])
    assert dock.status.word.text() == strings.ERROR_WORD
    assert "could not be opened" in dock.status.text


# Method


def test_models_are_listed_with_what_they_are_for(make_dock, engine, pictures, qtbot):
    _, dock = make_dock(engine, pictures=pictures)
    model = dock.method.model
    assert model.values == ["auto", "one"]
    assert dock.method.purpose.text() == strings.AUTO_PURPOSE
    model.select("one")
    assert dock.method.purpose.text() == "For maps."
    dock.method.refine.setChecked(False)
    dock.advanced.seed.setValue(5)
    _run(qtbot, dock)
    options = engine.calls[0][2]
    assert (options["model"], options["refine"], options["seed"]) == ("one", False, 5)


def test_the_method_last_used_for_these_modalities(make_dock, engine, pictures, qtbot):
    _, dock = make_dock(engine, pictures=pictures)
    choose(dock.method.model, "one")
    dock.method.refine.click()
    _run(qtbot, dock)
    choose(dock.images.moving.modality, "sar")
    dock.method.model.select("auto")
    dock.method.refine.setChecked(True)
    choose(dock.images.moving.modality, "infrared")
    assert (dock.method.model.value, dock.method.refine.isChecked()) == ("one", False)

    _, other = make_dock(engine, pictures=pictures)
    assert other.method.model.value == "one"
    choose(other.method.model, "auto")  # what the user has just chosen stays
    choose(other.images.moving.modality, "sar")
    choose(other.images.moving.modality, "infrared")
    assert other.method.model.value == "auto"


def choose(combo, value):
    """Choose as a user does."""
    combo.select(value)
    combo.activated.emit(combo.currentIndex())


def test_masks_are_labels_layers(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    painted = np.zeros(pictures[0].shape, int)
    painted[20:50] = 1
    labels = viewer.add_labels(painted, name="tissue")
    dock.start_box.areas.moving_mask.select(labels)
    _run(qtbot, dock)
    np.testing.assert_array_equal(engine.calls[0][2]["moving_mask"], painted > 0)
    viewer.layers.remove(labels)
    assert dock.start_box.areas.moving_mask.value is None


# Running


def test_register_shows_status_and_layers(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    assert not dock.results.isVisibleTo(dock)
    _run(qtbot, dock)
    assert dock.status.word.text() == "OK"
    assert "0.31 → 0.82" in dock.status.text
    assert "1.5 s" in dock.status.text
    assert dock.run_bar.button.text() == strings.REGISTER
    assert "[1] registered" in viewer.layers
    assert "[1] compare" in viewer.layers
    assert dock.results.isVisibleTo(dock)
    assert engine.threads[0].name != "MainThread"


def test_a_doubtful_result_says_why(make_dock, fake_engine, pictures, qtbot):
    _, dock = make_dock(fake_engine(status="doubtful"), pictures=pictures)
    _run(qtbot, dock)
    assert dock.status.word.text() == "Doubtful"
    assert strings.STATUS_COLOURS["doubtful"] in dock.status.word.styleSheet()
    assert "no counterpart" in dock.status.text


def test_expected_errors_are_sentences_in_the_dock(make_dock, fake_engine, pictures, qtbot):
    engine = fake_engine(error=DeviceError("There is no GPU. Choose CPU."))
    viewer, dock = make_dock(engine, pictures=pictures)
    shown = []
    notification_manager.notification_ready.connect(shown.append)
    try:
        _run(qtbot, dock)
    finally:
        notification_manager.notification_ready.disconnect(shown.append)
    assert dock.status.text == f"{strings.ERROR_WORD}\nThere is no GPU. Choose CPU."
    assert [str(note.message) for note in shown] == ["There is no GPU. Choose CPU."]
    assert len(viewer.layers) == 2


def test_unexpected_errors_are_not_swallowed(make_dock, fake_engine, pictures, qtbot):
    _, dock = make_dock(fake_engine(error=ZeroDivisionError("oops")), pictures=pictures)
    seen = []
    dock.runner.crashed.connect(seen.append)
    notification_manager.notification_ready.connect(seen.append)
    try:
        _run(qtbot, dock)
    finally:
        notification_manager.notification_ready.disconnect(seen.append)
    assert any(isinstance(item, ZeroDivisionError) for item in seen)
    notes = [item for item in seen if isinstance(item, ErrorNotification)]
    assert [type(note.exception) for note in notes] == [ZeroDivisionError]
    assert "ZeroDivisionError: oops" in dock.status.text
    assert dock.run_bar.button.text() == strings.REGISTER


def test_cancel_returns_the_button_at_once(make_dock, blocking_engine, pictures, qtbot):
    engine = blocking_engine()
    viewer, dock = make_dock(engine, pictures=pictures)
    dock.run_bar.button.click()
    assert dock.run_bar.button.text() == strings.CANCEL
    qtbot.waitUntil(engine.entered.is_set, timeout=WAIT)
    dock.run_bar.button.click()
    assert dock.run_bar.button.text() == strings.REGISTER
    assert strings.CANCELLED in dock.status.text
    assert engine.left.wait(10)
    qtbot.wait(100)
    assert len(viewer.layers) == 2
    engine.let_go.set()
    engine.left.clear()
    _run(qtbot, dock)
    assert "[1] registered" in viewer.layers


def test_layers_removed_during_the_run(make_dock, blocking_engine, pictures, qtbot):
    engine = blocking_engine()
    viewer, dock = make_dock(engine, pictures=pictures)
    viewer.layers["visible"].scale = (2, 3)
    dock.run_bar.button.click()
    qtbot.waitUntil(engine.entered.is_set, timeout=WAIT)
    viewer.layers.clear()
    engine.let_go.set()
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)
    np.testing.assert_allclose(viewer.layers["[1] registered"].scale, (2, 3))


def test_closing_the_dock_stops_the_run(make_dock, blocking_engine, pictures, qtbot):
    engine = blocking_engine()
    viewer, dock = make_dock(engine, pictures=pictures)
    dock.run_bar.button.click()
    qtbot.waitUntil(engine.entered.is_set, timeout=WAIT)
    viewer.window.remove_dock_widget(dock)
    assert engine.left.wait(10)
    assert not dock.runner.busy
    assert not viewer.mouse_move_callbacks
    viewer.add_image(pictures[0])  # nobody of ours listens any more
    assert len(viewer.layers) == 3


def test_closing_the_viewer_stops_the_run(make_dock, blocking_engine, pictures, qtbot):
    engine = blocking_engine()
    viewer, dock = make_dock(engine, pictures=pictures)
    dock.run_bar.button.click()
    qtbot.waitUntil(engine.entered.is_set, timeout=WAIT)
    viewer.close()
    assert engine.left.wait(10)


def test_a_closed_dock_is_not_kept_alive(make_napari_viewer, engine, pictures, qtbot):
    viewer = make_napari_viewer()
    for picture in pictures:
        viewer.add_image(picture)
    dock = RegisterDock(viewer, engine, MODELS)
    viewer.window.add_dock_widget(dock, name="Register images")
    _run(qtbot, dock)
    session = weakref.ref(dock.session)
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    del dock
    qtbot.wait(50)
    gc.collect()
    assert session() is None


# Results


def test_a_removed_run_is_not_kept_in_memory(make_dock, engine, pictures, qtbot):
    _, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    bundle = weakref.ref(dock.runs.run.bundle)
    dock.runs.remove.click()
    qtbot.wait(200)
    gc.collect()
    assert bundle() is None


def test_runs_are_chosen_saved_and_removed(make_dock, engine, pictures, qtbot, monkeypatch):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    _run(qtbot, dock)
    assert dock.runs.runs.numbers == [1, 2]
    assert dock.runs.run.number == 2
    assert [n for n in ("[1] compare", "[2] compare") if n in viewer.layers] == ["[2] compare"]
    dock.runs.runs.choose(1)
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)
    assert "[1] compare" in viewer.layers

    saved = []
    result = type(dock.runs.run.bundle.result)
    monkeypatch.setattr(result, "save", lambda _, folder: saved.append(folder))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "/some/folder")
    dock.runs.save.click()
    assert saved == ["/some/folder"]
    assert "/some/folder" in dock.status.text

    dock.runs.remove.click()
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)
    assert not any(layer.name.startswith("[1]") for layer in viewer.layers)
    assert dock.runs.run.number == 2
    assert "[2] compare" in viewer.layers
    dock.runs.remove.click()
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)
    assert len(viewer.layers) == 2
    assert not dock.results.isVisibleTo(dock)


def test_a_folder_that_cannot_be_written_is_a_sentence(
    make_dock, engine, pictures, qtbot, monkeypatch
):
    _, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)

    def refuse(_, folder):
        raise PermissionError("read-only")

    monkeypatch.setattr(type(dock.runs.run.bundle.result), "save", refuse)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "/some/folder")
    dock.runs.save.click()
    assert "Could not save: read-only" in dock.status.text


def test_the_arrow_slider_changes_the_density(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    dock.layers.toggles["arrows"].click()
    arrows = next(layer for layer in viewer.layers if layer.name.startswith("[1] flow arrows"))
    few = len(arrows.data)
    dock.layers.arrows.setValue(80)
    qtbot.waitUntil(lambda: len(arrows.data) > 2 * few, timeout=WAIT)


def test_comparison_modes(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    compare = dock.compare
    shown = viewer.layers["[1] compare"]
    for mode in ("blend", "curtain", "checkerboard"):
        before = shown.data
        compare.mode.select(mode)
        assert not np.array_equal(shown.data, before)
        at = shown.data
        compare.amount.setValue(compare.amount.maximum())
        qtbot.waitUntil(lambda at=at: not np.array_equal(shown.data, at), timeout=WAIT)
    compare.mode.select("flicker")
    compare.amount.setValue(200)
    first = shown.data.copy()
    qtbot.waitUntil(lambda: not np.array_equal(shown.data, first), timeout=WAIT)
    compare.mode.select("off")
    assert "[1] compare" not in viewer.layers
    assert not compare._flicker.isActive()
    compare.mode.select("curtain")
    viewer.layers.remove("[1] compare")  # by hand: the control follows
    qtbot.waitUntil(lambda: compare.mode.value == "off", timeout=WAIT)


def test_the_cursor_is_described_in_the_dock_and_on_the_canvas(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    viewer.cursor.position = (30, 40)
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, None)
    assert dock.results.cursor_line.text().startswith("Moved 2.5 px")
    overlay = viewer.canvas.overlays["napari_mmreg_cursor"]
    assert overlay.visible
    assert overlay.text == dock.results.cursor_line.text()
    dock.runs.remove.click()
    assert not overlay.visible
    assert dock.results.cursor_line.text() == strings.CURSOR_IDLE


def test_results_are_3d_safe(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    viewer.dims.ndisplay = 3
    dock.session.comparison.refresh()
    viewer.dims.ndisplay = 2
    assert viewer.layers["[1] registered"].metadata[METADATA_KEY]["role"] == REGISTERED


# Start-up
