"""Placing the moving layer by hand, as the start of a run; every step can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.motions import (
    affine_of,
    carry_along,
    in_words,
    motion_between,
    moved,
)
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.compat import point_in
from napari_mmreg.gui.shared.job import start_of
from napari_mmreg.gui.shared.placement import Matrix, Placement, place, unit_factors
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


@dataclass
class _Past:
    """A layer's affine before each step, and as it was left by the last one."""

    states: list[Matrix]
    left: Matrix

    @property
    def at_rest(self) -> bool:
        """Whether all that was done is taken back; who moves the layer then is somebody else."""
        return np.array_equal(self.states[0], self.left)


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
        self._pasts: WeakKeyDictionary[Any, _Past] = WeakKeyDictionary()
        self._seen: WeakKeyDictionary[Any, Matrix] = WeakKeyDictionary()
        self._looks: list[_Look] = []
        self._held: Any = None
        self._working = False

    @property
    def held(self) -> Any:
        """The layer that has handles on the canvas, or None."""
        return self._held

    # Handles on the canvas

    def hold(self, fixed: Any, moving: Any) -> None:
        """Give the moving layer handles on the canvas, and show it over the fixed one."""
        self.let_go()
        self._remember(moving)
        self._held = moving
        self._runs.put_aside(aside=True)
        self._looks = [_Look(layer, layer.visible, layer.opacity) for layer in (fixed, moving)]
        fixed.visible = moving.visible = True
        upper = max(fixed, moving, key=self._viewer.layers.index)
        upper.opacity = min(upper.opacity, SEEN_THROUGH)
        self._viewer.layers.selection.active = moving
        moving.mode = "transform"
        self._viewer.mouse_drag_callbacks.append(self._on_press)

    def check_view(self, moving: Any) -> None:
        """Raise `InputError` if nothing can be dragged: in a 3-D view, or in another unit.

        napari 0.9 takes the mouse's place, which is in the view's unit, for one in the layer's.
        """
        if self._viewer.dims.ndisplay != 2:
            raise InputError(strings.NOT_IN_3D)
        own, view = str(moving.units[-1]), str((self._viewer.dims.units or moving.units)[-1])
        if own != view:
            raise InputError(strings.NOT_IN_UNIT.format(name=moving.name, own=own, view=view))

    def let_go(self) -> None:
        """Take the handles away; everything else looks as it did before."""
        moving, self._held = self._held, None
        if moving is None:
            return
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
        if self._held is not None:
            self._remember(self._held)

    # Steps

    def show_start(self, moving: Any, snapshot: Snapshot) -> None:
        """Put the moving layer where a run of the snapshot would start.

        Raises
        ------
        InputError
            If the two layers' units cannot be compared.
        """
        fixed, picture = snapshot.whole or snapshot.fixed, snapshot.moving
        units = unit_factors(fixed.placement.units, picture.placement.units)
        around = Snapshot(0, fixed, picture, None, None, snapshot.settings)
        start = start_of(around)
        there = start.map(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
        moving_from_fixed = np.eye(3)
        moving_from_fixed[:2, :2] = (there[1:] - there[0]).T
        moving_from_fixed[:2, 2] = there[0]
        wanted = np.diag([*units, 1.0]) @ fixed.placement.world_from_pixels
        wanted = wanted @ np.linalg.inv(moving_from_fixed)
        self._move(moving, wanted @ np.linalg.inv(picture.placement.world_from_pixels))

    def about_centre(self, moving: Any, matrix: Matrix) -> None:
        """Apply a matrix to a layer's place in the world, about its own centre."""
        centre = np.eye(3)
        centre[:2, 2] = self._corners(moving).mean(axis=0)
        self._move(moving, centre @ matrix @ np.linalg.inv(centre))

    def reset(self, moving: Any) -> None:
        """Put a layer back to where it lay before it was moved here; `undo` takes that back."""
        past = self._pasts.get(moving)
        if past is not None and not past.at_rest:
            self._remember(moving)
            self._set(moving, past.states[0])

    def undo(self, moving: Any) -> None:
        """Take back the last step: a drag, a flip, a turn, a reset."""
        past = self._pasts.get(moving)
        if past is None or not self.can_undo(moving):
            return
        now = affine_of(moving)
        while np.array_equal(past.states[-1], now):
            past.states.pop()
        former = past.states[-1]
        if len(past.states) > 1:  # the first one stays, for `reset`
            past.states.pop()
        self._set(moving, former)

    def can_undo(self, moving: Any) -> bool:
        """Whether there is a step to take back."""
        past, now = self._pasts.get(moving), affine_of(moving)
        if past is None or (past.at_rest and not np.array_equal(past.left, now)):
            return False
        return any(not np.array_equal(state, now) for state in past.states)

    def _move(self, moving: Any, motion: Matrix) -> None:
        if not self._moves(moving, motion):
            return
        self._remember(moving)
        self._set(moving, moved(affine_of(moving), motion))

    def _set(self, moving: Any, affine: Matrix) -> None:
        former, self._working = self._working, True
        try:
            moving.affine = affine
        finally:
            self._working = former
        self._pasts[moving].left = affine_of(moving)

    def _remember(self, moving: Any) -> None:
        """Note where a layer lies before a step."""
        now, past = affine_of(moving), self._pasts.get(moving)
        if past is None or (past.at_rest and not np.array_equal(past.left, now)):
            self._pasts[moving] = _Past([now], now)
        elif not np.array_equal(past.states[-1], now):
            past.states.append(now)

    # Following

    def watch(self, moving: Any) -> None:
        """Note where a layer lies, so that `follow` can tell how it moved."""
        self._seen[moving] = affine_of(moving)

    def follow(self, moving: Any, mask: Any = None) -> None:
        """Take notice that a layer moved; its mask goes along if it was moved here."""
        before = self._seen.get(moving)
        self.watch(moving)
        if moving is not self._held and not self._working:
            return
        self._pasts[moving].left = self._seen[moving]
        if mask is not None and before is not None:
            carry_along(mask, moving, before)

    # Words

    def motion(self, moving: Any) -> Matrix | None:
        """Return what was done to a layer's place in the world, (3, 3); None if nothing."""
        past = self._pasts.get(moving)
        if past is None or past.at_rest:
            return None
        motion = motion_between(past.states[0], affine_of(moving))
        undone: Matrix = np.linalg.inv(motion).astype(np.float64)
        return motion if self._moves(moving, undone) else None

    def describe(self, moving: Any) -> str:
        """Return in words what was done to a layer's place; '' if nothing."""
        motion = self.motion(moving)
        if motion is None:
            return ""
        now = np.append(self._corners(moving).mean(axis=0), 1.0)
        shift = float(np.linalg.norm((now - np.linalg.solve(motion, now))[:2]))
        unit = str(moving.units[-1])
        least = _LEAST * min(self._place(moving).spacing)
        said = in_words(motion, shift if shift > least else 0.0, "px" if unit == "pixel" else unit)
        return said or strings.HAND_A_LITTLE

    def _moves(self, moving: Any, motion: Matrix) -> bool:
        """Whether a motion of a layer is one that could be seen."""
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
