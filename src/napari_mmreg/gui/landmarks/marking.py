"""The mouse while pairs are marked: click to mark, drag a landmark to move it, drag to pan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_mmreg.gui.shared import compat
from napari_mmreg.landmarks import Side

if TYPE_CHECKING:
    from napari_mmreg.gui.landmarks.entry import PairEntry
    from napari_mmreg.gui.landmarks.layers import LandmarkLayers
    from napari_mmreg.gui.shared.snapshot import Picture
    from napari_mmreg.landmarks import LandmarkBook

CLICK = 5.0
"""Screen pixels that the mouse may move during a click."""

NEAR = 12.0
"""Screen pixels from a landmark at which it is grabbed."""


class Editor(Protocol):
    """What marking needs to know and to change."""

    book: LandmarkBook
    entry: PairEntry
    layers: LandmarkLayers

    def image(self, side: Side) -> Any:
        """Return an image layer, None if there is none."""

    def picture(self, side: Side) -> Picture | None:
        """Return what is seen of an image layer, None if there is none."""

    def select(self, ids: Iterable[int]) -> None:
        """Select pairs."""

    def drag(self, pair_id: int, side: Side, point: Any, gesture: object) -> None:
        """Move a landmark while the mouse is down."""

    def finish_drag(self) -> None:
        """Let the numbers that a drag had left out be computed."""


class Marking:
    """Turns presses on the canvas into edits, while it is on.

    Parameters
    ----------
    editor : Editor
        Whose pairs are marked.
    viewer : napari.components.ViewerModel
    """

    def __init__(self, editor: Editor, viewer: Any) -> None:
        self._editor = editor
        self._viewer = viewer
        self._visible: dict[Any, tuple[bool, bool]] = {}
        self._active_layer: Any = None
        self.on = False
        self.show = "one"

    def start(self) -> None:
        """Listen to the mouse and show the image to click."""
        if self.on:
            return
        self.on = True
        self._active_layer = self._viewer.layers.selection.active
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        self.update()

    def stop(self) -> None:
        """Let go of the mouse; what was hidden is visible again."""
        if not self.on:
            return
        self.on = False
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._restore()
        if self._active_layer is not None and self._active_layer in self._viewer.layers:
            self._viewer.layers.selection.active = self._active_layer

    def update(self) -> None:
        """Show the image that is to be clicked, and look at the ghost."""
        if not self.on:
            return
        side = self._editor.entry.expecting
        layer = self._editor.layers.get(side)
        if layer is not None and self._viewer.layers.selection.active is not layer:
            layer.mode = "pan_zoom"  # clicks are ours now
            self._viewer.layers.selection.active = layer
        if self.show == "one":
            self._show_only(side)
        else:
            self._restore()
        self._look_at_ghost()

    def _show_only(self, side: Side) -> None:
        image = self._editor.image(side)
        keep = {image, self._editor.layers.get(side), self._editor.layers.get("ghost")}
        for layer in self._viewer.layers:
            wanted = layer in keep
            if layer.visible != wanted:
                former, _ = self._visible.get(layer, (layer.visible, wanted))
                self._visible[layer] = (former, wanted)
                layer.visible = wanted

    def _restore(self) -> None:
        """Undo our own changes of what is visible, not those that the user made meanwhile."""
        for layer, (former, ours) in self._visible.items():
            if layer in self._viewer.layers and layer.visible == ours:
                layer.visible = former
        self._visible = {}

    def _look_at_ghost(self) -> None:
        """Move the camera if the ghost lies outside of what the canvas shows."""
        point = self._editor.entry.ghost
        picture = self._editor.picture("moving")
        if point is None or picture is None:
            return
        corners = compat.visible_corners(self._viewer, picture.placement)
        if corners is None:
            return
        inside = (corners.min(axis=0) < point) & (point < corners.max(axis=0))
        if not inside.all():
            compat.look_at(self._viewer, picture.placement, point)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """Handle one press, moves and release; a generator as napari wants it."""
        if event.button != 1 or event.modifiers or viewer.dims.ndisplay != 2:
            return
        start = np.asarray(event.pos, dtype=np.float64)
        hit = self._hit(event.position)
        side, grabbed = hit if hit is not None else (self._editor.entry.expecting, None)
        gesture, dragged = object(), False
        event.handled = hit is not None
        yield
        while event.type == "mouse_move":
            far = np.linalg.norm(np.asarray(event.pos) - start) >= CLICK
            dragged = dragged or bool(far)
            if grabbed is not None:
                event.handled = True  # or the camera would pan
                if dragged:
                    self._drag(side, grabbed, event.position, gesture)
            elif not dragged:
                event.handled = True
            yield
        if isinstance(grabbed, int):
            self._editor.select({grabbed})
            if dragged:
                self._drag(side, grabbed, event.position, gesture)
                self._editor.finish_drag()
        elif not dragged:
            # Also beside the ghost: whoever clicks there means that place, not the guess.
            self._editor.entry.click(side, self._pixel(side, event.position))
        elif grabbed == "ghost":
            self._editor.entry.accept()

    def _drag(self, side: Side, grabbed: int | str, position: Any, gesture: object) -> None:
        point = self._pixel(side, position)
        if isinstance(grabbed, int):
            self._editor.drag(grabbed, side, point, gesture)
        else:
            self._editor.entry.move_ghost(point)

    def _hit(self, position: Any) -> tuple[Side, int | str] | None:
        """Return the landmark or ghost under the mouse."""
        best: tuple[Side, int | str] | None = None
        least = NEAR
        sides: tuple[Side, ...] = ("fixed", "moving")
        for side in sides:
            layer = self._editor.layers.get(side)
            picture = self._editor.picture(side)
            if layer is None or picture is None or not layer.visible:
                continue
            here = self._pixel(side, position)
            zoom = compat.screen_pixels_per_pixel(self._viewer, picture.placement)
            places: list[tuple[Any, int | str]] = [
                (pair.at(side), pair.id)
                for pair in self._editor.book.pairs
                if pair.at(side) is not None
            ]
            if side == "moving" and self._editor.entry.ghost is not None:
                places.insert(0, (self._editor.entry.ghost, "ghost"))
            for place, what in places:
                distance = float(np.linalg.norm((np.asarray(place) - here) * zoom))
                if distance < least:
                    best, least = (side, what), distance
        return best

    def _pixel(self, side: Side, position: Any) -> Any:
        picture = self._editor.picture(side)
        if picture is None:  # pragma: no cover - marking is on with two images only
            raise RuntimeError("no image")
        world = np.asarray(position, dtype=np.float64)[-2:]
        return compat.to_pixels(self._viewer, picture.placement, world[None])[0]
