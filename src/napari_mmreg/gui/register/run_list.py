"""The list of finished runs: one is chosen, ticked ones stay visible, names are edited in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractItemModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QStyledItemDelegate, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.run_record import RunRecord

_NUMBER = Qt.ItemDataRole.UserRole
_MOST_ROWS = 5
_DOT = 10


class RunList(QListWidget):
    """Shows runs, oldest first; what the user does comes out as signals.

    Signals
    -------
    chosen(int), renamed(int, str), kept(int, bool)
        The run's number, its new name, whether it stays visible.
    """

    chosen = Signal(int)
    renamed = Signal(int, str)
    kept = Signal(int, bool)

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[int, str] = {}
        self.setAccessibleName(strings.RUN_LIST)
        self.setToolTip(strings.RUN_LIST_TIP)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setUniformItemSizes(True)
        self.setStyleSheet("QListWidget::item { padding: 3px 2px; }")
        self.setEditTriggers(
            QListWidget.EditTrigger.DoubleClicked | QListWidget.EditTrigger.EditKeyPressed
        )
        self._namer = _Namer(self)
        self.setItemDelegate(self._namer)
        self._namer.named.connect(self.renamed)
        self.currentItemChanged.connect(self._on_current)
        self.itemChanged.connect(self._on_item)

    def show_runs(self, runs: Sequence[RunRecord], shown: RunRecord | None) -> None:
        """Show these runs, with `shown` chosen; without signals."""
        blocked = self.blockSignals(True)
        self.names = {run.number: run.name for run in runs}
        # A name may just be edited, or an item clicked: items that stay are not made anew.
        if self.numbers != [run.number for run in runs]:
            self.clear()
            for run in runs:
                self.addItem(_item(run))
        for row, run in enumerate(runs):
            item = self._at(row)
            item.setIcon(_dot(run.bundle.result.status))
            item.setText(run.title)
            item.setToolTip(f"{run.title}\n\n{strings.RUN_LIST_TIP}")
            item.setCheckState(Qt.CheckState.Checked if run.kept else Qt.CheckState.Unchecked)
            if run is shown:
                self.setCurrentItem(item)
        self.blockSignals(blocked)
        self.updateGeometry()

    @property
    def numbers(self) -> list[int]:
        """The numbers of the runs, from top to bottom."""
        return [int(self._at(row).data(_NUMBER)) for row in range(self.count())]

    def choose(self, number: int) -> None:
        """Choose a run as a click does."""
        self.setCurrentRow(self.numbers.index(number))

    def tick(self, number: int, *, on: bool) -> None:
        """Tick a run as a click does, or take the tick away."""
        state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
        self._at(self.numbers.index(number)).setCheckState(state)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As high as the runs, up to a few rows."""
        row = max(self.sizeHintForRow(0), self.fontMetrics().height())
        rows = min(max(self.count(), 1), _MOST_ROWS)
        return QSize(120, row * rows + 2 * self.frameWidth() + 2)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Never higher or lower than the runs."""
        return self.sizeHint()

    def _at(self, row: int) -> Any:
        return self.item(row)

    def _on_current(self, item: Any) -> None:
        if item is not None:
            self.chosen.emit(int(item.data(_NUMBER)))

    def _on_item(self, item: Any) -> None:
        self.kept.emit(int(item.data(_NUMBER)), item.checkState() == Qt.CheckState.Checked)


class _Namer(QStyledItemDelegate):
    """Edits a run's name in the place of its title.

    Signals
    -------
    named(int, str)
    """

    named = Signal(int, str)

    def __init__(self, runs: RunList) -> None:
        super().__init__(runs)
        self._runs = runs

    def setEditorData(self, editor: QWidget | None, index: QModelIndex) -> None:  # noqa: N802
        """Offer the user's name alone; the number and the images are no part of it."""
        if isinstance(editor, QLineEdit):
            number = int(index.data(_NUMBER))
            editor.setAccessibleName(strings.RUN_NAME.format(run=number))
            editor.setText(self._runs.names.get(number, ""))
            editor.setPlaceholderText(strings.RUN_NAME.format(run=number))

    def setModelData(  # noqa: N802 - Qt's name
        self, editor: QWidget | None, _model: QAbstractItemModel | None, index: QModelIndex
    ) -> None:
        """Tell the name; the list is told what to show by whoever keeps the runs."""
        if isinstance(editor, QLineEdit):
            self.named.emit(int(index.data(_NUMBER)), editor.text())


def _item(run: RunRecord) -> QListWidgetItem:
    item = QListWidgetItem()
    item.setData(_NUMBER, run.number)
    item.setFlags(
        Qt.ItemFlag.ItemIsEnabled
        | Qt.ItemFlag.ItemIsSelectable
        | Qt.ItemFlag.ItemIsEditable
        | Qt.ItemFlag.ItemIsUserCheckable
    )
    return item


def _dot(status: str) -> QIcon:
    """Return a dot in the colour of a status."""
    pixmap = QPixmap(_DOT, _DOT)
    pixmap.fill(QColor(0, 0, 0, 0))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(strings.STATUS_COLOURS[status]))
    painter.drawEllipse(1, 1, _DOT - 2, _DOT - 2)
    painter.end()
    return QIcon(pixmap)
