"""The table of pairs: sorted by any column, checked to be used, renamed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.landmarks.layers import DISABLED, HALF, pair_colour

if TYPE_CHECKING:
    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QWidget

    from napari_mmreg.gui.landmarks.controller import LandmarkController
    from napari_mmreg.landmarks import LandmarkPair

COLUMNS = tuple(strings.COLUMNS)
ERRORS = ("before", "after", "left_out")
_ROW_HEIGHT = 24
_VISIBLE_ROWS = 7


class PairModel(QAbstractTableModel):
    """A controller's pairs, one per row."""

    def __init__(self, controller: LandmarkController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._pairs: tuple[LandmarkPair, ...] = ()

    def refresh(self) -> bool:
        """Read the controller; return whether rows came or went."""
        pairs = self._controller.book.pairs
        if [pair.id for pair in pairs] != [pair.id for pair in self._pairs]:
            self.beginResetModel()
            self._pairs = pairs
            self.endResetModel()
            return True
        self._pairs = pairs
        if pairs:
            self.dataChanged.emit(self.index(0, 0), self.index(len(pairs) - 1, len(COLUMNS) - 1))
        return False

    def pair(self, row: int) -> LandmarkPair:
        """Return a row's pair."""
        return self._pairs[row]

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: ARG002, N802 - Qt's
        """Return the number of pairs."""
        return len(self._pairs)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: ARG002, N802 - Qt's
        """Return the number of columns."""
        return len(COLUMNS)

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return a column's title, or what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        title, tip = strings.COLUMNS[COLUMNS[section]]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return tip if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Names can be edited and checked."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if COLUMNS[index.column()] == "name":
            flags |= Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows; its plain value for sorting is the user role."""
        pair, column = self._pairs[index.row()], COLUMNS[index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(pair, column)
        if role == Qt.ItemDataRole.UserRole:
            return self._value(pair, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == "name":
            return Qt.CheckState.Checked if pair.enabled else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(pair, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column not in ("name", "source"):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def setData(  # noqa: N802 - Qt's name
        self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Rename, or use and leave out."""
        pair = self._pairs[index.row()]
        if role == Qt.ItemDataRole.CheckStateRole:
            checked = Qt.CheckState(value) == Qt.CheckState.Checked
            self._controller.book.enable([pair.id], enabled=checked)
            return True
        if role == Qt.ItemDataRole.EditRole:
            self._controller.book.rename(pair.id, str(value))
            return True
        return False

    def _text(self, pair: LandmarkPair, column: str) -> str:
        if column == "name":
            return pair.name
        if column == "source":
            return strings.SOURCES[pair.source]
        if column in ERRORS:
            error = self._value(pair, column)
            return strings.NOT_MARKED if np.isnan(error) else _short(error)
        point = pair.fixed if column == "fixed" else pair.moving
        return strings.NOT_MARKED if point is None else f"{point[0]:.1f}, {point[1]:.1f}"

    def _value(self, pair: LandmarkPair, column: str) -> Any:
        if column == "name":
            return _natural(pair.name)
        if column in ERRORS:
            return self._controller.fit_state.measurement.of(pair.id)[ERRORS.index(column)]
        if column == "source":
            return pair.source
        point = pair.fixed if column == "fixed" else pair.moving
        return -1.0 if point is None else point[0]

    def _colour(self, pair: LandmarkPair, column: str) -> Any:
        if not pair.enabled:
            return QColor(DISABLED)
        if not pair.complete:
            return QColor(HALF)
        if column in ERRORS:
            error = self._value(pair, column)
            if np.isfinite(error):
                rgba = pair_colour(pair, error, self._controller.fit_state.threshold)
                return QColor.fromRgbF(*rgba)
        return None


class _Sorted(QSortFilterProxyModel):
    """Sorts by the cells' values; unknown errors come last either way."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:  # noqa: N802 - Qt's name
        one, other = (index.data(Qt.ItemDataRole.UserRole) for index in (left, right))
        if isinstance(one, float) and isinstance(other, float):
            descending = self.sortOrder() == Qt.SortOrder.DescendingOrder
            unknown = -np.inf if descending else np.inf
            one, other = (unknown if np.isnan(value) else value for value in (one, other))
        return bool(one < other)


class PairTable(QTableView):
    """Shows a controller's pairs.

    Signals
    -------
    picked(list), gone_to(int)
        Ids that the user selected; the id of a pair that was clicked.
    """

    picked = Signal(list)
    gone_to = Signal(int)

    def __init__(self, controller: LandmarkController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._showing = False
        self.pairs = PairModel(controller, self)
        self.sorted = _Sorted(self)
        self.sorted.setSourceModel(self.pairs)
        self.setModel(self.sorted)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAlternatingRowColors(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows, header = self.verticalHeader(), self.horizontalHeader()
        if rows is not None:
            rows.hide()
            rows.setDefaultSectionSize(_ROW_HEIGHT)
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            header.setHighlightSections(False)
            header.setMinimumSectionSize(40)
            for column, name in enumerate(COLUMNS):
                if name not in ("fixed", "moving"):
                    header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
                    header.resizeSection(column, 62 if name in ("name", "left_out") else 54)
        self.setFixedHeight(_ROW_HEIGHT * (_VISIBLE_ROWS + 1) + 8)
        selection = self.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(self._on_selection)
        self.clicked.connect(self._on_clicked)

    def refresh(self) -> None:
        """Show what the controller knows, with its selection."""
        self._showing = True
        try:
            self.pairs.refresh()
            self._select(self._controller.selected)
        finally:
            self._showing = False

    def ids(self) -> list[int]:
        """Return the pairs' ids in the order in which they are shown."""
        return [
            self.pairs.pair(self.sorted.mapToSource(self.sorted.index(row, 0)).row()).id
            for row in range(self.sorted.rowCount())
        ]

    def _select(self, ids: set[int]) -> None:
        selection = QItemSelection()
        last = None
        for row, pair_id in enumerate(self.ids()):
            if pair_id in ids:
                last = self.sorted.index(row, 0)
                selection.select(last, self.sorted.index(row, len(COLUMNS) - 1))
        model = self.selectionModel()
        if model is not None:
            model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if last is not None and len(ids) == 1:
            self.scrollTo(last)

    def _on_selection(self) -> None:
        model = self.selectionModel()
        if not self._showing and model is not None:
            self.picked.emit([self._id(index) for index in model.selectedRows()])

    def _on_clicked(self, index: QModelIndex) -> None:
        self.gone_to.emit(self._id(index))

    def _id(self, index: QModelIndex) -> int:
        return self.pairs.pair(self.sorted.mapToSource(index).row()).id


def _short(error: float) -> str:
    if np.isinf(error):
        return "∞"
    return f"{error:.2f}" if error < 100 else f"{error:.0f}"


def _natural(name: str) -> tuple[bool, float, str]:
    """Return a key that sorts numbers as numbers and before words."""
    return (False, float(name), "") if name.isdigit() else (True, 0.0, name)
