"""Displacement and risk under the cursor, in the dock and in a corner of the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.utils.events import EmitterGroup, Event

from napari_mmreg.gui.shared import compat, strings
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.motion import physical_length
from napari_mmreg.gui.shared.run_record import RunRecord


@dataclass(frozen=True)
class Reading:
    """What is known about one fixed pixel.

    Attributes
    ----------
    row, col : float
        The correction, in fixed pixels (see `fields.correction`).
    risk : float
        Probability of an error above the default tolerance, in [0, 1]; NaN where unknown.
    within : float
        What the error probably stays under, in fixed pixels.
    """

    row: float
    col: float
    risk: float
    within: float

    @property
    def length(self) -> float:
        """Length of the correction in fixed pixels."""
        return float(np.hypot(self.row, self.col))


def read_at(bundle: Bundle, pixel: Any) -> Reading | None:
    """Return the reading at a fixed pixel, (row, col); None outside the image."""
    row, col = (int(i) for i in np.rint(np.asarray(pixel, dtype=np.float64)))
    rows, cols = bundle.snapshot.fixed.shape
    if not (0 <= row < rows and 0 <= col < cols):
        return None
    moved = np.asarray(bundle.result.displacement[row, col], dtype=np.float64)
    here = np.array([row, col], dtype=np.float64)
    step = bundle.start.inverse().map(here + moved) - here
    return Reading(
        float(step[0]),
        float(step[1]),
        float(bundle.result.misregistration[row, col]),
        bundle.result.error_at((row, col)),
    )


def describe(bundle: Bundle, reading: Reading | None) -> str:
    """Return a reading as text: what was moved, and below it what is known of the error."""
    if reading is None:
        return strings.CURSOR_OUTSIDE
    if not np.isfinite(reading.length):
        return strings.CURSOR_UNKNOWN
    factor, unit = physical_length(bundle.snapshot)
    template = strings.CURSOR_TEXT if unit == "px" else strings.CURSOR_PHYSICAL
    text = template.format(
        length=reading.length,
        row=reading.row,
        col=reading.col,
        physical=reading.length * factor,
        unit=unit,
    )
    if np.isfinite(reading.risk):
        text += "\n" + strings.CURSOR_RISK.format(risk=reading.risk, within=reading.within)
    return text


class Hover:
    """Follows the cursor while a run is chosen.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._run: RunRecord | None = None
        self.text = ""
        self.events = EmitterGroup(source=self, text=Event)
        viewer.mouse_move_callbacks.append(self._on_move)

    def close(self) -> None:
        """Let go of the viewer."""
        if self._on_move in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_move)
        compat.remove_cursor_text(self._viewer)
        self._run = None

    def follow(self, run: RunRecord | None) -> None:
        """Read from this run from now on."""
        self._run = run
        if run is None:
            self._say("")

    def _on_move(self, viewer: Any, _event: Any) -> None:
        run = self._run
        if run is None or viewer.dims.ndisplay != 2:
            return
        at = run.bundle.snapshot.slice
        if at is not None and not at.is_shown(viewer):
            self._say(strings.CURSOR_OTHER_SLICE.format(slice=at.name))
            return
        point = np.asarray(viewer.cursor.position, dtype=np.float64)[-2:]
        pixel = compat.to_pixels(viewer, run.bundle.snapshot.fixed.placement, point[None])[0]
        self._say(describe(run.bundle, read_at(run.bundle, pixel)))

    def _say(self, text: str) -> None:
        if text == self.text:
            return
        self.text = text
        compat.show_cursor_text(self._viewer, text)
        self.events.text(value=text)
