"""Combo boxes that hold any Python object, and stay narrow with long names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget


@dataclass(frozen=True, eq=False)
class _Held:
    """Carries a value as an item's data: Qt would copy dicts, lists and strings of its own."""

    value: Any


class Combo(QComboBox):
    """A combo box over (text, value) items; values are compared by identity or equality."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @classmethod
    def of(cls, choices: Mapping[str, str], tip: str = "") -> Combo:
        """Return one over value: text."""
        combo = cls()
        combo.set_items([(text, value) for value, text in choices.items()])
        combo.setToolTip(tip)
        return combo

    def set_items(self, items: Sequence[tuple[str, Any]]) -> None:
        """Replace the items silently; what was chosen stays chosen if it is still there."""
        former = self.value
        blocked = self.blockSignals(True)
        self.clear()
        for text, value in items:
            self.addItem(text, _Held(value))
        self.select(former)
        self.blockSignals(blocked)

    @property
    def value(self) -> Any:
        """The chosen value, or None."""
        held = self.currentData()
        return None if held is None else held.value

    @property
    def values(self) -> list[Any]:
        """All values, in order."""
        return [self.itemData(index).value for index in range(self.count())]

    def select(self, value: Any) -> bool:
        """Choose a value; False if it is not there."""
        for index, known in enumerate(self.values):
            if known is value or (isinstance(value, str | int) and known == value):
                self.setCurrentIndex(index)
                return True
        return False

    def select_silently(self, value: Any) -> None:
        """Choose a value without a signal; nothing is chosen if it is not there."""
        blocked = QObject.blockSignals(self, True)
        if not self.select(value):
            self.setCurrentIndex(-1)
        QObject.blockSignals(self, blocked)
