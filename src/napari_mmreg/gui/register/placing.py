"""Placing the moving layer by hand, as the start of a run; `reset` puts it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.compat import point_in
from napari_mmreg.gui.shared.job import start_of
from napari_mmreg.gui.shared.placement import Matrix, place, unit_factors
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.snapshot import Snapshot, current_step

SEEN_THROUGH = 0.6
"""Opacity of the upper of the two images while one of them is moved."""

_SAME = 1e-6

FLIP: Matrix = np.diag([1.0, -1.0, 1.0])
TURN: Matrix = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Clockwise on the screen, where rows go down."""


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
        self._first: WeakKeyDictionary[Any, NDArray[np.float64]] = WeakKeyDictionary()
        self._looks: list[_Look] = []
        self._held: Any = None

    @property
    def held(self) -> Any:
        """The layer that has handles on the canvas, or None."""
        return self._held

    def hold(self, fixed: Any, moving: Any) -> None:
        """Give the moving layer handles on the canvas, and show it over the fixed one.

        Raises
        ------
        InputError
            If the view is 3-D.
        """
        if self._viewer.dims.ndisplay != 2:
            raise InputError(strings.NOT_IN_3D)
        self.let_go()
        self._held = moving
        self._runs.put_aside(aside=True)
        self._looks = [_Look(layer, layer.visible, layer.opacity) for layer in (fixed, moving)]
        fixed.visible = moving.visible = True
        upper = max(fixed, moving, key=self._viewer.layers.index)
        upper.opacity = min(upper.opacity, SEEN_THROUGH)
        self._viewer.layers.selection.active = moving
        moving.mode = "transform"

    def let_go(self) -> None:
        """Take the handles away; everything else looks as it did before."""
        moving, self._held = self._held, None
        if moving is None:
            return
        if moving.mode == "transform":
            moving.mode = "pan_zoom"
        for look in self._looks:
            if look.layer.opacity in (SEEN_THROUGH, look.opacity):  # else the user changed it
                look.layer.opacity = look.opacity
            look.layer.visible = look.visible
        self._looks = []
        self._runs.put_aside(aside=False)

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
        centre[:2, 2] = self._centre(moving)
        self._move(moving, centre @ matrix @ np.linalg.inv(centre))

    def reset(self, moving: Any) -> None:
        """Put a layer back to where it lay before it was moved here."""
        first = self._first.pop(moving, None)
        if first is not None:
            moving.affine = first

    def remember(self, moving: Any) -> None:
        """Note where a layer lies, for `reset`, unless that is known."""
        self._first.setdefault(moving, np.array(moving.affine, dtype=np.float64))

    def motion(self, moving: Any) -> Matrix | None:
        """Return what was done to a layer's place in the world, (3, 3); None if nothing."""
        first = self._first.get(moving)
        if first is None:
            return None
        done = np.asarray(moving.affine, dtype=np.float64) @ np.linalg.inv(first)
        keep = [-3, -2, -1]
        plane: Matrix = done[np.ix_(keep, keep)]
        return None if np.allclose(plane, np.eye(3), atol=_SAME) else plane

    def describe(self, moving: Any) -> str:
        """Return in words what was done to a layer's place; '' if nothing."""
        plane = self.motion(moving)
        if plane is None:
            return ""
        now = np.append(self._centre(moving), 1.0)
        shift = float(np.linalg.norm((now - np.linalg.solve(plane, now))[:2]))
        unit = str(moving.units[-1])
        return in_words(plane, shift, "px" if unit == "pixel" else unit)

    def _move(self, moving: Any, matrix: Matrix) -> None:
        if np.allclose(matrix, np.eye(3), atol=_SAME):
            return
        self.remember(moving)
        whole = np.eye(moving.ndim + 1)
        keep = [-3, -2, -1]
        whole[np.ix_(keep, keep)] = matrix
        moving.affine = whole @ np.asarray(moving.affine, dtype=np.float64)

    def _centre(self, layer: Any) -> NDArray[np.float64]:
        """Return a layer's centre in its last two world axes."""
        data = layer.data[0] if layer.multiscale else layer.data
        shape = data.shape[:-1] if layer.rgb else data.shape
        step = current_step(layer, point_in(self._viewer, layer))
        middle = np.array([(shape[-2] - 1) / 2, (shape[-1] - 1) / 2, 1.0])
        return np.asarray(place(layer, step).world_from_pixels @ middle, dtype=np.float64)[:2]


def in_words(plane: Matrix, shift: float, unit: str) -> str:
    """Return what a matrix, (3, 3) on (row, col, 1), does: flipped, turned, scaled, shifted.

    Parameters
    ----------
    plane : ndarray of float64, shape (3, 3)
    shift : float
        How far it moves the image's centre.
    unit : str
        Of the shift.
    """
    linear = plane[:2, :2]
    flipped = np.linalg.det(linear) < 0
    if flipped:
        linear = linear @ FLIP[:2, :2]
    # Columns are the images of the row and the column axis; clockwise is positive.
    degrees = float(np.degrees(np.arctan2(linear[0, 1] - linear[1, 0], np.trace(linear))))
    factor = float(np.sqrt(abs(np.linalg.det(linear))))
    words = {
        "flipped": flipped,
        "turned": abs(degrees) >= 0.5,
        "scaled": abs(factor - 1) >= 0.005,
        "shifted": shift > _SAME,
    }
    said = [
        strings.HAND_WORDS[word].format(degrees=degrees, factor=factor, length=shift, unit=unit)
        for word, true in words.items()
        if true
    ]
    return ", ".join(said)
