"""What moved in napari 0.9 and may move again: canvas, camera, overlays, settings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from weakref import WeakSet, ref

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.gui.shared.placement import Placement, unit_factors

_OVERLAY = "napari_mmreg_cursor"

_guarded: WeakSet[Any] = WeakSet()
"""The OpenGL contexts of canvases whose removals are guarded already."""


def bare_viewer(viewer: Any) -> Any:
    """Return the viewer inside the proxy that napari makes for every plugin's dock."""
    return getattr(viewer, "__wrapped__", viewer)


def guard_removals(viewer: Any) -> None:
    """Free what removed layers held in the canvas's own OpenGL context, whatever is current.

    napari 0.9 frees the textures, buffers and shaders of a removed layer at once
    (``context.finish()``), in whichever context is current. That is often the one Qt composes the
    window with: what is freed there is still bound in the canvas's context, and one of the next
    frames reads freed memory, which ends the process.

    An event of the layer list comes too late: napari calls a plugin's callbacks after all of its
    own, wherever they ask to be put. So the call itself is guarded. The guard stays for as long as
    the viewer: result layers can be removed after every dock was closed.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        One without a window is left alone.
    """
    window = getattr(bare_viewer(viewer), "window", None)
    if window is None:
        return
    canvas = window._qt_viewer.canvas._scene_canvas  # noqa: SLF001  napari has no public way
    if canvas.context in _guarded:
        return
    _guarded.add(canvas.context)
    finish, living = canvas.context.finish, ref(canvas)

    def finish_in_own_context() -> None:
        canvas = living()
        if canvas is not None:
            with suppress(RuntimeError, AttributeError):  # the window is gone already
                _enter(canvas)
        finish()

    canvas.context.finish = finish_in_own_context


def _enter(canvas: Any) -> None:
    """Make a canvas's OpenGL context current, with no array of a former draw left enabled.

    vispy enables the arrays of each draw and never disables them. One that is still enabled when
    its buffer is freed points to an offset from address 0, which some drivers read (napari #8471).
    """
    from vispy.gloo import gl

    if not canvas.native.isValid():  # never shown: nothing was drawn
        return
    canvas.set_current()
    for array in range(gl.glGetParameter(gl.GL_MAX_VERTEX_ATTRIBS)):
        gl.glDisableVertexAttribArray(array)


def replace_data(layer: Any, data: Any) -> None:
    """Give a Points or Vectors layer other data, hidden or not.

    napari does not slice a hidden layer: colours set after its data would be read, and its
    former points drawn, by places that are gone.
    """
    layer.data = data
    if not layer.visible:
        layer.set_view_slice()


def visible_corners(viewer: Any, placement: Placement) -> NDArray[np.float64] | None:
    """Return the corners of what the canvas shows, in a picture's pixels: (4, 2), (row, col).

    None where there is no 2-D view.
    """
    if viewer.dims.ndisplay != 2:
        return None
    camera = viewer.scene.camera
    half = np.asarray(viewer.canvas.size, dtype=np.float64) / max(float(camera.zoom), 1e-12) / 2
    centre = np.asarray(camera.center, dtype=np.float64)[-2:]
    signs = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)], dtype=np.float64)
    return to_pixels(viewer, placement, centre + half * signs)


