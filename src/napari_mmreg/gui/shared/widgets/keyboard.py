"""The order in which Tab goes through a dock: from top to bottom, as the parts are seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLayout, QWidget


def tab_in_order(root: QWidget) -> None:
    """Let Tab go through the controls of a widget as its layouts have them."""
    for one, other in pairwise(controls_of(root)):
        QWidget.setTabOrder(one, other)


def controls_of(root: QWidget) -> list[QWidget]:
    """Return what Tab stops at inside a widget, in the order of its layouts."""
    return [
        widget for widget in _walk(root.layout()) if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]


def _walk(layout: QLayout | None) -> Iterator[QWidget]:
    for index in range(0 if layout is None else layout.count()):
        item = layout.itemAt(index) if layout is not None else None
        widget = None if item is None else item.widget()
        if widget is not None:
            yield widget
            yield from _walk(widget.layout())
        elif item is not None:
            yield from _walk(item.layout())
