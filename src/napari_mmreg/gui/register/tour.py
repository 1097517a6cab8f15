"""A tour of the dock for people who see it for the first time: one part after the other."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QWidget

from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.shared.memory import recall, remember
from napari_mmreg.gui.shared.widgets import style

CLOSED = "tour was closed"
"""Under which it is remembered."""

_LINE = QColor("#2f7fd1")


class Tour(QFrame):
    """Says what the parts of a dock are for, and surrounds the one that it speaks of.

    Parameters
    ----------
    area : QScrollArea
        What the parts scroll in.
    parts : sequence of QWidget
        What each of `texts.TOUR` speaks of.

    Signals
    -------
    sample_wanted()
        There is nothing to try it on.
    """

    sample_wanted = Signal()

    def __init__(self, area: QScrollArea, parts: Sequence[QWidget]) -> None:
        super().__init__()
        self._area = area
        self._parts = parts
        self._at = 0
        self._outline: _Outline | None = None
        self.setObjectName("tour")
        self.setStyleSheet(
            f"QFrame#tour {{ border: 2px solid {_LINE.name()}; border-radius: 5px; }}"
        )
        self.title = QLabel()
        self.title.setStyleSheet("QLabel { font-weight: 600; }")
        self.text = style.wrapping(QLabel())
        self.text.setOpenExternalLinks(True)
        self.sample = QPushButton(texts.TOUR_SAMPLE)
        self.end_button = QPushButton(texts.TOUR_END)
        self.back = QPushButton(texts.TOUR_BACK)
        self.next = QPushButton(texts.TOUR_NEXT)
        layout = style.column(self)
        layout.setContentsMargins(style.MARGIN, style.GAP, style.MARGIN, style.GAP)
        for part in (self.title, self.text, self.sample):
            layout.addWidget(part)
        buttons = QHBoxLayout()
        buttons.addWidget(self.end_button)
        buttons.addStretch(1)
        buttons.addWidget(self.back)
        buttons.addWidget(self.next)
        layout.addLayout(buttons)
        self._later = QTimer(self)  # once all layouts know their sizes
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._reveal)
        self.sample.clicked.connect(self.sample_wanted)
        self.end_button.clicked.connect(self.end)
        self.back.clicked.connect(self._on_back)
        self.next.clicked.connect(self._on_next)
        self.setVisible(False)

    def begin(self) -> None:
        """Begin with the first part."""
        self.setVisible(True)
        self._show(0)

    def begin_once(self) -> None:
        """Begin unless the user has ever closed a tour."""
        if not recall(CLOSED, False):
            self.begin()

    def go_on(self, place: int) -> None:
        """Go on to a part, counted from 0, unless the tour is over or there already."""
        if not self.isHidden() and self._at < place:
            self._show(place)

    def end(self) -> None:
        """Hide it, and do not begin by itself again."""
        self.setVisible(False)
        if self._outline is not None:
            self._outline.surround(None)
        remember(CLOSED, True)

    def _on_back(self) -> None:
        self._show(self._at - 1)

    def _on_next(self) -> None:
        if self._at + 1 < len(self._parts):
            self._show(self._at + 1)
        else:
            self.end()

    def _show(self, place: int) -> None:
        self._at = place
        title, text = texts.TOUR[place]
        self.title.setText(
            texts.TOUR_PLACE.format(place=place + 1, count=len(self._parts), title=title)
        )
        self.text.setText(text)
        self.sample.setVisible(place == 0)
        self.back.setEnabled(place > 0)
        last = place + 1 == len(self._parts)
        self.next.setText(texts.TOUR_DONE if last else texts.TOUR_NEXT)
        self.end_button.setVisible(not last)
        style.make_room(self)
        self._look()

    def _look(self) -> None:
        """Bring the part that it speaks of into view."""
        inner = self._area.widget()
        if inner is None:
            return
        if self._outline is None:
            self._outline = _Outline(inner)
            self._outline.placed.connect(self._later.start)
        self._outline.surround(self._parts[self._at])

    def _reveal(self) -> None:
        if not self.isHidden():
            self._area.ensureWidgetVisible(self._parts[self._at], 0, style.MARGIN)


class _Outline(QWidget):
    """A line around a part of its parent, to which it tells that the part was `placed`.

    The mouse goes through it.
    """

    placed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._watched: list[QWidget] = []
        self.setVisible(False)

    def surround(self, part: QWidget | None) -> None:
        """Follow a part wherever its layouts put it; None hides the line."""
        for widget in self._watched:
            widget.removeEventFilter(self)
        self._watched = []
        while part is not None and part is not self.parentWidget():
            self._watched.append(part)
            part.installEventFilter(self)
            part = part.parentWidget()
        self._place()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Move along."""
        moves = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
        if event is not None and event.type() in moves:
            self._place()
        return super().eventFilter(watched, event)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(_LINE, 2))
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 5, 5)
        painter.end()

    def _place(self) -> None:
        parent = self.parentWidget()
        part = self._watched[0] if self._watched else None
        if part is None or parent is None or not part.isVisibleTo(parent):
            self.setVisible(False)
            return
        corner = part.mapTo(parent, QPoint(0, 0))
        self.setGeometry(QRect(corner, part.size()).adjusted(-5, -3, 5, 3))
        self.setVisible(True)
        self.raise_()
        self.placed.emit()
