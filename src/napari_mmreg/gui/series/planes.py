"""Going to a plane in the viewer, and knowing which one it shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_mmreg.gui.shared.compat import point_in
from napari_mmreg.gui.shared.placement import unit_factors
from napari_mmreg.gui.shared.snapshot import current_step


class PlaneFollower:
    """Knows the stack whose planes a table lists.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._axis = -1

    def follow(self, layer: Any, axis: int) -> None:
        """Follow a stack; `axis` counts from the last axis before rows and columns."""
        self._layer, self._axis = layer, axis

    @property
    def _alive(self) -> bool:
        return self._layer is not None and self._layer in self._viewer.layers

    def shown(self) -> int | None:
        """Return the plane that the viewer shows; None if the stack is gone."""
        if not self._alive:
            return None
        return current_step(self._layer, point_in(self._viewer, self._layer))[self._axis]

    def go_to(self, plane: int) -> None:
        """Move the viewer's slider to a plane."""
        if not self._alive:
            return
        layer, dims = self._layer, self._viewer.dims
        own = layer.ndim - 2 + self._axis
        place = np.array((*current_step(layer, point_in(self._viewer, layer)), 0, 0), float)
        place[own] = plane
        world = float(layer.data_to_world(tuple(place))[own])
        axis = dims.ndim - 2 + self._axis
        if dims.units:
            world *= float(unit_factors((str(layer.units[own]),), (str(dims.units[axis]),))[0])
        dims.set_point(axis, world)
