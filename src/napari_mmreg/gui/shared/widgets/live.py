"""What a run has found so far: a small picture of it, and how the similarity has risen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.qimage import to_qimage
from napari_mmreg.gui.shared.settings import read_defaults
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

    from napari_mmreg.gui.shared.task import Job
    from napari_mmreg.run import Look

INTERVAL_MS = 200
"""Between two pictures; more would only keep the GUI busy."""

_WIDTH, _HEIGHT = 150, 112
_LINE, _GRID = QColor("#4fa3e0"), QColor(128, 128, 128, 90)
_LEAST_SPAN = 0.2
"""Of the curve's axis: noise is not drawn as if it were much."""

_LEAST_STEPS = 7


class _Relay(QObject):
    """Emits what one run has found from its thread; Qt queues it to the GUI thread."""

    looked = Signal(object)

    def take(self, look: Look) -> None:
        """Pass it on."""
        self.looked.emit(look)


class LivePreview(QWidget):
    """A picture and a curve; hidden until there is something to be seen.

    Of a job that registers several pairs it shows the one that is being registered.

    Attributes
    ----------
    picture : QLabel
    curve : Curve
    appeared : Signal()
        There is something to be seen.
    """

    appeared = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._relay: _Relay | None = None
        self._newest: Look | None = None
        self._subject: str | None = None
        self.picture = QLabel()
        self.picture.setToolTip(strings.LIVE_TIP)
        self.picture.setAccessibleName(strings.LIVE)
        self.words = style.quiet_label()
        self.curve = Curve()
        right = QVBoxLayout()
        right.addWidget(self.words)
        right.addWidget(self.curve)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.GAP)
        layout.addWidget(self.picture)
        layout.addLayout(right, 1)
        self.setFixedHeight(_HEIGHT)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(INTERVAL_MS)
        self._pause.timeout.connect(self._show_newest)
        self.setVisible(False)

    def follow(self, job: Job[Any]) -> None:
        """Listen to a job that is about to start, and to none before it any more.

        What the one before has shown stays until there is something new, so that nothing jumps. It
        goes where there will be nothing, or if *Preferences* do not want it.
        """
        if not job.has_looks or not read_defaults().preview:
            self.end()
            return
        self._let_go()
        self._subject = None
        self._relay = _Relay()
        self._relay.looked.connect(self._on_look)
        job.preview = self._relay.take

    def end(self) -> None:
        """Hide it, and listen to no job any more."""
        self._let_go()
        self.setVisible(False)

    def _let_go(self) -> None:
        self._pause.stop()
        self._newest = None
        if self._relay is not None:
            self._relay.looked.disconnect(self._on_look)
        self._relay = None

    def _on_look(self, look: Look) -> None:
        if look.subject != self._subject:
            self._subject = look.subject
            self.curve.clear()
        self.curve.add(look.stage, look.similarity)
        self._newest = look
        if not self._pause.isActive():
            self._show_newest()

    def _show_newest(self) -> None:
        """Show what came last; the next one has to wait."""
        look, self._newest = self._newest, None
        if look is None:
            return
        pixmap = QPixmap.fromImage(to_qimage(look.picture))
        ratio = self.devicePixelRatioF()
        fitted = pixmap.scaled(
            QSize(_WIDTH, _HEIGHT) * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitted.setDevicePixelRatio(ratio)
        self.picture.setFixedWidth(round(fitted.width() / ratio))
        self.picture.setPixmap(fitted)
        first, last = self.curve.values[0], self.curve.values[-1]
        similarity = strings.LIVE_SIMILARITY.format(before=first, now=last)
        self.words.setText("\n".join(part for part in (look.subject, similarity) if part))
        self.picture.setAccessibleDescription(self.words.text())
        self.curve.setAccessibleDescription(self.words.text())
        self.curve.update()
        if self.isHidden():
            self.setVisible(True)
            self.appeared.emit()
        self._pause.start()


class Curve(QWidget):
    """The similarity of every answer, from left to right.

    Attributes
    ----------
    values : list of float
    starts : list of int
        At which of them another model began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(60, 40)
        self.setToolTip(strings.CURVE_TIP)
        self.setAccessibleName(strings.CURVE)
        self._stages: list[str] = []
        self.values: list[float] = []
        self.starts: list[int] = []

    def clear(self) -> None:
        """Forget all."""
        self._stages, self.values, self.starts = [], [], []

    def add(self, stage: str, value: float) -> None:
        """Note an answer; a model began when its stage was left once before."""
        if stage in self._stages[:-1] and stage != self._stages[-1]:
            self.starts.append(len(self.values))
            self._stages = []
        self._stages.append(stage)
        self.values.append(value)

    def points(self) -> list[QPointF]:
        """Return where the answers lie in the widget."""
        low, high = min(self.values), max(self.values)
        spare = max(_LEAST_SPAN - (high - low), 0.0) / 2
        low, high = low - spare, high + spare
        frame = QRectF(5, 6, self.width() - 10, self.height() - 12)
        step = frame.width() / max(len(self.values) - 1, _LEAST_STEPS - 1)
        return [
            QPointF(
                frame.left() + place * step,
                frame.bottom() - (value - low) / (high - low) * frame.height(),
            )
            for place, value in enumerate(self.values)
        ]

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 - Qt's
        """Draw the frame, the line, and a dot for each answer."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(_GRID, 1))
        painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))
        points = self.points() if self.values else []
        for start in self.starts:
            x = (points[start - 1].x() + points[start].x()) / 2
            painter.drawLine(QPointF(x, 1), QPointF(x, self.height() - 1))
        painter.setPen(QPen(_LINE, 2))
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(_LINE)
        for point in points:
            painter.drawEllipse(point, 2.0, 2.0)
        painter.end()
