"""The curtain of a comparison is dragged on the canvas."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.gui
WAIT = 20_000


@pytest.fixture
def curtain(make_dock, engine, pictures, qtbot, mouse):
    """A viewer and a dock that shows the curtain at half of the image's width, and the mouse."""
    viewer, dock = make_dock(engine, pictures)
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    qtbot.waitUntil(lambda: "[1] compare" in viewer.layers, timeout=WAIT)
    dock.compare.mode.select("curtain")
    hand = mouse(viewer)
    return viewer, dock, hand


def line_of(layer):
    """The column of the white line."""
    (columns,) = np.nonzero((layer.data == 255).all(axis=(0, 2)))
    return columns.mean()


def test_the_line_follows_the_mouse(curtain, qtbot):
    viewer, dock, hand = curtain
    centre, shown = viewer.scene.camera.center, viewer.layers["[1] compare"]
    former = line_of(shown)
    hand.drag((3, 20), (150, 40))
    wanted = 0.5 + 150 / viewer.scene.camera.zoom / 128
    assert dock.compare.amount.value() == pytest.approx(1000 * wanted, abs=1)
    assert viewer.scene.camera.center == centre
    moved = 150 / viewer.scene.camera.zoom
    qtbot.waitUntil(lambda: abs(line_of(shown) - former - moved) <= 1, timeout=WAIT)
    hand.drag((150, 0), (-9000, 0))
    assert dock.compare.amount.value() == 0
    # Where the line is now it can be taken again.
    left = -64 * viewer.scene.camera.zoom
    hand.drag((left + 4, 0), (0, 0))
    assert dock.compare.amount.value() == pytest.approx(500, abs=1)


def test_everywhere_else_the_view_is_panned(curtain):
    viewer, dock, hand = curtain
    centre = np.array(viewer.scene.camera.center)
    hand.drag((40, 0), (90, 0))
    assert dock.compare.amount.value() == 500
    moved = np.array(viewer.scene.camera.center) - centre
    np.testing.assert_allclose(moved[-2:], (0, -50 / viewer.scene.camera.zoom), atol=0.05)


def test_the_cursor_says_where_the_line_can_be_taken(curtain):
    viewer, dock, hand = curtain
    former = viewer.cursor.style
    hand.move(2, 0)
    assert viewer.cursor.style == "pointing"
    hand.move(60, 0)
    assert viewer.cursor.style == former
    hand.move(2, 0)
    viewer.window.remove_dock_widget(dock)
    assert viewer.cursor.style == former
    assert len(viewer.mouse_drag_callbacks) == 1  # napari's own


@pytest.mark.parametrize("how", ["other mode", "paint", "hidden", "3d"])
def test_there_is_nothing_to_take_without_a_curtain(curtain, how):
    viewer, dock, hand = curtain
    if how == "other mode":
        dock.compare.mode.select("blend")
    elif how == "paint":
        dock.start_box.areas.draw_fixed.click()
    elif how == "hidden":
        viewer.layers["[1] compare"].visible = False
    else:
        viewer.dims.ndisplay = 3
    moved = []
    dock.session.swipe.events.moved.connect(moved.append)
    hand.drag((2, 0), (50, 0))
    assert moved == []
    if how == "paint":
        assert dock.start_box.areas.fixed_mask.value.data.any()


@pytest.mark.parametrize("how", ["mode", "remove layer", "remove run", "close"])
def test_a_curtain_that_goes_in_the_middle_of_a_drag(curtain, qtbot, how):
    viewer, dock, hand = curtain
    hand.press(0, 0)
    hand.move(20, 0)
    moved = []
    dock.session.swipe.events.moved.connect(moved.append)
    going = {
        "mode": lambda: dock.compare.mode.select("off"),
        "remove layer": lambda: viewer.layers.remove("[1] compare"),
        "remove run": dock.runs.remove.click,
        "close": lambda: viewer.window.remove_dock_widget(dock),
    }
    going[how]()
    hand.move(40, 0)
    hand.release(40, 0)
    assert moved == []
    assert "[1] compare" not in viewer.layers


def test_an_image_with_units_that_is_turned(curtain, qtbot):
    """A place on the canvas is a place in the image, however the image lies."""
    viewer, dock, _hand = curtain
    fixed = dock.images.pair[0]
    fixed.scale, fixed.rotate, fixed.units = (0.5, 2), 90, ("um", "um")
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    qtbot.waitUntil(lambda: "[2] compare" in viewer.layers, timeout=WAIT)
    viewer.cursor.position = fixed.data_to_world((40, 63.5))
    assert dock.session.swipe._near()
    viewer.cursor.position = fixed.data_to_world((90, 63.5))
    assert dock.session.swipe._near()
    viewer.cursor.position = fixed.data_to_world((40, 90))
    assert not dock.session.swipe._near()
    viewer.cursor.position = fixed.data_to_world((99, 63.5))
    assert not dock.session.swipe._near()


def test_how_to_drag_it_is_said_with_a_curtain_only(make_dock, engine, pictures):
    _viewer, dock = make_dock(engine, pictures)
    compare = dock.compare
    assert not compare.hint.isVisibleTo(compare)
    compare.mode.select("curtain")
    assert compare.hint.isVisibleTo(compare)
    compare.mode.select("blend")
    assert not compare.hint.isVisibleTo(compare)
