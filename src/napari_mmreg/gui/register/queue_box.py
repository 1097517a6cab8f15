"""The list of what runs and what waits; hidden while nothing waits."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)
from superqt import QElidingLabel

from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.register.queue import RunQueue
from napari_mmreg.gui.shared.widgets import style

_MOST_ROWS = 4
_ROW = 26


class QueueBox(QWidget):
    """Shows a `RunQueue`; what waits can be removed from it.

    Signals
    -------
    removed(object)
        The `Request` that shall not be done.
    all_cancelled()
        Neither what runs nor what waits shall be done.
    """

    removed = Signal(object)
    all_cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.words = style.quiet_label()
        self.cancel_all = QPushButton(texts.CANCEL_ALL)
        self.cancel_all.setToolTip(texts.CANCEL_ALL_TIP)
        self.cancel_all.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.list = _Rows()
        layout = style.column(self)
        layout.addLayout(style.row(self.words, self.cancel_all, stretch=0))
        layout.addWidget(self.list)
        self.cancel_all.clicked.connect(self.all_cancelled)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.list)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self._on_delete)
        self._waiting: list[Any] = []
        self.show_queue(RunQueue())

    def show_queue(self, queue: RunQueue) -> None:
        """Show what runs, and below it what waits."""
        self._waiting = list(queue.waiting)
        self.list.clear()
        if queue.running is not None:
            self.list.add(texts.RUNS_NOW.format(title=queue.running.title))
        for request in self._waiting:
            self.list.add(request.title, partial(self.removed.emit, request))
        self.words.setText(texts.WAITING.format(count=len(self._waiting)))
        self.setVisible(bool(self._waiting))
        self.list.updateGeometry()

    @property
    def titles(self) -> list[str]:
        """What the rows say, from top to bottom."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return [item.data(_TITLE) for item in items if item is not None]

    def remove_button(self, row: int) -> QToolButton | None:
        """Return the button that removes a row, None for what runs."""
        widget = self.list.itemWidget(self.list.item(row))
        return None if widget is None else widget.findChild(QToolButton)

    def _on_delete(self) -> None:
        """Remove the chosen row, if it waits: the first one may be what runs."""
        place = self.list.currentRow() - (self.list.count() - len(self._waiting))
        if place >= 0:
            self.removed.emit(self._waiting[place])


_TITLE = Qt.ItemDataRole.AccessibleTextRole


class _Rows(QListWidget):
    """As high as its rows, up to a few."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(texts.QUEUE)
        self.setToolTip(texts.QUEUE_TIP)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def add(self, title: str, remove: Any = None) -> None:
        """Add a row, with a button if it can be removed."""
        item = QListWidgetItem()
        item.setData(_TITLE, title)
        item.setToolTip(f"{title}\n\n{texts.QUEUE_TIP}")
        item.setSizeHint(QSize(0, _ROW))
        self.addItem(item)
        self.setItemWidget(item, _row(title, remove))

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As high as the rows, up to a few."""
        rows = min(max(self.count(), 1), _MOST_ROWS)
        return QSize(120, _ROW * rows + 2 * self.frameWidth() + 2)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Never higher or lower than that."""
        return self.sizeHint()


def _row(title: str, remove: Any) -> QWidget:
    label = QElidingLabel(title)
    label.setStyleSheet("QLabel { padding: 0px; }")  # it elides as if there were none
    label.setElideMode(Qt.TextElideMode.ElideMiddle)
    widget = QWidget()
    layout = QHBoxLayout(widget)
    layout.setContentsMargins(6, 0, 2, 0)
    layout.addWidget(label, 1)
    if remove is not None:
        button = QToolButton()
        button.setText("✕")
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # in the list, the key Delete does it
        button.setToolTip(texts.REMOVE_WAITING_TIP)
        button.setAccessibleName(texts.REMOVE_WAITING.format(title=title))
        button.clicked.connect(remove)
        layout.addWidget(button)
    return widget
