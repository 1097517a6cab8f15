"""The dock in a real window: the runs' list, layers' buttons, next steps, keys, room."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QCheckBox,
    QDockWidget,
    QFileDialog,
    QLineEdit,
)

from napari_mmreg.gui.landmarks.dock import LandmarksDock
from napari_mmreg.gui.register import shortcuts
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo
from napari_mmreg.gui.shared.widgets.keyboard import controls_of
from napari_mmreg.gui.shared.widgets.section import Section
from napari_mmreg.models import ModelInfo

pytestmark = pytest.mark.gui

MODELS = [
    ModelInfo("one", "Model One", "For maps.", "BSD-3-Clause"),
    ModelInfo("classical", "Classical", "For all.", "BSD-3-Clause"),
]
WAIT = 20_000


@pytest.fixture
def make_dock(make_napari_viewer):
    docks = []

    def make(register, *, pictures=(), viewer=None, show=False):
        viewer = viewer or make_napari_viewer(show=show)
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


def _run(qtbot, dock):
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)


# Runs


def test_only_what_is_asked_for_is_added(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    own = [layer.name for layer in viewer.layers if layer.name.startswith("[")]
    assert own == ["[1] registered", "[1] compare"]
    offered = [name for name, b in dock.layers.toggles.items() if not b.isHidden()]
    kinds = ["registered", "arrows", "colour", "amount", "grid", "risk", "before"]
    assert offered == kinds
    grid = dock.layers.toggles["grid"]
    grid.click()
    assert viewer.layers["[1] deformed grid"].visible
    viewer.layers["[1] deformed grid"].visible = False  # the eye in the list
    assert not grid.isChecked()
    grid.click()
    assert viewer.layers["[1] deformed grid"].visible
    _run(qtbot, dock)
    assert not viewer.layers["[1] deformed grid"].visible
    assert viewer.layers["[2] deformed grid"].visible


def test_runs_are_kept_and_renamed_in_the_list(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    _run(qtbot, dock)
    runs = dock.runs.runs
    assert runs.item(0).text() == "1 · fake · infrared → visible"
    runs.tick(1, on=True)
    assert viewer.layers["[1] registered"].visible
    runs.tick(1, on=False)
    assert not viewer.layers["[1] registered"].visible
    runs.editItem(runs.item(0))
    editor = runs.findChild(QLineEdit)
    editor.setText("the good one")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: runs.item(0).text() == "1 · the good one", timeout=WAIT)
    assert dock.compare.source.itemText(2) == "Run 1 · the good one"
    dock.compare.source.select(dock.session.runs.runs[0])
    assert "[2] compare" in viewer.layers
    dock.runs.remove.click()  # run 2
    dock.compare.source.select("after")
    assert runs.numbers == [1]


def test_the_runs_are_there_when_the_dock_is_opened_again(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    dock.session.runs.rename(1, "mine")
    viewer.window.remove_dock_widget(dock)
    _, again = make_dock(engine, viewer=viewer)
    assert again.runs.runs.numbers == [1]
    assert again.runs.runs.item(0).text() == "1 · mine"
    assert again.results.isVisibleTo(again)
    qtbot.waitUntil(lambda: not again.busy, timeout=WAIT)
    assert "[1] compare" in viewer.layers
    again.layers.toggles["risk"].click()
    assert viewer.layers["[1] misregistration"].visible


def test_the_tolerance_of_the_map_of_risk(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    tolerance = dock.layers.tolerance
    assert not tolerance.isVisibleTo(dock)
    dock.layers.toggles["risk"].click()
    assert tolerance.isVisibleTo(dock)
    result = dock.runs.run.bundle.result
    assert tolerance.value() == result.default_tolerance
    layer = viewer.layers["[1] misregistration"]
    outline = viewer.layers["[1] limit of tolerance"]
    assert outline.contour > 0
    assert outline not in dock.start_box.areas.fixed_mask.values
    former = layer.data.mean()
    tolerance.setValue(2 * result.default_tolerance)
    assert layer.data.mean() < former
    np.testing.assert_allclose(layer.data, result.chance_off(2 * result.default_tolerance))
    tolerance.setValue(0.1)
    np.testing.assert_array_equal(outline.data, layer.data > 0.5)
    assert outline.data.any()
    tolerance.setValue(result.default_tolerance)
    np.testing.assert_allclose(layer.data.mean(), former)


def test_the_budget_is_asked_for_auto_alone(make_dock, engine, pictures):
    _, dock = make_dock(engine, pictures=pictures)
    budget = dock.method.budget
    assert budget.isVisibleTo(dock)
    assert budget.value == "balanced"
    dock.method.model.select("classical")
    assert not budget.isVisibleTo(dock)


def test_a_saved_result_is_opened(make_dock, engine, pictures, qtbot, tmp_path, monkeypatch):
    _, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    result = dock.runs.run.bundle.result
    shape = {"shape": list(pictures[0].shape)}
    result.provenance["inputs"] = {"fixed": shape, "moving": shape}
    result.save(tmp_path / "scan 7")
    dock.runs.remove.click()
    folder = str(tmp_path / "scan 7")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: folder)
    dock.open_result.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert dock.runs.runs.item(0).text() == "1 · scan 7"
    assert folder in dock.status.text
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path))
    dock.open_result.click()
    assert "no saved result" in dock.status.text


# Words and next steps


def test_a_failed_run_adds_nothing_and_says_what_to_try(make_dock, fake_engine, pictures, qtbot):
    engine = fake_engine(status="failed")
    viewer, dock = make_dock(engine, pictures=pictures)
    before = list(viewer.layers)
    _run(qtbot, dock)
    assert list(viewer.layers) == before
    assert dock.status.word.text() == "Failed"
    assert strings.FAILED_RUN in dock.status.text
    steps = dock.next_steps
    assert steps.isVisibleTo(dock)
    assert steps.model.text() == "Try Classical"

    steps.model.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert engine.calls[-1][2]["model"] == "classical"
    steps.flip.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    start = engine.calls[-1][2]["initial"]
    np.testing.assert_allclose(start @ (10, 0, 1), (10, pictures[1].shape[1] - 1, 1))
    assert steps.flip.isHidden()

    steps.paint.click()
    mask = viewer.layers["mask of visible"]
    assert dock.start_box.areas.fixed_mask.value is mask
    assert mask.mode == "paint"
    assert viewer.layers.selection.active is mask
    assert not steps.isVisibleTo(dock)

    engine.status = "ok"
    _run(qtbot, dock)
    assert not steps.isVisibleTo(dock)
    assert "[1] registered" in viewer.layers


def test_landmarks_are_one_click_away(make_dock, fake_engine, pictures, qtbot):
    viewer, dock = make_dock(fake_engine(status="failed"), pictures=pictures)
    _run(qtbot, dock)
    dock.next_steps.landmarks.click()
    qtbot.waitUntil(
        lambda: any("Landmarks" in name for name in viewer.window.dock_widgets), timeout=WAIT
    )


def test_nothing_pops_up_during_a_run(make_napari_viewer, pictures, qtbot):
    """The dock as napari's menu opens it, with its own proxy around the viewer."""
    viewer = make_napari_viewer()
    for picture in pictures:
        viewer.add_image(picture)
    shown = []
    notification_manager.notification_ready.connect(shown.append)
    try:
        _, dock = viewer.window.add_plugin_dock_widget("napari-mmreg", "Register images")
        dock.method.model.select("classical")
        dock.method.refine.setChecked(False)
        dock.start()
        qtbot.waitUntil(lambda: not dock.busy, timeout=120_000)
        viewer.cursor.position = (30, 40)
        for callback in viewer.mouse_move_callbacks:
            callback(viewer, None)
        for name in ("arrows", "colour"):
            dock.layers.toggles[name].click()
        dock.results.look_at_worst()
    finally:
        notification_manager.notification_ready.disconnect(shown.append)
    loud = [note for note in shown if note.severity >= NotificationSeverity.WARNING]
    assert [str(note.message) for note in loud] == []


