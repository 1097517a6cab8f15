"""The Apply dock in a real napari window."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.compat import isalive

from napari_mmreg.geometry import Frame, MatrixTransform
from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.apply.dock import ApplyDock
from napari_mmreg.gui.apply.form import FROM_FILE
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.snapshot import RunSettings

pytestmark = pytest.mark.gui

WAIT = 30_000
SHIFT = (2.0, -1.5)


@pytest.fixture
def window(make_napari_viewer, pictures, engine):
    """A viewer with two images, cells of the moving one, and the dock; no run yet."""
    viewer = make_napari_viewer()
    fixed, moving = pictures
    viewer.add_image(fixed, name="visible", scale=(0.5, 0.5))
    viewer.add_image(moving, name="infrared", scale=(0.5, 0.5))
    labels = np.zeros(moving.shape, np.int32)
    labels[20:40, 30:50] = 3
    viewer.add_labels(labels, name="nuclei", scale=(0.5, 0.5))
    viewer.add_points(
        [(30.0, 40.0), (50.0, 20.0)],
        name="cells",
        scale=(0.5, 0.5),
        features={"kind": ["a", "b"]},
    )
    dock = ApplyDock(viewer)
    viewer.window.add_dock_widget(dock, name="Apply registration")
    yield viewer, dock
    dock.shut_down()


def register(viewer, engine):
    """Finish a run between the two images, as the Register dock does."""
    session = Session(viewer, engine)
    snapshot = session.snapshot(viewer.layers["visible"], viewer.layers["infrared"], RunSettings())
    outcome = session.job(snapshot).execute(lambda *_: None)
    list(session.deliver(outcome.value))
    return session


def press(qtbot, dock):
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)


def test_nothing_to_apply_is_said_and_a_run_is_chosen_when_it_comes(window, engine, qtbot):
    viewer, dock = window
    assert dock.form.from_file
    assert not dock.run_bar.button.isEnabled()
    assert dock.run_bar.button.toolTip() == texts.NEED
    assert dock.form.fixed.value is viewer.layers["visible"]
    assert dock.form.moving.value is viewer.layers["infrared"]
    session = register(viewer, engine)
    assert dock.form.run is session.runs.runs[0]
    assert not dock.form.file.visible
    names = [layer.name for layer in dock.form.layers.choices]
    assert names == ["cells", "nuclei", "infrared", "visible"]  # nothing that the run has made
    dock.form.choose_layers([viewer.layers["nuclei"]])
    assert dock.run_bar.button.isEnabled()
    session.close()


def test_layers_are_carried_and_the_users_stay_as_they_are(window, engine, qtbot):
    viewer, dock = window
    session = register(viewer, engine)
    chosen = [viewer.layers["nuclei"], viewer.layers["cells"], viewer.layers["infrared"]]
    before = [np.array(layer.data) for layer in chosen]
    dock.form.choose_layers(chosen)
    press(qtbot, dock)
    assert "3 layers on the pixels of visible" in dock.status.text
    labels, points = viewer.layers["nuclei on visible"], viewer.layers["cells on visible"]
    # The engine's shift is two rows down and half a pixel against the columns.
    np.testing.assert_array_equal(labels.data[18:38, 32:51], 3)
    assert set(np.unique(labels.data)) == {0, 3}
    np.testing.assert_allclose(points.data, np.subtract([(30, 40), (50, 20)], SHIFT))
    np.testing.assert_allclose(points.scale, (0.5, 0.5))
    assert list(points.features["kind"]) == ["a", "b"]
    np.testing.assert_array_equal(
        np.nan_to_num(viewer.layers["infrared on visible"].data),
        session.runs.runs[0].bundle.result.registered,
    )
    assert points.metadata[METADATA_KEY]["applied"]["source"] == "cells"
    for layer, was in zip(chosen, before, strict=True):
        np.testing.assert_array_equal(layer.data, was)
    assert points in dock.form.layers.choices  # results can be carried further
    session.close()


def test_the_other_direction_and_own_grid(window, engine, qtbot):
    viewer, dock = window
    session = register(viewer, engine)
    dock.form.choose_layers([viewer.layers["cells"]])
    dock.form.direction.value = "moving"
    dock.form.grid.value = "own"
    press(qtbot, dock)
    assert "their own pixels" in dock.status.text
    np.testing.assert_allclose(
        viewer.layers["cells on infrared"].data, np.add([(30, 40), (50, 20)], SHIFT)
    )
    session.close()


def test_a_stack_follows_the_slider(window, engine, qtbot):
    viewer, dock = window
    session = register(viewer, engine)
    stack = np.stack([viewer.layers["infrared"].data * n for n in range(4)])
    layer = viewer.add_image(stack, name="film", scale=(3, 0.5, 0.5))
    dock.form.choose_layers([layer])
    press(qtbot, dock)
    result = viewer.layers["film on visible"]
    assert result.data.shape == (4, *viewer.layers["visible"].data.shape)
    np.testing.assert_allclose(result.scale, (3, 0.5, 0.5))
    assert viewer.dims.range[0].start == 0
    viewer.dims.set_current_step(0, 2)
    np.testing.assert_array_equal(np.asarray(result._data_view), result.data[2])
    session.close()


def test_moving_the_layer_instead_and_back(window, engine, qtbot):
    viewer, dock = window
    session = register(viewer, engine)
    cells = viewer.layers["cells"]
    dock.form.choose_layers([cells])
    assert dock.move_button.isEnabled()
    assert not dock.undo_button.isEnabled()
    dock.move_button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert "1 layer moved" in dock.status.text
    assert len([layer for layer in viewer.layers if "cells" in layer.name]) == 1
    np.testing.assert_allclose(cells.data_to_world((30, 40)), np.subtract((30, 40), SHIFT) * 0.5)
    press(qtbot, dock)
    assert "already been moved" in dock.status.text
    dock.undo_button.click()
    np.testing.assert_allclose(cells.data_to_world((30, 40)), (15, 20))
    assert not dock.undo_button.isEnabled()
    session.close()


def test_what_bends_cannot_move_a_layer(window, engine, bent):
    viewer, dock = window
    session = register(viewer, engine)
    run = session.runs.runs[0]
    object.__setattr__(run.bundle.result, "transform", bent)
    dock.form.choose_layers([viewer.layers["nuclei"]])
    assert not dock.move_button.isEnabled()
    assert dock.run_bar.button.isEnabled()
    assert dock.hint.isVisibleTo(dock)
    session.close()


def test_a_transform_file(window, tmp_path, qtbot):
    viewer, dock = window
    MatrixTransform.translation(SHIFT).save(tmp_path / "shift.npz")
    dock.form.choose_layers([viewer.layers["cells"]])
    assert not dock.run_bar.button.isEnabled()
    dock.form.file.value = tmp_path / "shift.npz"
    assert dock.run_bar.button.isEnabled()
    assert dock.move_button.isEnabled()
    press(qtbot, dock)
    np.testing.assert_allclose(
        viewer.layers["cells on visible"].data, np.subtract([(30, 40), (50, 20)], SHIFT)
    )
    dock.form.file.value = tmp_path / "absent.npz"
    press(qtbot, dock)
    assert "absent.npz" in dock.status.text
    (tmp_path / "matrix.txt").write_text("1 0.1 2\n0 1 3\n0 0 1\n")
    dock.form.file.value = tmp_path / "matrix.txt"
    press(qtbot, dock)
    assert "plain 3x3 matrix" in dock.status.text
    dock.form.matrix.value = "rowcol"
    press(qtbot, dock)
    assert "1 layer on" in dock.status.text


def opened(viewer, path):
    (layer,) = viewer.open(path, plugin="napari-mmreg")
    return layer


def offered(dock):
    return [getattr(value, "name", value) for value in dock.form.registration.choices]


def test_an_opened_transform_file_is_offered_and_chosen(window, tmp_path, qtbot):
    viewer, dock = window
    MatrixTransform.translation(SHIFT).save(tmp_path / "shift.npz")
    opened(viewer, tmp_path / "shift.npz")
    assert offered(dock) == ["transform shift.npz", FROM_FILE]
    form = dock.form
    parts = form.fixed, form.moving, form.file, form.matrix
    assert [not part.native.isHidden() for part in parts] == [True, True, False, False]
    dock.form.choose_layers([viewer.layers["cells"]])
    press(qtbot, dock)
    np.testing.assert_allclose(
        viewer.layers["cells on visible"].data, np.subtract([(30, 40), (50, 20)], SHIFT)
    )
    dock.move_button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    cells = viewer.layers["cells"]
    np.testing.assert_allclose(cells.data_to_world((30, 40)), np.subtract((30, 40), SHIFT) * 0.5)


def test_opened_transforms_that_bend_or_fit_no_image(window, bent, tmp_path, qtbot):
    viewer, dock = window
    rows, cols = viewer.layers["visible"].data.shape
    frame = Frame((rows, cols)), Frame((rows, cols + 40))
    bent.save(tmp_path / "bent.npz")
    MatrixTransform.translation(SHIFT).with_frames(*frame).save(tmp_path / "other.npz")
    opened(viewer, tmp_path / "bent.npz")
    dock.form.choose_layers([viewer.layers["nuclei"]])
    assert dock.run_bar.button.isEnabled()
    assert not dock.move_button.isEnabled()
    opened(viewer, tmp_path / "other.npz")
    assert offered(dock) == ["transform other.npz", "transform bent.npz", FROM_FILE]
    assert dock.move_button.isEnabled()
    press(qtbot, dock)
    assert "was made for" in dock.status.text
    assert "nuclei on visible" not in viewer.layers
    for name in ("visible", "infrared"):
        viewer.layers.remove(name)
    press(qtbot, dock)
    assert texts.NO_SIDES in dock.status.text


def test_layers_of_runs_are_offered_once_and_removed_ones_no_longer(window, engine, tmp_path):
    viewer, dock = window
    session = register(viewer, engine)
    run = session.runs.runs[0]
    assert dock.form.registration.choices == (run, FROM_FILE)
    MatrixTransform.translation(SHIFT).save(tmp_path / "shift.npz")
    layer = opened(viewer, tmp_path / "shift.npz")
    assert dock.form.registration.choices == (run, layer, FROM_FILE)
    assert dock.form.carrier is layer
    layer.name = "mine"
    assert dock.form.registration.current_choice == "mine"
    session.runs.remove(run.number)
    assert dock.form.registration.choices == (layer, FROM_FILE)
    assert dock.form.carrier is layer
    viewer.layers.remove(layer)
    assert dock.form.from_file
    session.close()


def test_errors_are_sentences(window, engine, qtbot):
    viewer, dock = window
    session = register(viewer, engine)
    far = viewer.add_points([(1e6, 1e6)], name="far", scale=(0.5, 0.5))
    far.units = ("s", "s")
    dock.form.choose_layers([far])
    press(qtbot, dock)
    assert "cannot be compared" in dock.status.text
    assert dock.run_bar.button.isEnabled()
    session.close()


def test_cancel_gives_the_button_back_at_once(window, engine, qtbot, monkeypatch):
    viewer, dock = window
    session = register(viewer, engine)
    entered, left = threading.Event(), threading.Event()

    def load(registration):
        entered.set()
        left.wait(10)
        return MatrixTransform.translation(SHIFT)

    monkeypatch.setattr("napari_mmreg.gui.apply.registration.Registration.load", load)
    dock.form.choose_layers([viewer.layers["cells"]])
    dock.run_bar.button.click()
    qtbot.waitUntil(entered.is_set, timeout=WAIT)
    dock.run_bar.button.click()
    assert not dock.run_bar.running
    left.set()
    qtbot.wait(200)
    assert "cells on visible" not in [layer.name for layer in viewer.layers]
    session.close()


def test_names_and_deletions_are_followed(window, engine):
    viewer, dock = window
    session = register(viewer, engine)
    dock.form.choose_layers([viewer.layers["cells"], viewer.layers["nuclei"]])
    viewer.layers["cells"].name = "somata"
    assert [layer.name for layer in dock.form.chosen_layers] == ["somata", "nuclei"]
    assert dock.form.layers.native.item(0).text() == "somata"
    viewer.layers.remove("nuclei")
    assert [layer.name for layer in dock.form.chosen_layers] == ["somata"]
    session.runs.remove(1)
    assert dock.form.registration.value == FROM_FILE
    session.close()


def test_closing_the_window_lets_go(window, qtbot):
    _, dock = window
    dock.shut_down()
    assert not dock.form.chosen_layers
    dock.shut_down()
    assert isalive(dock)
