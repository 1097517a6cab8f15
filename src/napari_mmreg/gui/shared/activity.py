"""Our entry in napari's activity area."""

from __future__ import annotations

from napari.utils import progress

from napari_mmreg.gui.shared import strings

_TOTAL = 100


class Activity:
    """One progress bar, from creation to `close`; updates after that are ignored.

    napari handles waiting events while it redraws a bar, so the end of a run can arrive in
    the middle of `show`.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._bar: progress | None = progress(total=_TOTAL, desc=strings.ACTIVITY)

    def show(self, stage: str, fraction: float) -> None:
        """Show where the run is."""
        if self._bar is not None and stage != self._stage:
            self._stage = stage
            self._bar.set_description(f"{strings.ACTIVITY}: {stage.lower()}")
        if self._bar is not None:
            self._bar.update(round(fraction * _TOTAL) - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
