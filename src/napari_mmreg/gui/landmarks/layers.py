"""The Points layers of fixed and moving landmarks, and the ghost; kept in step with the book."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points
from napari.layers.base import ActionType
from numpy.typing import NDArray

from napari_mmreg.gui.shared.compat import replace_data
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.landmarks import SIDES, LandmarkBook, LandmarkPair, Side

if TYPE_CHECKING:
    from napari_mmreg.gui.shared.snapshot import Picture

NAMES = {"fixed": "fixed landmarks", "moving": "moving landmarks", "ghost": "landmark ghost"}
SYMBOLS = {"fixed": "ring", "moving": "cross", "ghost": "x"}
GHOST = "#ffe14d"
UNKNOWN = "#ffffff"
HALF = "#5ec8ff"
DISABLED = "#8a8f98"

_SCREEN_SIZE = (9, 15)
"""Least and greatest size of a marker on the screen, in pixels."""

_RAMP = np.array([(0.24, 0.86, 0.38), (1.0, 0.88, 0.30), (1.0, 0.27, 0.22)])
"""Colour at error 0, at the limit, and at twice the limit."""


class LandmarkLayers:
    """Shows a book's pairs in a viewer, and turns edits of the layers into edits of the book.

    Both layers carry the pair's id, name, source, state and errors as features.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    book : LandmarkBook
    added : callable
        ``added(side, point)``: a point was added with napari's own tool.
    keys : mapping of str to callable
        What keys do on the canvas while one of the layers is active.
    """

    def __init__(
        self,
        viewer: Any,
        book: LandmarkBook,
        added: Callable[[Side, Any], None],
        keys: Mapping[str, Callable[[], Any]],
    ) -> None:
        self._viewer = viewer
        self._book = book
        self._added = added
        self._keys = keys
        self._layers: dict[str, Points] = {}
        self._ids: dict[str, list[int]] = {"fixed": [], "moving": []}
        self._writing = False
        self.errors: Mapping[int, tuple[float, float, float]] = {}
        self.colour_by, self.limit = "after", 3.0

    def attach(self, fixed: Picture, moving: Picture) -> None:
        """Make the layers, in the pixels and at the places of two pictures."""
        self.detach()
        for side, picture in (("fixed", fixed), ("moving", moving), ("ghost", moving)):
            layer = _make(side, picture)
            self._layers[side] = layer
            for key, action in self._keys.items():
                layer.bind_key(key, lambda _layer, action=action: action())
            if side != "ghost":
                layer.events.data.connect(self._on_fixed if side == "fixed" else self._on_moving)
        selected = set(self._viewer.layers.selection)
        for layer in self._layers.values():
            self._viewer.layers.append(layer)
        self._viewer.layers.selection = selected
        self.refresh()

    def detach(self) -> None:
        """Remove the layers; the book stays."""
        layers, self._layers = self._layers, {}
        for side, layer in layers.items():
            if side != "ghost":
                layer.events.data.disconnect(self._on_fixed if side == "fixed" else self._on_moving)
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._ids = {"fixed": [], "moving": []}

    def get(self, side: str) -> Points | None:
        """Return the layer of ``"fixed"``, ``"moving"`` or ``"ghost"``, if it is in the viewer."""
        layer = self._layers.get(side)
        return layer if layer is not None and layer in self._viewer.layers else None

    def raise_(self) -> None:
        """Bring the landmarks above layers that came later."""
        layers = self._viewer.layers
        for layer in self._layers.values():
            if layer in layers and layers.index(layer) < len(layers) - len(self._layers):
                layers.move(layers.index(layer), len(layers))

    def refresh(self, *, places_only: bool = False) -> None:
        """Write the book and the errors into the layers.

        Parameters
        ----------
        places_only : bool
            Leave features and colours as they are: fast enough to follow the mouse.
        """
        for side in SIDES:
            layer = self.get(side)
            if layer is not None:
                self._write(layer, side, places_only=places_only)

    def show_ghost(self, point: Any) -> None:
        """Show the ghost at a moving pixel; None hides it."""
        layer = self.get("ghost")
        if layer is None:
            return
        replace_data(layer, np.empty((0, 2)) if point is None else np.atleast_2d(point))

    def select(self, ids: set[int]) -> None:
        """Select pairs in both layers."""
        for side in SIDES:
            layer = self.get(side)
            if layer is not None:
                layer.selected_data = {
                    row for row, pair in enumerate(self._ids[side]) if pair in ids
                }

    def _write(self, layer: Points, side: Side, *, places_only: bool) -> None:
        pairs = [pair for pair in self._book.pairs if pair.at(side) is not None]
        data = np.array([pair.at(side) for pair in pairs], dtype=np.float64).reshape(-1, 2)
        ids = [pair.id for pair in pairs]
        self._writing = True
        try:
            if layer.data.shape != data.shape or not np.array_equal(layer.data, data):
                if len(layer.data) != len(data):
                    layer.selected_data = set()
                replace_data(layer, data)
            if places_only and ids == self._ids[side]:
                return
            self._ids[side] = ids
            layer.features = self._features(pairs)
            if pairs:
                colours = self._colours(pairs)
                layer.face_color = colours
                layer.border_color = colours
            layer.refresh_text()
        finally:
            self._writing = False

    def _features(self, pairs: list[LandmarkPair]) -> dict[str, Any]:
        errors = np.array(
            [self.errors.get(pair.id, (np.nan,) * 3) for pair in pairs], dtype=np.float64
        ).reshape(-1, 3)
        return {
            "pair": np.array([pair.id for pair in pairs], dtype=np.int64),
            "name": np.array([pair.name for pair in pairs], dtype=object),
            "enabled": np.array([pair.enabled for pair in pairs], dtype=bool),
            "complete": np.array([pair.complete for pair in pairs], dtype=bool),
            "source": np.array([pair.source for pair in pairs], dtype=object),
            "before": errors[:, 0],
            "after": errors[:, 1],
            "left_out": errors[:, 2],
        }

    def _colours(self, pairs: list[LandmarkPair]) -> NDArray[np.float64]:
        column = ("before", "after", "left_out").index(self.colour_by)
        return np.array(
            [
                pair_colour(pair, self.errors.get(pair.id, (np.nan,) * 3)[column], self.limit)
                for pair in pairs
            ]
        )

    def _on_fixed(self, event: Any) -> None:
        self._on_data("fixed", event)

    def _on_moving(self, event: Any) -> None:
        self._on_data("moving", event)

    def _on_data(self, side: Side, event: Any) -> None:
        """Follow what the user did to a layer with napari's own tools."""
        layer = self._layers.get(side)
        if self._writing or layer is None:
            return
        ids, rows = self._ids[side], [int(row) for row in event.data_indices]
        if event.action == ActionType.REMOVED:
            gone = {ids[row] for row in rows if -len(ids) <= row < len(ids)}
            if len(layer.data) == 0:
                gone = set(ids)
            self._book.remove(pair for pair in gone if self._book.get(pair) is not None)
        elif event.action == ActionType.ADDED:
            for point in layer.data[len(ids) :].copy():
                self._added(side, point)
        elif event.action == ActionType.CHANGED and len(layer.data) == len(ids):
            gesture = object()
            for row, pair in enumerate(ids):
                self._book.place(pair, side, layer.data[row], gesture)
        self.refresh()


