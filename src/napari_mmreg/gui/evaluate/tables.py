"""Tables of an evaluation: numbers, objects, compared models."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QFont
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

GOOD, BAD = QColor("#4fbf7f"), QColor("#e0746b")
_ROWS_SHOWN = 9


class Table(QTableWidget):
    """Read-only rows of text; numbers at the right.

    Signals
    -------
    row_chosen(int)
    """

    row_chosen = Signal(int)

    def __init__(self, columns: Sequence[str], *, selectable: bool = True) -> None:
        super().__init__(0, len(columns))
        self.setHorizontalHeaderLabels(list(columns))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(
            QAbstractItemView.SelectionMode.SingleSelection
            if selectable
            else QAbstractItemView.SelectionMode.NoSelection
        )
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        if (rows := self.verticalHeader()) is not None:
            rows.setVisible(False)
            rows.setDefaultSectionSize(22)
        if (header := self.horizontalHeader()) is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(30)
            header.setHighlightSections(False)
        self.currentCellChanged.connect(self._on_current)

    def clear_rows(self) -> None:
        """Remove all rows."""
        blocked = self.blockSignals(True)
        self.clearSpans()
        self.setRowCount(0)
        self.blockSignals(blocked)

    def add_row(
        self, cells: Sequence[str], tip: str = "", *, strong: int = -1, good: bool | None = None
    ) -> None:
        """Add a row; the cell `strong` is bold, and green or red if it is good or bad."""
        row = self.rowCount()
        blocked = self.blockSignals(True)
        self.insertRow(row)
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(tip)
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if column == strong:
                item.setFont(_bold(item.font()))
                if good is not None:
                    item.setForeground(GOOD if good else BAD)
            self.setItem(row, column, item)
        self.blockSignals(blocked)

    def add_title(self, text: str) -> None:
        """Add a row that is the title of those below."""
        self.add_row([text, *[""] * (self.columnCount() - 1)])
        row = self.rowCount() - 1
        self.setSpan(row, 0, 1, self.columnCount())
        if (item := self.item(row, 0)) is not None:
            item.setFont(_bold(item.font()))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)

    def fit(self, most: int = _ROWS_SHOWN) -> None:
        """Be as high as the rows, up to `most`; the rest scrolls."""
        header = self.horizontalHeader()
        top = header.sizeHint().height() if header is not None else 0
        shown = min(max(self.rowCount(), 1), most)
        self.setFixedHeight(top + shown * 22 + 2 * self.frameWidth() + 2)

    def _on_current(self, row: int, *_: int) -> None:
        if row >= 0:
            self.row_chosen.emit(row)


def _bold(font: QFont) -> QFont:
    font.setBold(True)
    return font
