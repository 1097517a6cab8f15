"""Removing layers in a real window: what they held is freed where it was made."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Points
from qtpy.QtGui import QOpenGLContext
from qtpy.QtTest import QTest
from vispy.gloo import gl

from layer_watch import ContextWatch
from napari_mmreg.gui.shared.compat import guard_removals

pytestmark = pytest.mark.gui


class Canvas:
    """The canvas of a window, and a watch on what is freed where."""

    def __init__(self, viewer):
        self.viewer = viewer
        self.scene = viewer.window._qt_viewer.canvas._scene_canvas
        self.watch = ContextWatch(viewer)

    def leave(self):
        """Make another context current, as Qt does whenever it composes the window."""
        native = self.scene.native
        assert native._secondary_context.makeCurrent(native._surface)
        assert QOpenGLContext.currentContext() is not native.context()

    def add(self):
        random = np.random.default_rng(0)
        for _ in range(2):
            self.viewer.add_image(random.random((20, 24)))
        self.viewer.add_points(random.random((9, 2)) * 20)
        QTest.qWait(150)  # drawn


@pytest.fixture
def canvas(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    guard_removals(viewer)
    viewer.add_image(np.zeros((20, 24)))
    canvas = Canvas(viewer)
    canvas.add()
    yield canvas
    canvas.watch.stop()


def remove_one(layers):
    layers.remove(layers[-1])


def remove_selected(layers):
    layers.selection = set(layers[1:])
    layers.remove_selected()


def clear(layers):
    layers.clear()


@pytest.mark.parametrize("remove", [remove_one, remove_selected, clear])
def test_what_layers_held_is_freed_in_the_canvas_s_own_context(canvas, remove):
    for _ in range(2):  # what is current after the first time is right by luck
        canvas.leave()
        freed = canvas.watch.freed
        remove(canvas.viewer.layers)
        assert canvas.watch.freed > freed
        assert not canvas.watch.faults, canvas.watch.faults[0]
        canvas.add()


def test_no_array_of_a_former_draw_stays_enabled_without_its_buffer(canvas):
    points = next(layer for layer in canvas.viewer.layers if isinstance(layer, Points))
    canvas.scene.set_current()
    count = gl.glGetParameter(gl.GL_MAX_VERTEX_ATTRIBS)
    enabled = [gl.glGetVertexAttrib(i, gl.GL_VERTEX_ATTRIB_ARRAY_ENABLED) for i in range(count)]
    assert sum(enabled) > 3  # those of the points
    canvas.viewer.layers.remove(points)
    canvas.scene.set_current()
    for array in range(count):
        if gl.glGetVertexAttrib(array, gl.GL_VERTEX_ATTRIB_ARRAY_ENABLED):
            assert gl.glGetVertexAttrib(array, gl.GL_VERTEX_ATTRIB_ARRAY_BUFFER_BINDING)


def test_a_viewer_without_a_window_is_left_alone():
    viewer = ViewerModel()
    guard_removals(viewer)
    viewer.add_image(np.zeros((4, 4)))
    viewer.layers.clear()
    assert not viewer.layers


def test_the_guard_is_set_once_for_all_docks_of_a_window(canvas):
    guarded = canvas.scene.context.finish
    guard_removals(canvas.viewer)
    assert canvas.scene.context.finish is guarded
