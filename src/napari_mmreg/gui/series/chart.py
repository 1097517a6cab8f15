"""A small picture of the drift: two lines over the planes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFont, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_mmreg.gui.series import strings as texts

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QMouseEvent, QPaintEvent

COLOURS = QColor("#2f9fe0"), QColor("#e08a2f")
TEXT = QColor(150, 158, 168)
_LEFT, _BOTTOM, _TOP = 40.0, 18.0, 16.0
_DOTS = 60
"""Most planes that get a dot each."""


class DriftChart(QWidget):
    """Drift down and to the right over the planes.

    Signals
    -------
    chosen(int)
        The user clicked at a plane.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(110)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(texts.CHART_TIP)
        self.drift: NDArray[np.float64] = np.zeros((0, 2))
        self._filled: NDArray[np.bool_] = np.zeros(0, bool)
        self._current = -1

    def show_drift(self, drift: NDArray[np.float64], filled: NDArray[np.bool_]) -> None:
        """Show the drift (N, 2), and which planes were filled in."""
        self.drift, self._filled = drift, filled
        self.update()

    def show_current(self, plane: int) -> None:
        """Mark the plane that the viewer shows."""
        self._current = plane
        self.update()

    def place(self, plane: float, value: float) -> QPointF:
        """Return where a plane's value is drawn."""
        low, high = self._range()
        across = self.width() - _LEFT - 6
        down = self.height() - _BOTTOM - _TOP
        x = _LEFT + across * (plane / max(len(self.drift) - 1, 1))
        return QPointF(x, _TOP + down * (high - value) / (high - low))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Choose the plane below the mouse."""
        if event is None or not len(self.drift):
            return
        share = (event.position().x() - _LEFT) / max(self.width() - _LEFT - 6, 1)
        plane = round(share * (len(self.drift) - 1))
        self.chosen.emit(min(max(plane, 0), len(self.drift) - 1))

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 - Qt's
        """Draw axes, lines, dots and the plane shown."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 1.5, 7.0))
        painter.setFont(font)
        self._draw_axes(painter)
        for axis, colour in enumerate(COLOURS):
            self._draw_line(painter, self.drift[:, axis], colour)
        if 0 <= self._current < len(self.drift):
            painter.setPen(QPen(TEXT, 1, Qt.PenStyle.DashLine))
            x = self.place(self._current, 0.0).x()
            painter.drawLine(QPointF(x, _TOP), QPointF(x, self.height() - _BOTTOM))
        painter.end()

    def _range(self) -> tuple[float, float]:
        known = self.drift[np.isfinite(self.drift)]
        low = min(float(known.min()), 0.0) if known.size else 0.0
        high = max(float(known.max()), 0.0) if known.size else 0.0
        return (low, high) if high - low > 1.0 else (low - 0.5, high + 0.5)

    def _draw_axes(self, painter: QPainter) -> None:
        low, high = self._range()
        bottom = self.height() - _BOTTOM
        painter.setPen(QPen(TEXT, 1))
        painter.drawLine(QPointF(_LEFT, bottom), QPointF(self.width() - 6, bottom))
        painter.drawLine(QPointF(_LEFT, _TOP), QPointF(_LEFT, bottom))
        zero = self.place(0, 0.0).y()
        painter.setPen(QPen(QColor(150, 158, 168, 90), 1))
        painter.drawLine(QPointF(_LEFT, zero), QPointF(self.width() - 6, zero))
        painter.setPen(TEXT)
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for value in (low, high):
            y = self.place(0, value).y()
            painter.drawText(QRectF(0, y - 8, _LEFT - 4, 16), right, f"{value:+.1f}")
        painter.drawText(QPointF(_LEFT, self.height() - 4), "0")
        painter.drawText(
            QRectF(_LEFT, bottom + 2, self.width() - _LEFT - 6, 16),
            right,
            str(max(len(self.drift) - 1, 0)),
        )
        place = _LEFT + 4
        metrics = painter.fontMetrics()
        words = (texts.CHART_ROW, texts.CHART_COL, "px")
        for text, colour in zip(words, (*COLOURS, TEXT), strict=True):
            painter.setPen(colour)
            painter.drawText(QPointF(place, 11), text)
            place += metrics.horizontalAdvance(text) + 10

    def _draw_line(self, painter: QPainter, values: NDArray[np.float64], colour: QColor) -> None:
        painter.setPen(QPen(colour, 1.6))
        points = [
            self.place(plane, float(value)) if np.isfinite(value) else None
            for plane, value in enumerate(values)
        ]
        for one, other in pairwise(points):
            if one is not None and other is not None:
                painter.drawLine(one, other)
        if len(points) > _DOTS:
            return
        for plane, point in enumerate(points):
            if point is not None:
                filled = bool(self._filled[plane])
                painter.setBrush(Qt.BrushStyle.NoBrush if filled else colour)
                painter.drawEllipse(point, 3.0 if filled else 2.2, 3.0 if filled else 2.2)
