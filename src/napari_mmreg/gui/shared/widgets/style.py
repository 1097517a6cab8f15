"""How the dock's parts look; colours work on napari's dark and light themes."""

from __future__ import annotations

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

MARGIN = 10
GAP = 6
LABEL_WIDTH = 94
WIDE_LABEL = 112

PRIMARY = (
    "QPushButton { background: #2f7fd1; color: white; font-size: 15px; font-weight: 600;"
    " border-radius: 5px; padding: 9px; }"
    "QPushButton:hover { background: #3b8de0; }"
    "QPushButton:disabled { background: rgba(128, 128, 128, 70); color: rgba(160, 160, 160, 200); }"
)
STOP = (
    "QPushButton { background: #a33b36; color: white; font-size: 15px; font-weight: 600;"
    " border-radius: 5px; padding: 9px; }"
    "QPushButton:hover { background: #b9453f; }"
)
FOLD = "QPushButton { background: transparent; border: none; text-align: left; padding: 3px 0px; }"
QUIET = "QLabel { color: rgba(150, 158, 168, 255); }"


def header(text: str) -> QWidget:
    """Return a section's title with a line after it."""
    widget = QWidget()
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 4, 0, 0)
    row.setSpacing(8)
    label = QLabel(text)
    label.setStyleSheet("QLabel { font-weight: 600; font-size: 13px; }")
    line = QFrame()
    line.setFixedHeight(1)
    line.setStyleSheet("QFrame { background: rgba(128, 128, 128, 90); border: none; }")
    line.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    row.addWidget(label)
    row.addWidget(line, 1)
    return widget


def chevron(*, down: bool) -> QIcon:
    """Return a small triangle that is seen on dark and light themes alike."""
    pixmap = QPixmap(24, 24)
    pixmap.fill(QColor(0, 0, 0, 0))
    points = [(4, 8), (20, 8), (12, 18)] if down else [(8, 4), (18, 12), (8, 20)]
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#9aa3ad"))
    painter.drawPolygon(QPolygonF([QPointF(*point) for point in points]))
    painter.end()
    return QIcon(pixmap)


def quiet_label(text: str = "") -> QLabel:
    """Return a small, grey, wrapping label."""
    label = QLabel(text)
    label.setStyleSheet(QUIET)
    return wrapping(label)


def wrapping(label: QLabel) -> QLabel:
    """Let a label wrap to the dock's width instead of widening the dock."""
    label.setWordWrap(True)
    policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label


def field_label(text: str, width: int = LABEL_WIDTH) -> QLabel:
    """Return a label in front of a control; all those below each other are equally wide."""
    label = QLabel(text)
    label.setFixedWidth(width)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return label


def row(*widgets: QWidget, stretch: int = -1) -> QHBoxLayout:
    """Return a tight row; the widget at index `stretch` takes the spare room."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if index == stretch % max(len(widgets), 1) else 0)
    return layout


def column(widget: QWidget) -> QVBoxLayout:
    """Return a tight column as the widget's layout; the widget keeps its rows' height."""
    widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    return layout
