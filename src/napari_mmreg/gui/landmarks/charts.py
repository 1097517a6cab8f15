"""Small pictures of the numbers: a histogram of the errors, and the selected pair close up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_mmreg.gui.landmarks import strings
from napari_mmreg.imaging.compose import to_rgb, to_shown
from napari_mmreg.landmarks import Side, histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent

    from napari_mmreg.gui.landmarks.controller import LandmarkController

BEFORE, AFTER = QColor(150, 158, 168, 150), QColor("#2f9fe0")
TEXT = QColor(150, 158, 168)
_BINS = 12


class Histogram(QWidget):
    """Errors before (grey) and after (blue), and the limit as a dashed line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(78)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(strings.HISTOGRAM_TIP)
        self.before: NDArray[np.intp] = np.zeros(0, np.intp)
        self.after: NDArray[np.intp] = np.zeros(0, np.intp)
        self._top, self._limit, self._unit = 1.0, 1.0, "px"

    def show_errors(self, before: Any, after: Any, limit: float, unit: str) -> None:
        """Count errors; both are arrays or None."""
        known = [errors for errors in (before, after) if errors is not None]
        values = np.concatenate(known) if known else np.zeros(0)
        finite = values[np.isfinite(values)]
        largest = float(np.percentile(finite, 95)) if finite.size else limit
        self._top, self._limit, self._unit = max(2 * limit, min(largest, 8 * limit)), limit, unit
        self.before, self.after = (
            np.zeros(_BINS, np.intp) if errors is None else histogram(errors, _BINS, self._top)
            for errors in (before, after)
        )
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 - Qt's
        """Draw bars, axis and limit."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bottom, width = self.height() - 17.0, self.width() - 2.0
        painter.setPen(QPen(TEXT, 1))
        painter.drawLine(QPointF(1, bottom), QPointF(width, bottom))
        most = max([1, *self.before.tolist(), *self.after.tolist()])
        step = width / _BINS
        for counts, colour, inset in ((self.before, BEFORE, 0.06), (self.after, AFTER, 0.24)):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            for place, count in enumerate(counts.tolist()):
                high = (bottom - 4) * count / most
                painter.drawRect(
                    QRectF(1 + (place + inset) * step, bottom - high, step * (1 - 2 * inset), high)
                )
        at = 1 + width * self._limit / self._top
        painter.setPen(QPen(QColor("#d08a1d"), 1.4, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(at, 2), QPointF(at, bottom))
        painter.setPen(TEXT)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 1.5, 7.0))
        painter.setFont(font)
        base = int(bottom) + 14
        painter.drawText(1, base, "0")
        painter.drawText(QPointF(at - 8, base), f"{self._limit:g}")
        end = f"≥ {self._top:.3g} {self._unit}"
        painter.drawText(QRectF(0, bottom + 1, width, 16), int(Qt.AlignmentFlag.AlignRight), end)
        painter.end()


class ZoomView(QWidget):
    """The selected pair in both images side by side: ring at the landmark, cross where it maps."""

    def __init__(self, controller: LandmarkController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self.setFixedHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(strings.LOUPE_TIP)
        self._shown: dict[Side, tuple[QImage, Any, Any, float] | None] = {}

    def refresh(self) -> None:
        """Show the selected pair."""
        self._shown = {}
        chosen = self._controller.selected
        pair = self._controller.book.get(next(iter(chosen))) if len(chosen) == 1 else None
        if pair is not None and self._controller.ready:
            transform = self._controller.fit_state.best
            expected = None if pair.fixed is None else transform.map(pair.fixed)
            if expected is not None and not np.isfinite(expected).all():
                expected = None
            self._shown["fixed"] = self._cut("fixed", pair.fixed, pair.fixed)
            self._shown["moving"] = self._cut("moving", pair.moving, expected)
        self.update()

    def _cut(self, side: Side, mark: Any, cross: Any) -> tuple[QImage, Any, Any, float] | None:
        """Return a square part of an image around a place, and where to draw the marks in it."""
        picture, middle = self._controller.picture(side), mark if mark is not None else cross
        if picture is None or middle is None:
            return None
        half = max(round(max(picture.shape) / 16), 12)
        low = np.round(np.asarray(middle)).astype(int) - half
        rows = np.clip(np.arange(low[0], low[0] + 2 * half + 1), 0, picture.shape[0] - 1)
        cols = np.clip(np.arange(low[1], low[1] + 2 * half + 1), 0, picture.shape[1] - 1)
        band = np.asarray(picture.data[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
        part = band[np.ix_(rows - rows[0], cols - cols[0])]
        shown = np.ascontiguousarray(to_rgb(to_shown(part, picture.contrast_limits)))
        size = shown.shape[0]
        image = QImage(shown.tobytes(), size, size, 3 * size, QImage.Format.Format_RGB888).copy()
        spots = [None if place is None else np.asarray(place) - low for place in (mark, cross)]
        return image, spots[0], spots[1], float(size)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 - Qt's
        """Draw both parts."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        gap = 6.0
        side = min((self.width() - gap) / 2, float(self.height()))
        left = (self.width() - 2 * side - gap) / 2
        shown = False
        for place, name in enumerate(("fixed", "moving")):
            frame = QRectF(left + place * (side + gap), 0, side, side)
            part = self._shown.get(name)  # type: ignore[call-overload]
            if part is None:
                continue
            shown = True
            self._draw(painter, frame, part)
            label = QRectF(frame.left(), frame.top(), 52, 18)
            painter.fillRect(label, QColor(0, 0, 0, 150))
            painter.setPen(QColor("white"))
            painter.drawText(label, int(Qt.AlignmentFlag.AlignCenter), strings.COLUMNS[name][0])
        if not shown:
            painter.setPen(TEXT)
            painter.drawText(
                QRectF(0, 0, self.width(), self.height()),
                int(Qt.AlignmentFlag.AlignCenter),
                strings.LOUPE_EMPTY,
            )
        painter.end()

    @staticmethod
    def _draw(painter: QPainter, frame: QRectF, part: tuple[QImage, Any, Any, float]) -> None:
        image, mark, cross, size = part
        painter.save()
        painter.setClipRect(frame)
        painter.drawImage(frame, image)
        unit = frame.width() / size
        corner = np.array([frame.left(), frame.top()])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if cross is not None:
            x, y = corner + (cross[::-1] + 0.5) * unit
            painter.setPen(QPen(QColor("#ffe14d"), 1.6))
            painter.drawLine(QPointF(x - 8, y), QPointF(x + 8, y))
            painter.drawLine(QPointF(x, y - 8), QPointF(x, y + 8))
        if mark is not None:
            x, y = corner + (mark[::-1] + 0.5) * unit
            painter.setPen(QPen(QColor("#5ec8ff"), 2.0))
            painter.drawEllipse(QPointF(x, y), 6.0, 6.0)
        painter.restore()
