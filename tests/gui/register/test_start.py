"""The start of a run: by hand, flipped, turned; masks and regions drawn in one click."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.compat import isalive

from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.register.placing import FLIP, TURN, Placing, in_words
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.snapshot import RunSettings
from napari_mmreg.models import ModelInfo

MODELS = [ModelInfo("one", "Model One", "For maps.", "BSD-3-Clause")]
WAIT = 20_000
gui = pytest.mark.gui


@pytest.fixture
def placing(viewer, session):
    return Placing(viewer, session.runs)


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


def _run(qtbot, dock):
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)


# Without a window


def test_a_turn_and_a_flip_keep_the_centre(viewer, placing, pair):
    moving = pair[1]
    moving.scale, moving.translate = (2, 2), (5, 9)
    middle = (np.array(moving.data.shape) - 1) / 2
    centre = np.array(moving.data_to_world(middle))
    placing.about_centre(moving, TURN)
    np.testing.assert_allclose(moving.data_to_world(middle), centre)
    # Clockwise: what lay above the centre lies to its right.
    np.testing.assert_allclose(moving.data_to_world(middle - (10, 0)), centre + np.array([0, 20]))
    placing.about_centre(moving, FLIP)
    np.testing.assert_allclose(moving.data_to_world(middle - (10, 0)), centre - np.array([0, 20]))
    assert placing.describe(moving) == "flipped, turned by -90°"  # in this order
    placing.reset(moving)
    np.testing.assert_allclose(np.asarray(moving.affine), np.eye(3))
    assert placing.describe(moving) == ""


def test_a_plane_of_a_stack_is_turned_in_its_plane(viewer, placing, pictures):
    viewer.add_image(pictures[0])
    stack = viewer.add_image(np.stack([pictures[1]] * 4), scale=(5, 1, 1))
    placing.about_centre(stack, TURN)
    rows, cols = pictures[1].shape
    middle = (2, (rows - 1) / 2, (cols - 1) / 2)
    np.testing.assert_allclose(stack.data_to_world(middle), (10, *middle[1:]))
    assert placing.describe(stack) == "turned by 90°"


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.diag([1.0, 1, 1]), "shifted by 3 px"),
        (np.diag([1.5, 1.5, 1]), "scaled by 1.50, shifted by 3 px"),
        (TURN @ TURN @ TURN, "turned by -90°, shifted by 3 px"),
        (FLIP, "flipped, shifted by 3 px"),
    ],
)
def test_what_was_done_is_put_into_words(matrix, said):
    assert in_words(matrix, 3.0, "px") == said


def test_images_of_different_sizes_are_moved_from_where_a_run_would_start(
    viewer, session, placing, pictures
):
    fixed = viewer.add_image(pictures[0], scale=(2, 2), name="visible")
    moving = viewer.add_image(pictures[1][::2, ::2], name="infrared")
    snapshot = session.snapshot(fixed, moving, RunSettings(start="centre"))
    placing.show_start(moving, snapshot)
    # Nobody measured the moving image: both frames fill each other.
    for layer in (fixed, moving):
        middle = (np.array(layer.data.shape) - 1) / 2
        np.testing.assert_allclose(layer.data_to_world(middle), (95, 127))
    np.testing.assert_allclose(np.diag(np.asarray(moving.affine))[:2], (4, 4))


# In a window


@gui
def test_a_run_starts_where_the_image_was_put(make_dock, engine, pictures, qtbot):
    _viewer, dock = make_dock(engine, pictures)
    fixed, moving = dock.images.pair
    box = dock.start_box
    assert box.line.text() == strings.STARTS_CENTRED
    assert not box.reset.isEnabled()
    box.turn.click()
    qtbot.waitUntil(lambda: "turned by 90°" in box.line.text(), timeout=WAIT)
    assert box.side.text() == strings.SIDE_BY_HAND
    _run(qtbot, dock)
    start = engine.calls[0][2]["initial"]
    world = np.array(fixed.data_to_world((10, 20)))
    np.testing.assert_allclose((start @ (10, 20, 1))[:2], moving.world_to_data(world))
    assert strings.STARTED_FROM_LAYERS in dock.status.text

    box.reset.click()
    qtbot.waitUntil(lambda: box.line.text() == strings.STARTS_CENTRED, timeout=WAIT)
    np.testing.assert_allclose(np.asarray(moving.affine), np.eye(3))
    assert box.side.text() == ""
    _run(qtbot, dock)
    assert engine.calls[1][2]["initial"] is None


@gui
def test_handles_come_and_go(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    _fixed, moving = dock.images.pair
    _run(qtbot, dock)
    moving.visible = False
    box = dock.start_box
    box.by_hand.click()
    assert moving.mode == "transform"
    assert viewer.layers.selection.active is moving
    assert moving.visible
    assert moving.opacity < 1
    assert "[1] compare" not in viewer.layers
    assert not viewer.layers["[1] registered"].visible
    moving.affine = np.array([[1, 0, 4], [0, 1, 3], [0, 0, 1.0]])  # as a drag does
    qtbot.waitUntil(lambda: "shifted by 5 px" in box.line.text(), timeout=WAIT)

    box.by_hand.click()
    qtbot.waitUntil(lambda: "[1] compare" in viewer.layers, timeout=WAIT)
    assert moving.mode == "pan_zoom"
    assert not moving.visible
    assert moving.opacity == 1
    assert viewer.layers["[1] registered"].visible
    assert dock.session.runs.wanted == {"registered"}

    box.by_hand.click()
    moving.mode = "pan_zoom"  # with napari's own button
    assert not box.by_hand.isChecked()
    box.by_hand.click()
    _run(qtbot, dock)  # registering takes the handles away
    assert moving.mode == "pan_zoom"
    np.testing.assert_allclose(engine.calls[-1][2]["initial"][:2, 2], (-4, -3))


@gui
def test_a_drag_on_the_canvas_moves_the_image(make_dock, engine, pictures, qtbot):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    viewer, dock = make_dock(engine, pictures)
    viewer.window.show()
    viewer.window.resize(1280, 720)
    qtbot.wait(300)
    viewer.reset_view()
    dock.start_box.by_hand.click()
    qtbot.wait(200)
    canvas = viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseMove(canvas, middle)
    QTest.mousePress(canvas, left, none, middle)
    for x in (30, 60):
        QTest.mouseMove(canvas, middle + QPoint(x, 0))
        qtbot.wait(60)
    QTest.mouseRelease(canvas, left, none, middle + QPoint(60, 0))
    qtbot.wait(60)
    moved = np.asarray(dock.images.pair[1].affine)[:2, 2]
    np.testing.assert_allclose(moved, (0, 60 / viewer.scene.camera.zoom), atol=1e-3)


@gui
def test_the_layer_that_has_handles_can_be_removed(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    _run(qtbot, dock)
    moving = dock.images.pair[1]
    dock.start_box.by_hand.click()
    viewer.layers.remove(moving)
    qtbot.wait(100)
    assert not dock.start_box.by_hand.isChecked()
    assert viewer.layers["[1] registered"].visible
    assert "[1] compare" in viewer.layers


@gui
def test_closing_takes_the_handles_away(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    moving = dock.images.pair[1]
    dock.start_box.by_hand.click()
    viewer.window.remove_dock_widget(dock)
    assert moving.mode == "pan_zoom"
    assert moving.opacity == 1
    moving.affine = np.diag([2.0, 2, 1])  # nobody of ours listens any more


@gui
def test_nothing_is_moved_in_3d(make_dock, engine, pictures):
    viewer, dock = make_dock(engine, pictures)
    viewer.dims.ndisplay = 3
    dock.start_box.by_hand.click()
    assert strings.NOT_IN_3D in dock.status.text
    assert not dock.start_box.by_hand.isChecked()


@gui
def test_a_mask_and_a_region_are_one_click_away(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    areas = dock.start_box.areas
    areas.draw_moving.click()
    mask = viewer.layers["mask of infrared"]
    assert areas.moving_mask.value is mask
    assert mask.mode == "paint"
    mask.paint((30, 40), 1)
    areas.draw_region.click()
    region = viewer.layers["region of visible"]
    assert areas.region.value is region
    assert region.mode == "add_rectangle"
    assert strings.DRAW_REGION in dock.status.text
    dock.run_bar.button.click()
    assert "Nothing is drawn" in dock.status.text
    assert not engine.calls

    region.add_rectangles(np.array([(20, 30), (20, 79), (69, 79), (69, 30)]))
    _run(qtbot, dock)
    fixed, _, options = engine.calls[0]
    np.testing.assert_array_equal(fixed, pictures[0][20:70, 30:80])
    np.testing.assert_allclose(options["initial"][:2, 2], (20, 30))
    np.testing.assert_array_equal(options["moving_mask"], mask.data > 0)
    registered = viewer.layers["[1] registered"]
    np.testing.assert_allclose(registered.data_to_world((0, 0)), (20, 30))
    assert strings.OF_REGION in dock.status.text
    assert "visible (region)" in dock.runs.run.title

    region.name = "nucleus"
    assert areas.region.currentText() == "nucleus"
    viewer.layers.remove(region)
    assert areas.region.value is None
