"""The dock's keys, which work wherever in napari's window the focus is, but in text fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from napari_mmreg.gui.shared.compat import bare_viewer

REGISTER, CANCEL, WORST, HOLD = "Control-Enter", "Control-.", "W", "H"
"""As napari writes keys. None of them is taken in napari 0.9 by any kind of layer."""


class Shortcuts:
    """Keys of one dock, until `close`.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    register, cancel, worst : callable
        Called when the key is pressed.
    hold : callable
        Called with True when the key goes down, with False when it comes up again.
    """

    def __init__(
        self,
        viewer: Any,
        register: Callable[[], None],
        cancel: Callable[[], None],
        worst: Callable[[], None],
        hold: Callable[[bool], None],
    ) -> None:
        self._viewer = bare_viewer(viewer)

        def on_hold(_viewer: Any) -> Iterator[None]:
            hold(True)
            yield
            hold(False)

        self._bound: list[Callable[..., Any]] = [on_hold]
        self._viewer.bind_key(HOLD, on_hold, overwrite=True)
        for key, action in ((REGISTER, register), (CANCEL, cancel), (WORST, worst)):
            self._bind(key, action)

    def _bind(self, key: str, action: Callable[[], None]) -> None:
        def on_key(_viewer: Any) -> None:
            action()

        self._bound.append(on_key)
        self._viewer.bind_key(key, on_key, overwrite=True)

    def close(self) -> None:
        """Give the keys back; those that a later dock took are left to it."""
        keymap = self._viewer.keymap
        for key in [key for key, action in keymap.items() if action in self._bound]:
            del keymap[key]
        self._bound.clear()