def to_pixels(
    viewer: Any, placement: Placement, points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Carry points of the viewer's last two world axes to a picture's pixels, (n, 2)."""
    units = viewer.dims.units
    world = np.column_stack([points, np.ones(len(points))])
    if units:
        shown = (str(units[-2]), str(units[-1]))
        world[:, :2] *= unit_factors(shown, placement.units)
    pixels_from_world = np.linalg.inv(placement.world_from_pixels)
    return np.asarray(world @ pixels_from_world.T, dtype=np.float64)[:, :2]


def point_in(viewer: Any, layer: Any) -> tuple[float, ...]:
    """Return the viewer's current point in a layer's own world units, one number per axis."""
    point = np.asarray(viewer.dims.point, dtype=np.float64)[-layer.ndim :]
    units = viewer.dims.units
    if units and len(point) == layer.ndim:
        shown = tuple(str(unit) for unit in units[-layer.ndim :])
        point = point * unit_factors(shown, tuple(str(unit) for unit in layer.units))
    return tuple(float(x) for x in point)


def look_at_box(
    viewer: Any, placement: Placement, box: NDArray[np.int64], margin: float = 3.0
) -> None:
    """Centre the view on a box (row, col, row stop, col stop) of a picture's pixels, and zoom.

    `margin` is how many times the box fits into the view.
    """
    if viewer.dims.ndisplay != 2:
        return
    low, high = box[:2].astype(np.float64) - 0.5, box[2:].astype(np.float64) - 0.5
    corners = np.array([(*low, 1), (low[0], high[1], 1), (high[0], low[1], 1), (*high, 1)])
    world = (corners @ placement.world_from_pixels.T)[:, :2]
    units = viewer.dims.units
    if units:
        world = world * unit_factors(placement.units, (str(units[-2]), str(units[-1])))
    size = np.ptp(world, axis=0)
    camera = viewer.scene.camera
    middle = (world.max(axis=0) + world.min(axis=0)) / 2
    camera.center = (*tuple(camera.center)[:-2], *middle)
    canvas = np.asarray(viewer.canvas.size, dtype=np.float64)
    camera.zoom = float((canvas / np.maximum(size * margin, 1e-12)).min())


def camera_emitters(viewer: Any) -> tuple[Any, ...]:
    """Return the events of a camera that moves."""
    events = viewer.scene.camera.events
    return events.center, events.zoom


def show_cursor_text(viewer: Any, text: str) -> None:
    """Show a line of our own in the canvas; the user's text overlay stays free. '' hides it."""
    from napari.components.overlays import TextOverlay

    overlays = viewer.canvas.overlays
    if _OVERLAY not in overlays:
        if not text:
            return
        overlays[_OVERLAY] = TextOverlay(position="bottom_left", font_size=10, visible=False)
    overlay = overlays[_OVERLAY]
    overlay.text = text
    overlay.visible = bool(text)


def remove_cursor_text(viewer: Any) -> None:
    """Take our line out of the canvas."""
    viewer.canvas.overlays.pop(_OVERLAY, None)


def to_world(viewer: Any, placement: Placement, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carry a picture's pixels, (n, 2), to points of the viewer's last two world axes."""
    homogeneous = np.column_stack([points, np.ones(len(points))])
    world = np.asarray(homogeneous @ placement.world_from_pixels.T, dtype=np.float64)[:, :2]
    units = viewer.dims.units
    if units:
        world /= unit_factors((str(units[-2]), str(units[-1])), placement.units)
    return world


def look_at(viewer: Any, placement: Placement, point: Any, half_width: float | None = None) -> None:
    """Centre the camera on a picture's pixel.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    placement : Placement
    point : array_like of shape (2,)
    half_width : float, optional
        Zoom in so far that about this many pixels are seen around it; never out.
    """
    centre = to_world(viewer, placement, np.asarray(point, dtype=np.float64)[None])[0]
    camera = viewer.scene.camera
    camera.center = (*tuple(camera.center)[:-2], float(centre[0]), float(centre[1]))
    if half_width is not None:
        zoom = min(viewer.canvas.size) / (2 * half_width)
        per_pixel = float(screen_pixels_per_pixel(viewer, placement).mean())
        camera.zoom = max(camera.zoom * zoom / per_pixel, camera.zoom)


def screen_pixels_per_pixel(viewer: Any, placement: Placement) -> NDArray[np.float64]:
    """Return how many screen pixels one step along rows and columns of a picture covers, (2,)."""
    corners = to_world(viewer, placement, np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
    steps = np.linalg.norm(corners[1:] - corners[0], axis=1)
    return np.asarray(steps * float(viewer.scene.camera.zoom), dtype=np.float64)
