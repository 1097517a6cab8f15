"""Two images side by side: linked views in napari's grid, a cross at the same place of both."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Points

from napari_mmreg.gui.shared import bundle as bundles
from napari_mmreg.gui.shared import compat, strings
from napari_mmreg.gui.shared.later import Later
from napari_mmreg.gui.shared.layer_spec import shared_kwargs
from napari_mmreg.gui.shared.links import Links
from napari_mmreg.gui.shared.placement import Placement
from napari_mmreg.gui.shared.snapshot import Snapshot

_CROSS = 9.0
"""Size of a cross on the screen, in pixels, whatever the zoom."""


class SideBySide:
    """Shows two layers in napari's grid; leaving it, the grid is again what it was.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layers: list[Image | Points] = []
        self._placement: Placement | None = None
        self._former: dict[str, Any] = {}
        self._links = Links()
        self._tidy = Later()
        self._tidy.timeout.connect(self._to_the_top)

    def enter(self, snapshot: Snapshot, left: Image, right: Image) -> None:
        """Show two layers of the viewer side by side, or one above the other if they are wide.

        Everything else lies below them. `snapshot` says where the fixed image lies.
        """
        self.leave()
        self._placement = snapshot.fixed.placement
        crosses = [_new_cross(snapshot) for _ in range(2)]
        self._layers = [right, crosses[0], left, crosses[1]]
        layers = self._viewer.layers
        selected = set(layers.selection)
        layers.extend(crosses)
        layers.selection = selected
        self._to_the_top()
        grid = self._viewer.canvas.grid
        self._former = {name: getattr(grid, name) for name in ("enabled", "stride", "shape")}
        rows, cols = snapshot.fixed.shape
        height, width = self._viewer.canvas.size
        grid.stride = -2  # from the top of the list: an image and its cross
        grid.shape = (2, 1) if cols * height > rows * width else (1, 2)
        grid.enabled = True
        self._viewer.fit_to_view()
        events = layers.events
        self._links.replace(
            [(events.inserted, self._tidy.call), (events.reordered, self._tidy.call)]
        )
        self._viewer.mouse_move_callbacks.append(self._on_move)

    def leave(self) -> None:
        """Take the crosses away and give the grid back."""
        if not self._layers:
            return
        self._links.replace()
        self._tidy.stop()
        callbacks = self._viewer.mouse_move_callbacks
        if self._on_move in callbacks:
            callbacks.remove(self._on_move)
        crosses, self._layers = self._layers[1::2], []
        grid = self._viewer.canvas.grid
        for name, value in self._former.items():
            setattr(grid, name, value)
        for cross in crosses:
            if cross in self._viewer.layers:
                self._viewer.layers.remove(cross)
        self._viewer.fit_to_view()

    def _to_the_top(self) -> None:
        """Keep the layers last in the list, in pairs: a new one there would change all places."""
        layers = self._viewer.layers
        wanted = self._layers
        if list(layers[-len(wanted) :]) == wanted or any(layer not in layers for layer in wanted):
            return
        for layer in wanted:
            layers.move(layers.index(layer), len(layers))

    def _on_move(self, _viewer: Any, _event: Any) -> None:
        """Put both crosses where the mouse is."""
        if self._placement is None:
            return
        point = np.asarray(self._viewer.cursor.position, dtype=np.float64)[-2:]
        pixel = compat.to_pixels(self._viewer, self._placement, point[None])
        for cross in self._layers[1::2]:
            cross.data = pixel


def _new_cross(snapshot: Snapshot) -> Points:
    kwargs = shared_kwargs(snapshot, bundles.COMPARE)
    return Points(
        np.array([snapshot.fixed.shape]) / 2,
        **kwargs | {"name": strings.CROSS},
        symbol="cross",
        size=_CROSS,
        canvas_size_limits=(_CROSS, _CROSS),
        face_color="yellow",
        border_color="yellow",
    )
