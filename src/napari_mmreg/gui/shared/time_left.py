"""How long a job will still take, from how long it has taken so far."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from napari_mmreg.gui.shared import strings

_EARLY_SECONDS, _EARLY_FRACTION = 8.0, 0.02
"""Before that much time and progress an estimate would jump about; short jobs need none."""


class TimeLeft:
    """Estimates in words.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Begin to count."""
        self._began = self._clock()

    def say(self, fraction: float) -> str:
        """Return about how much time is left of a job that is done to a fraction; '' if unknown."""
        taken = self._clock() - self._began
        if taken < _EARLY_SECONDS or not _EARLY_FRACTION <= fraction < 1:
            return ""
        return strings.TIME_LEFT.format(time=in_words(taken * (1 - fraction) / fraction))


def in_words(seconds: float) -> str:
    """Return a length of time, no finer than an estimate deserves."""
    if seconds < 55:
        return strings.WHOLE_SECONDS.format(seconds=max(5 * round(seconds / 5), 5))
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return strings.MINUTES.format(minutes=minutes)
    return strings.HOURS.format(hours=minutes // 60, minutes=minutes % 60)
