"""The list of pairs with what became of them."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_mmreg.batch import ImagePair, Outcome
from napari_mmreg.gui.batch import strings as texts
from napari_mmreg.gui.shared.strings import STATUS_COLOURS

_HEIGHT = 180
_STATUS = 1


class PairsTable(QTableWidget):
    """One row a pair.

    Signals
    -------
    opened(), chosen()
        A row was double-clicked; another row was selected.
    """

    opened = Signal()
    chosen = Signal()

    def __init__(self) -> None:
        super().__init__(0, len(texts.COLUMNS))
        self._pairs: tuple[ImagePair, ...] = ()
        self._rows: dict[str, int] = {}
        self._outcomes: dict[str, Outcome] = {}
        self.setHorizontalHeaderLabels(list(texts.COLUMNS))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFixedHeight(_HEIGHT)
        self.setWordWrap(False)
        header, numbers = self.horizontalHeader(), self.verticalHeader()
        assert header is not None  # noqa: S101  # Qt's stubs
        assert numbers is not None  # noqa: S101
        numbers.hide()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_STATUS, QHeaderView.ResizeMode.ResizeToContents)
        self.cellDoubleClicked.connect(lambda *_: self.opened.emit())
        self.itemSelectionChanged.connect(self.chosen)

    @property
    def pairs(self) -> tuple[ImagePair, ...]:
        """What is listed."""
        return self._pairs

    @property
    def selected(self) -> ImagePair | None:
        """The pair of the selected row."""
        rows = {item.row() for item in self.selectedItems()}
        return self._pairs[rows.pop()] if rows else None

    def outcome(self, pair: ImagePair) -> Outcome | None:
        """Return what became of a pair, if it is known."""
        return self._outcomes.get(pair.id)

    def show_pairs(self, pairs: Sequence[ImagePair]) -> None:
        """List pairs that nothing is known of."""
        self._pairs = tuple(pairs)
        self._outcomes = {}
        self._rows = {pair.id: row for row, pair in enumerate(self._pairs)}
        self.setRowCount(len(self._pairs))
        for row, pair in enumerate(self._pairs):
            cells = (pair.id, texts.WAITING, pair.fixed.name, pair.moving.name)
            for column, text in enumerate(cells):
                self.setItem(row, column, _cell(text))
            for column, path in ((2, pair.fixed), (3, pair.moving)):
                self._item(row, column).setToolTip(str(path))

    def show_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Say what became of some of the pairs."""
        for outcome in outcomes:
            row = self._rows.get(outcome.id)
            if row is None:
                continue
            self._outcomes[outcome.id] = outcome
            item = self._item(row, _STATUS)
            item.setText(outcome.status)
            item.setForeground(QColor(STATUS_COLOURS[outcome.status]))
            item.setToolTip("\n".join(outcome.reasons))

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self.item(row, column)
        assert item is not None  # noqa: S101  # every cell has one
        return item


def _cell(text: str) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setToolTip(text)
    return item
