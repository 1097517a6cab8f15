"""Connections to napari's events that are made and cut together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Link = tuple[Any, Callable[..., None]]
"""An emitter, and what it calls."""


class Links:
    """Holds connections, such as those to the layers that are chosen just now."""

    def __init__(self) -> None:
        self._made: list[Link] = []

    def replace(self, links: Iterable[Link] = ()) -> None:
        """Cut the former connections and make others, if any."""
        for emitter, callback in self._made:
            emitter.disconnect(callback)
        self._made = list(links)
        for emitter, callback in self._made:
            emitter.connect(callback)
