"""Fixed and registered image side by side, in napari's grid."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.gui.register.picturing import figure_of

pytestmark = pytest.mark.gui
WAIT = 20_000
FIXED, OTHER = "[1] compare: fixed", "[1] compare: other"


@pytest.fixture
def beside(make_dock, engine, pictures, qtbot):
    """A viewer and a dock that shows a run side by side."""
    viewer, dock = make_dock(engine, pictures)
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    qtbot.waitUntil(lambda: "[1] compare" in viewer.layers, timeout=WAIT)
    dock.compare.mode.select("beside")
    return viewer, dock


def in_boxes(viewer):
    """The names of the visible layers in each box of the grid, the uppermost last."""
    layers, grid = viewer.layers, viewer.canvas.grid
    boxes = {}
    for index, layer in enumerate(layers):
        boxes.setdefault(grid.position(index, layers), []).append(layer.name)
    boxes.pop((-1, -1), None)
    return [boxes[place] for place in sorted(boxes)]


def test_fixed_comes_first_and_both_lie_on_top(beside, pictures):
    viewer, dock = beside
    first, second = in_boxes(viewer)
    assert first[-2] == FIXED
    assert second[-2] == OTHER
    assert first[-1].startswith("cross")
    assert second[-1].startswith("cross")
    np.testing.assert_array_equal(
        viewer.layers[FIXED].data[..., 0], dock.session.runs.shown.bundle.shown["fixed"]
    )
    after = viewer.layers[OTHER].data.copy()
    dock.compare.hold_before(held=True)
    assert not np.array_equal(viewer.layers[OTHER].data, after)
    dock.compare.hold_before(held=False)
    np.testing.assert_array_equal(viewer.layers[OTHER].data, after)


def test_wide_images_lie_one_above_the_other(beside):
    viewer, _ = beside
    height, width = viewer.canvas.size
    assert viewer.canvas.grid.shape == ((2, 1) if 128 * height > 96 * width else (1, 2))


def test_a_new_layer_does_not_mix_the_boxes(beside, qtbot):
    viewer, dock = beside
    former = in_boxes(viewer)
    dock.session.runs.toggle("arrows", on=True)
    uppermost = [box[-2:] for box in former]
    qtbot.waitUntil(lambda: [box[-2:] for box in in_boxes(viewer)] == uppermost, timeout=WAIT)


def test_the_crosses_are_where_the_mouse_is(beside):
    viewer, _ = beside
    viewer.cursor.position = (20.0, 30.0)
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, None)
    for layer in viewer.layers:
        if layer.name.startswith("cross"):
            np.testing.assert_allclose(layer.data, [[20, 30]], atol=1e-6)


@pytest.mark.parametrize("by", ["mode", "layer list", "run", "closing"])
def test_the_grid_is_what_it_was(make_dock, engine, pictures, qtbot, by):
    viewer, dock = make_dock(engine, pictures)
    grid = viewer.canvas.grid
    grid.stride, grid.shape = 3, (2, 2)
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: "[1] compare" in viewer.layers, timeout=WAIT)
    dock.compare.mode.select("beside")
    assert grid.enabled
    if by == "mode":
        dock.compare.mode.select("overlay")
    elif by == "layer list":
        viewer.layers.remove(FIXED)
        qtbot.waitUntil(lambda: dock.compare.mode.value == "off", timeout=WAIT)
    elif by == "run":
        dock.runs.remove_clicked.emit()
    else:
        dock.shut_down()
    assert (grid.enabled, grid.stride, grid.shape) == (False, 3, (2, 2))
    names = [layer.name for layer in viewer.layers]
    assert not any("cross" in name or "compare: " in name for name in names)


def test_a_figure_of_both(beside):
    _, dock = beside
    mode, amount, source = dock.compare.combined
    figure = figure_of(dock.session.runs.shown, mode, amount, source)
    assert figure.picture.shape == (96, 128 + 3 + 128, 3)
    assert [entry.text for entry in figure.legend] == [
        "first: visible (fixed)",
        "second: infrared (registered)",
    ]
