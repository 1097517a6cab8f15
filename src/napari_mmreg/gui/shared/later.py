"""What follows an event of napari's once the event loop is free."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QTimer


class Later(QTimer):
    """Calls back once from the event loop; napari and Qt hold its method weakly.

    For whatever adds, moves or removes layers after an event: napari may tell of a change in the
    middle of a longer one, and fails if its list is changed meanwhile.

    Parameters
    ----------
    parent : QObject, optional
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setSingleShot(True)

    def call(self, _event: Any = None) -> None:
        """Call back when the event loop is next free."""
        self.start(0)
