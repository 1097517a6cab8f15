"""Small charts, painted by Qt itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent, QPaintEvent

BEFORE, AFTER = QColor("#e07b4f"), QColor("#4fa3e0")
_GRID, _TEXT = QColor(128, 128, 128, 90), QColor("#96a0aa")


class _Chart(QWidget):
    def __init__(self, height: int) -> None:
        super().__init__()
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 - Qt's
        """Paint; what is painted is up to `draw`."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF() - 2, 7))
        painter.setFont(font)
        self.draw(painter)
        painter.end()

    def draw(self, painter: QPainter) -> None:
        raise NotImplementedError


class ObjectChart(_Chart):
    """IoU of every object before and after, worst first, from left to right.

    Signals
    -------
    clicked(int)
        The place of an object in the order.
    """

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__(132)
        self._values: list[tuple[float, float]] = []
        self._selected = -1

    def show_values(self, values: Sequence[tuple[float, float]]) -> None:
        """Show (before, after) of every object; NaN where there is none."""
        self._values = list(values)
        self._selected = -1
        self.update()

    def select(self, place: int) -> None:
        """Mark an object."""
        self._selected = place
        self.update()

    def _frame(self) -> QRectF:
        return QRectF(30, 20, max(self.width() - 38, 10), self.height() - 34)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Choose the object under the cursor."""
        frame = self._frame()
        if event is not None and self._values:
            step = frame.width() / len(self._values)
            place = int((event.position().x() - frame.left()) // step)
            if 0 <= place < len(self._values):
                self.clicked.emit(place)

    def draw(self, painter: QPainter) -> None:
        """Draw axes, a line per object and its two dots."""
        frame = self._frame()
        for tick in (0.0, 0.5, 1.0):
            y = frame.bottom() - tick * frame.height()
            painter.setPen(QPen(_GRID, 1))
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(_TEXT)
            painter.drawText(QRectF(0, y - 8, 25, 16), Qt.AlignmentFlag.AlignRight, f"{tick:g}")
        _legend(painter, frame.left(), [("IoU before", BEFORE), ("registered", AFTER)])
        step = frame.width() / max(len(self._values), 1)
        for place, (before, after) in enumerate(self._values):
            x = frame.left() + (place + 0.5) * step
            at = [frame.bottom() - value * frame.height() for value in (before, after)]
            if place == self._selected:
                shade = QColor(128, 128, 128, 60)
                painter.fillRect(QRectF(x - step / 2, frame.top(), step, frame.height()), shade)
            if np.isfinite(at).all():
                painter.setPen(QPen(QColor(150, 158, 168, 150), 2))
                painter.drawLine(QPointF(x, at[0]), QPointF(x, at[1]))
            painter.setPen(Qt.PenStyle.NoPen)
            for y, colour in zip(at, (BEFORE, AFTER), strict=True):
                if np.isfinite(y):
                    painter.setBrush(colour)
                    painter.drawEllipse(QPointF(x, y), 3.5, 3.5)
            painter.setBrush(Qt.BrushStyle.NoBrush)


class BarChart(_Chart):
    """One number of several models as bars, with the number before as a line."""

    _ROW = 22

    def __init__(self) -> None:
        super().__init__(60)
        self._bars: list[tuple[str, float, str]] = []
        self._before = float("nan")

    def show_bars(self, bars: Sequence[tuple[str, float, str]], before: float) -> None:
        """Show (name, value, text of the value) of every model, and the value before."""
        self._bars, self._before = list(bars), before
        self.setFixedHeight(self._ROW * max(len(self._bars), 1) + 24)
        self.update()

    def draw(self, painter: QPainter) -> None:
        """Draw a bar a row; names at the left, values at the right."""
        known = [v for v in (*(bar[1] for bar in self._bars), self._before) if np.isfinite(v)]
        low, high = min([0.0, *known]), max([1e-9, *known])
        left, right = 0.42 * self.width(), self.width() - 52.0

        def at(value: float) -> float:
            return left + (value - low) / (high - low) * (right - left)

        metrics = painter.fontMetrics()
        for row, (name, value, text) in enumerate(self._bars):
            y = self._ROW * row + 2.0
            painter.setPen(_TEXT)
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(left) - 8)
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y, left - 8, 16), side, shown)
            if np.isfinite(value):
                start, stop = sorted((at(0.0), at(value)))
                painter.fillRect(QRectF(start, y + 1, max(stop - start, 1.0), 14), AFTER)
            painter.drawText(QRectF(right + 6, y, 46, 16), Qt.AlignmentFlag.AlignVCenter, text)
        bottom = self._ROW * len(self._bars)
        if np.isfinite(self._before):
            painter.setPen(QPen(BEFORE, 2, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(at(self._before), 0), QPointF(at(self._before), bottom))
            _legend(painter, left, [("before", BEFORE)], bottom + 4)


def _legend(
    painter: QPainter, x: float, entries: Sequence[tuple[str, Any]], top: float = 0.0
) -> None:
    for text, colour in entries:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(x + 4, top + 8), 3.5, 3.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(_TEXT)
        width = painter.fontMetrics().horizontalAdvance(text)
        painter.drawText(QRectF(x + 12, top, width + 4, 16), Qt.AlignmentFlag.AlignVCenter, text)
        x += width + 30