def pair_colour(pair: LandmarkPair, error: float, limit: float) -> tuple[float, ...]:
    """Return a pair's RGBA: grey if disabled, blue if half-finished, else by its error."""
    from napari.utils.colormaps.standardize_color import transform_color

    fixed = None
    if not pair.enabled:
        fixed = DISABLED
    elif not pair.complete:
        fixed = HALF
    elif np.isnan(error):
        fixed = UNKNOWN
    if fixed is not None:
        return tuple(float(value) for value in transform_color(fixed)[0])
    place = min(error / max(limit, 1e-12), 2.0)
    red, green, blue = (float(np.interp(place, (0, 1, 2), _RAMP[:, i])) for i in range(3))
    return red, green, blue, 1.0


def _make(side: str, picture: Picture) -> Points:
    layer = Points(
        np.empty((0, 2)),
        ndim=2,
        **picture.placement.layer_kwargs,
        name=NAMES[side],
        symbol=SYMBOLS[side],
        size=max(picture.shape) / 30,
        canvas_size_limits=_SCREEN_SIZE,
        face_color=GHOST if side == "ghost" else UNKNOWN,
        border_color=GHOST if side == "ghost" else UNKNOWN,
        border_width=0.05,
        blending="translucent_no_depth",
        metadata={METADATA_KEY: {"role": NAMES[side], "fixed_or_moving": side}},
    )
    if side != "ghost":
        layer.features = {"name": np.array([], dtype=object)}
        layer.text = {
            "string": "{name}",
            "size": 10,
            "color": "white",
            "anchor": "lower_left",
            "translation": np.zeros(2),
        }
    return layer
