"""Moving the curtain of a comparison with the mouse: its line is dragged on the canvas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.utils.events import EmitterGroup, Event

from napari_mmreg.gui.register.comparison import Comparison
from napari_mmreg.gui.shared import compat

REACH = 10.0
"""Screen pixels on either side of the line where it can be taken."""

_TAKE = "pointing"
"""napari's name of the cursor there."""


class Swipe:
    """Follows the mouse while a curtain is shown; everywhere but at its line the view is panned.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    comparison : Comparison

    Attributes
    ----------
    events : EmitterGroup
        ``moved``, with the place of the curtain as `value`, in [0, 1] of the image's width.
    """

    def __init__(self, viewer: Any, comparison: Comparison) -> None:
        self._viewer = viewer
        self._comparison = comparison
        self._former_cursor = ""
        self.events = EmitterGroup(source=self, moved=Event)
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.mouse_move_callbacks.append(self._on_move)

    def close(self) -> None:
        """Let go of the viewer."""
        for callbacks, callback in (
            (self._viewer.mouse_drag_callbacks, self._on_drag),
            (self._viewer.mouse_move_callbacks, self._on_move),
        ):
            if callback in callbacks:
                callbacks.remove(callback)
        self._show_cursor(near=False)

    def _on_drag(self, _viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or event.modifiers or not self._near():
            return
        event.handled = True  # else the view would be panned
        yield
        while event.type == "mouse_move":
            pixel = self._pixel()
            if pixel is None:  # turned off meanwhile
                return
            event.handled = True
            self.events.moved(value=float(np.clip((pixel[1] + 0.5) / self._shape[1], 0, 1)))
            yield

    def _on_move(self, _viewer: Any, _event: Any) -> None:
        self._show_cursor(near=self._near())

    def _show_cursor(self, *, near: bool) -> None:
        cursor = self._viewer.cursor
        if near and not self._former_cursor:
            self._former_cursor, cursor.style = str(cursor.style), _TAKE
        elif not near and self._former_cursor:
            former, self._former_cursor = self._former_cursor, ""
            if cursor.style == _TAKE:  # else napari has changed it
                cursor.style = former

    def _near(self) -> bool:
        """Whether the mouse is at the line."""
        pixel, run = self._pixel(), self._comparison.run
        if pixel is None or run is None:
            return False
        rows, cols = self._shape
        line = self._comparison.amount * cols - 0.5
        placement = run.bundle.snapshot.fixed.placement
        width = float(compat.screen_pixels_per_pixel(self._viewer, placement)[1])
        within = -0.5 <= pixel[0] <= rows - 0.5
        return bool(within and abs(pixel[1] - line) * width <= REACH)

    @property
    def _shape(self) -> tuple[int, int]:
        run = self._comparison.run
        return (1, 1) if run is None else run.bundle.snapshot.fixed.shape

    def _pixel(self) -> Any:
        """Return where the mouse is in fixed pixels; None unless a curtain is seen there."""
        run, layer = self._comparison.run, self._comparison.layer
        if run is None or layer is None or self._comparison.mode != "curtain":
            return None
        if self._viewer.dims.ndisplay != 2 or not layer.visible:
            return None
        at, active = run.bundle.snapshot.slice, self._viewer.layers.selection.active
        if at is not None and not at.is_shown(self._viewer):
            return None
        if active is not None and active.mode != "pan_zoom":  # the mouse draws or selects
            return None
        point = np.asarray(self._viewer.cursor.position, dtype=np.float64)[-2:]
        return compat.to_pixels(self._viewer, run.bundle.snapshot.fixed.placement, point[None])[0]