# Sharing


def test_a_figure_an_animation_and_the_code_are_taken_away(
    make_dock, engine, pictures, qtbot, tmp_path, monkeypatch
):
    _, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    actions = {action.data(): action for action in dock.runs.share.menu().actions()}
    actions["copy_figure"].trigger()
    assert QGuiApplication.clipboard().image().width() == 640
    actions["copy_script"].trigger()
    assert "napari_mmreg.register(" in QGuiApplication.clipboard().text()
    for what, name, kind in (
        ("export_figure", "a.png", ""),
        ("export_figure", "v1.2", "SVG drawing (*.svg)"),
        ("export_animation", "b", ""),
    ):
        chosen = str(tmp_path / name), kind
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, _c=chosen, **__: _c)
        actions[what].trigger()
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"
    assert b"<svg" in (tmp_path / "v1.2.svg").read_bytes()
    assert (tmp_path / "b.gif").read_bytes()[:3] == b"GIF"
    assert "b.gif" in dock.status.text
    dock.compare.mode.select("off")
    actions["copy_figure"].trigger()
    assert strings.NO_COMPARISON in dock.status.text


# Keys


def _press(viewer, key):
    """Press and release a key as napari hands it to its key bindings."""
    handler = viewer.window._qt_viewer.canvas._key_map_handler
    handler.press_key(key)
    return lambda: handler.release_key(key)


