"""The list of planes with what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_mmreg.gui.series import strings as texts
from napari_mmreg.gui.shared.strings import STATUS_COLOURS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.series import PlaneResult

_HEIGHT = 170


class PlanesTable(QTableWidget):
    """One row a plane.

    Signals
    -------
    chosen(int)
        The user clicked a plane's row, or went there with the keyboard.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, len(texts.COLUMNS))
        self.setHorizontalHeaderLabels(list(texts.COLUMNS))
        self.setToolTip(texts.COLUMNS_TIP)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setFixedHeight(_HEIGHT)
        header, numbers = self.horizontalHeader(), self.verticalHeader()
        assert header is not None  # noqa: S101  # Qt's stubs
        assert numbers is not None  # noqa: S101
        numbers.hide()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(len(texts.COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)
        self.setWordWrap(False)
        self.currentCellChanged.connect(self._on_current)

    def show_waiting(self, number: int) -> None:
        """List planes that nothing is known of."""
        blocked = self.blockSignals(True)
        self.setRowCount(number)
        for row in range(number):
            for column, text in enumerate((str(row), texts.WAITING, "", "")):
                self.setItem(row, column, _cell(text))
        self.setCurrentCell(-1, -1)
        self.blockSignals(blocked)

    def show_planes(
        self, planes: Sequence[PlaneResult], drift: NDArray[np.float64] | None = None
    ) -> None:
        """Say what became of planes; `drift`, (N, 2) of all planes, where it is known."""
        for plane in planes:
            step = None if drift is None else drift[plane.index]
            known = step is not None and np.isfinite(step).all()
            cells = (
                str(plane.index),
                plane.status,
                texts.SOURCES[plane.source],
                texts.DRIFT_CELL.format(row=step[0], col=step[1])
                if step is not None and known
                else "",
            )
            for column, text in enumerate(cells):
                item = self.item(plane.index, column)
                if item is None:
                    continue
                item.setText(text)
                item.setToolTip("\n".join(plane.reasons))
                if column == 1:
                    item.setForeground(QColor(STATUS_COLOURS[plane.status]))

    def show_current(self, row: int) -> None:
        """Select a plane's row without telling anyone."""
        blocked = self.blockSignals(True)
        if 0 <= row < self.rowCount():
            self.setCurrentCell(row, 0)
        self.blockSignals(blocked)

    def _on_current(self, row: int, *_others: int) -> None:
        if row >= 0:
            self.chosen.emit(row)


def _cell(text: str) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setTextAlignment(int(Qt.AlignmentFlag.AlignCenter))
    return item
