"""Placing the moving layer by hand, as the start of a run; every step can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.history import History
from napari_mmreg.gui.register.motions import (
    affine_of,
    carry_along,
    in_words,
    is_flat,
    motion_between,
    moved,
)
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.compat import point_in
from napari_mmreg.gui.shared.job import start_of
from napari_mmreg.gui.shared.placement import (
    Matrix,
    Placement,
    moving_from_fixed,
    place,
    unit_factors,
)
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.snapshot import Snapshot, current_step

SEEN_THROUGH = 0.6
"""Opacity of the upper of the two images while one of them is moved."""

_LEAST = 1e-3
"""A layer whose corners move by less than this part of a pixel is not moved."""


@dataclass(frozen=True)
class _Look:
    """How a layer looked before it was moved."""

    layer: Any
    visible: bool
    opacity: float


class Placing:
    """Moves a layer by its affine, which napari shows and every run starts from.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    runs : RunBook
        Whose layers are hidden while a layer is moved: they would cover it.
    """

    def __init__(self, viewer: Any, runs: RunBook) -> None:
        self._viewer = viewer
        self._runs = runs
        self._history = History()
        self._seen: WeakKeyDictionary[Any, Matrix] = WeakKeyDictionary()
        self._looks: list[_Look] = []
        self._pair: tuple[Any, Any] = (None, None)
        self._working = False

    @property
    def held(self) -> Any:
        """The layer that has handles on the canvas, or None."""
        return self._pair[1]

    @property
    def pair(self) -> tuple[Any, Any]:
        """The fixed layer, and the moving one that has handles over it; None where none is."""
        return self._pair

    # Handles on the canvas

    def hold(self, fixed: Any, moving: Any) -> None:
        """Give the moving layer handles on the canvas, and show it over the fixed one."""
        self.let_go()
        self._history.begin(moving)
        self._pair = (fixed, moving)
        self._runs.put_aside(aside=True)
        self._looks = [_Look(layer, layer.visible, layer.opacity) for layer in (fixed, moving)]
        fixed.visible = moving.visible = True
        upper = max(fixed, moving, key=self._viewer.layers.index)
        upper.opacity = min(upper.opacity, SEEN_THROUGH)
        self._viewer.layers.selection.active = moving
        moving.mode = "transform"
        self._viewer.mouse_drag_callbacks.append(self._on_press)

    def check_view(self, moving: Any) -> None:
        """Make sure that a drag on the canvas moves a layer in its last two axes.

        Raises
        ------
        InputError
            If the view is 3-D, or shows other axes or another unit than the layer's.
        """
        dims = self._viewer.dims
        if dims.ndisplay != 2:
            raise InputError(strings.NOT_IN_3D)
        if sorted(dims.displayed) != [dims.ndim - 2, dims.ndim - 1]:
            raise InputError(strings.NOT_THESE_AXES)
        # napari 0.9 takes the mouse's place, which is in the view's unit, for one in the layer's.
        own, view = str(moving.units[-1]), str((dims.units or moving.units)[-1])
        if own != view:
            raise InputError(strings.NOT_IN_UNIT.format(name=moving.name, own=own, view=view))

    def let_go(self) -> None:
        """Take the handles away; everything else looks as it did before."""
        moving = self.held
        if moving is None:
            return
        self._pair = (None, None)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        if moving.mode == "transform":
            moving.mode = "pan_zoom"
        for look in self._looks:  # what the user has changed meanwhile stays
            if look.layer.opacity == min(look.opacity, SEEN_THROUGH):
                look.layer.opacity = look.opacity
            if look.layer.visible:
                look.layer.visible = look.visible
        self._looks = []
        self._runs.put_aside(aside=False)

    def _on_press(self, _viewer: Any, _event: Any) -> None:
        """Note where a drag begins: it is one step."""
        if self.held is not None:
            self._history.begin(self.held)

    # Steps

    def show_start(self, moving: Any, snapshot: Snapshot) -> None:
        """Put the moving layer where a run of the snapshot would start.

        Raises
        ------
        InputError
            If the two layers' units cannot be compared, or the moving one is flat.
        """
        fixed, picture = snapshot.fixed.placement, snapshot.moving.placement
        _check_units(fixed, picture)
        lies = moving_from_fixed(fixed, picture)
        there = start_of(snapshot).map(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
        wanted = np.eye(3)
        wanted[:2, :2] = (there[1:] - there[0]).T
        wanted[:2, 2] = there[0]
        world = picture.world_from_pixels
        self._move(moving, world @ lies @ np.linalg.inv(wanted) @ np.linalg.inv(world))

    def about_centre(self, moving: Any, matrix: Matrix) -> None:
        """Apply a matrix to a layer's place in the world, about its own centre."""
        centre = np.eye(3)
        centre[:2, 2] = self._corners(moving).mean(axis=0)
        self._move(moving, centre @ matrix @ np.linalg.inv(centre))

    def reset(self, moving: Any) -> None:
        """Put a layer back to where it lay before it was moved here; `undo` takes that back."""
        first = self._history.first(moving)
        if first is not None:
            self._history.begin(moving)
            self._set(moving, first)

    def undo(self, moving: Any) -> None:
        """Take back the last step: a drag, a flip, a turn, a reset."""
        former = self._history.go_back(moving)
        if former is not None:
            self._set(moving, former)

    def can_undo(self, moving: Any) -> bool:
        """Whether there is a step to take back."""
        return self._history.can_go_back(moving)

    def _move(self, moving: Any, motion: Matrix) -> None:
        if self._moves(moving, motion):
            self._history.begin(moving)
            self._set(moving, moved(affine_of(moving), motion))

    def _set(self, moving: Any, affine: Matrix) -> None:
        former, self._working = self._working, True
        try:
            moving.affine = affine
        finally:
            self._working = former
        self._history.end(moving)

    # Following

    def watch(self, moving: Any) -> None:
        """Note where a layer lies, so that `follow` can tell how it moved."""
        now = affine_of(moving)
        if not is_flat(now):  # nothing could be carried back from a line
            self._seen[moving] = now

    def follow(self, moving: Any, mask: Any = None) -> None:
        """Take notice that a layer moved; its mask goes along if it was moved here."""
        before = self._seen.get(moving)
        self.watch(moving)
        if moving is not self.held and not self._working:
            return
        self._history.end(moving)
        if mask is not None and before is not None and not is_flat(affine_of(moving)):
            carry_along(mask, moving, before)

    # Words

    def motion(self, moving: Any) -> Matrix | None:
        """Return what was done to a layer's place in the world, (3, 3); None if nothing."""
        first = self._history.first(moving)
        if first is None:
            return None
        motion = motion_between(first, affine_of(moving))
        return motion if self._moves(moving, motion) else None

    def describe(self, moving: Any) -> str:
        """Return in words what was done to a layer's place; '' if nothing."""
        motion = self.motion(moving)
        if motion is None:
            return ""
        now = np.append(self._corners(moving).mean(axis=0), 1.0)
        shift = float(np.linalg.norm((now - np.linalg.pinv(motion) @ now)[:2]))
        unit = str(moving.units[-1])
        least = _LEAST * min(self._place(moving).spacing)
        return in_words(motion, shift if shift > least else 0.0, "px" if unit == "pixel" else unit)

    def _moves(self, moving: Any, motion: Matrix) -> bool:
        """Whether a motion of a layer is one that could be seen."""
        if is_flat(motion):
            return True
        corners = self._corners(moving)
        there = corners @ motion[:2, :2].T + motion[:2, 2]
        apart = np.abs(there - corners).max()
        return bool(apart > _LEAST * min(self._place(moving).spacing))

    def _place(self, layer: Any) -> Placement:
        return place(layer, current_step(layer, point_in(self._viewer, layer)))

    def _corners(self, layer: Any) -> NDArray[np.float64]:
        """Return the centres of a layer's corner pixels in its last two world axes, (4, 2)."""
        data = layer.data[0] if layer.multiscale else layer.data
        rows, cols = (data.shape[:-1] if layer.rgb else data.shape)[-2:]
        frame = np.array([(0, 0, 1), (rows - 1, 0, 1), (0, cols - 1, 1), (rows - 1, cols - 1, 1)])
        corners = frame @ self._place(layer).world_from_pixels.T
        return np.asarray(corners[:, :2], dtype=np.float64)


def _check_units(fixed: Placement, moving: Placement) -> None:
    """Say what helps here where one cannot be moved over the other: no way of starting does."""
    try:
        unit_factors(moving.units, fixed.units)
    except InputError as error:
        raise InputError(
            strings.NOT_COMPARABLE.format(fixed=fixed.units[-1], moving=moving.units[-1])
        ) from error