def test_a_key_held_shows_the_images_before(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    shown = viewer.layers["[1] compare"].data.copy()
    dock.compare.source.select("before")
    before = viewer.layers["[1] compare"].data.copy()
    dock.compare.source.select("after")
    let_go = _press(viewer, shortcuts.HOLD)
    np.testing.assert_array_equal(viewer.layers["[1] compare"].data, before)
    let_go()
    qtbot.waitUntil(lambda: np.array_equal(viewer.layers["[1] compare"].data, shown), timeout=WAIT)
    dock.compare.mode.select("off")
    dock.compare.hold.pressed.emit()
    alone = viewer.layers["[1] compare"].data
    np.testing.assert_array_equal(alone[..., 0], dock.runs.run.bundle.shown["before"])
    dock.compare.hold.released.emit()
    assert "[1] compare" not in viewer.layers


def test_keys_register_cancel_and_look(make_dock, blocking_engine, pictures, qtbot):
    engine = blocking_engine()
    viewer, dock = make_dock(engine, pictures=pictures)
    _press(viewer, shortcuts.REGISTER)
    qtbot.waitUntil(engine.entered.is_set, timeout=WAIT)
    _press(viewer, shortcuts.REGISTER)  # again: neither cancels nor starts another one
    assert dock.run_bar.running
    _press(viewer, shortcuts.CANCEL)
    assert strings.CANCELLED in dock.status.text
    assert engine.left.wait(10)
    engine.let_go.set()
    _run(qtbot, dock)
    _press(viewer, shortcuts.WORST)
    assert dock.results.cursor_line.text() == strings.NO_WORST
    viewer.window.remove_dock_widget(dock)
    assert not viewer.keymap


# Room


def test_docks_share_their_place(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures, show=True)
    landmarks = LandmarksDock(viewer)
    viewer.window.add_dock_widget(landmarks, name="Landmarks", area="right")
    window = viewer.window._qt_window

    def area(widget):
        return next(d for d in window.findChildren(QDockWidget) if d.isAncestorOf(widget))

    qtbot.waitUntil(lambda: area(landmarks) in window.tabifiedDockWidgets(area(dock)), timeout=WAIT)
    assert area(landmarks).isVisible()
    landmarks.shut_down()


def test_labels_go_above_where_the_dock_is_narrow(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures, show=True)
    window = viewer.window._qt_window
    window.resize(1200, 800)
    area = next(d for d in window.findChildren(QDockWidget) if d.isAncestorOf(dock))

    def all_are(direction, width):
        window.resizeDocks([area], [width], Qt.Orientation.Horizontal)
        qtbot.wait(20)
        rows = dock._inner.findChildren(style.FieldRow)
        return bool(rows) and all(row.direction() == direction for row in rows)

    assert dock.minimumSizeHint().width() < 320
    down, along = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
    qtbot.waitUntil(lambda: all_are(down, 250), timeout=WAIT)
    qtbot.waitUntil(lambda: all_are(along, 500), timeout=WAIT)
    dock.method.refine.setText(60 * "-")  # wider, as with a larger font
    qtbot.waitUntil(lambda: all_are(down, 500), timeout=WAIT)


def test_nothing_is_cut_in_a_small_window(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures, show=True)
    viewer.window._qt_window.resize(1280, 720)
    dock.start_section.fold(folded=False)
    qtbot.wait(200)
    widgets = [*dock.findChildren(QCheckBox), *dock.findChildren(Combo)]
    seen = [widget for widget in widgets if widget.isVisible()]
    assert {dock.method.refine, dock.method.fusion, dock.images.fixed.modality} <= set(seen)
    for widget in seen:
        assert widget.width() >= widget.minimumSizeHint().width()


def test_folded_parts_stay_folded(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    method = next(s for s in dock.findChildren(Section) if s.button.text() == strings.METHOD)
    assert dock.method.isVisibleTo(dock)
    method.button.click()
    assert not dock.method.isVisibleTo(dock)
    viewer.window.remove_dock_widget(dock)
    _, again = make_dock(engine, viewer=viewer)
    assert not again.method.isVisibleTo(again)
    assert again.images.isVisibleTo(again)


def test_every_control_has_a_name_and_says_what_it_does(make_dock, engine, pictures, qtbot):
    _, dock = make_dock(engine, pictures=pictures)
    _run(qtbot, dock)
    dock.advanced.expand(animate=False)
    controls = controls_of(dock._inner)
    assert len(controls) > 25
    about = [
        (control.accessibleName() or _text(control), control.toolTip()) for control in controls
    ]
    assert [pair for pair in about if not all(pair)] == []


def _text(control):
    return control.text() if isinstance(control, QAbstractButton) else ""


def test_tab_goes_from_top_to_bottom(make_dock, engine, pictures, qtbot):
    _, dock = make_dock(engine, pictures=pictures)
    controls = controls_of(dock._inner)
    wanted = [dock.images.fixed.layers, dock.method.model, dock.run_bar.button, dock.runs.save]
    assert [control for control in controls if control in wanted] == wanted
    at, seen = controls[0], []
    for _ in range(400):
        if at in wanted and at not in seen:
            seen.append(at)
        at = at.nextInFocusChain()
    assert seen == wanted


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_quiet_text_can_be_read(make_dock, engine, theme):
    viewer, dock = make_dock(engine)
    viewer.theme = theme
    from napari.utils.theme import get_theme

    colours = dock.styleSheet().split("rgb(")[1].split(")")[0]
    ink = _luminance([int(part) for part in colours.split(",")])
    paper = _luminance(get_theme(theme).background.as_rgb_tuple(alpha=False))
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5  # WCAG 2, AA


def _luminance(rgb):
    values = np.asarray(rgb) / 255
    linear = np.where(values <= 0.03928, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
