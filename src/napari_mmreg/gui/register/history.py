"""Where layers lay before each step that was done to them by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_mmreg.gui.register.motions import affine_of, is_flat
from napari_mmreg.gui.shared.placement import Matrix


@dataclass
class _Past:
    """A layer's affine before each step, and as it was left by the last one."""

    states: list[Matrix]
    left: Matrix

    @property
    def at_rest(self) -> bool:
        """Whether all that was done is taken back; who moves the layer then is somebody else."""
        return np.array_equal(self.states[0], self.left)


class History:
    """Remembers affines; it moves no layer itself."""

    def __init__(self) -> None:
        self._pasts: WeakKeyDictionary[Any, _Past] = WeakKeyDictionary()

    def begin(self, layer: Any) -> None:
        """Note where a layer lies before a step."""
        now, past = affine_of(layer), self._pasts.get(layer)
        if is_flat(now):  # napari refuses to put it back there
            return
        if past is None or (past.at_rest and not np.array_equal(past.left, now)):
            self._pasts[layer] = _Past([now], now)
        elif not np.array_equal(past.states[-1], now):
            past.states.append(now)

    def end(self, layer: Any) -> None:
        """Note where a layer lies after a step, or in the midst of one."""
        self._pasts[layer].left = affine_of(layer)

    def first(self, layer: Any) -> Matrix | None:
        """Return where a layer lay before all steps; None if it lies there."""
        past = self._pasts.get(layer)
        return None if past is None or past.at_rest else past.states[0]

    def can_go_back(self, layer: Any) -> bool:
        """Whether there is a step to take back."""
        past, now = self._pasts.get(layer), affine_of(layer)
        if past is None or (past.at_rest and not np.array_equal(past.left, now)):
            return False
        return any(not np.array_equal(state, now) for state in past.states)

    def go_back(self, layer: Any) -> Matrix | None:
        """Forget the last step, and return where the layer lay before it; None if there is none."""
        if not self.can_go_back(layer):
            return None
        states, now = self._pasts[layer].states, affine_of(layer)
        while np.array_equal(states[-1], now):
            states.pop()
        return states.pop() if len(states) > 1 else states[0]  # the first one stays, for `first`
