"""How the dock's parts look; colours work on napari's dark and light themes."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

MARGIN = 10
GAP = 6
LABEL_WIDTH = 94
WIDE_LABEL = 112
_NO_LIMIT = 16_777_215

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
TOGGLE = (
    "QPushButton { padding: 4px 3px; border-radius: 4px; }"
    "QPushButton:checked { background: #2569b3; color: white; }"
)
LINE = "QFrame { background: rgba(128, 128, 128, 90); border: none; }"

QUIET = "quiet"
"""Property of labels that are written in the theme's quiet colour, see `quiet_sheet`."""

_QUIET_SHARE = 0.72
"""Part of the text colour in it: contrast 4.5 or more on napari's dark and light background."""


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
    line.setStyleSheet(LINE)
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
    label.setProperty(QUIET, True)
    return wrapping(label)


def quiet_sheet(text: tuple[int, int, int], background: tuple[int, int, int]) -> str:
    """Return the style sheet that writes quiet labels between a theme's two colours."""
    mixed = (
        round(ink * _QUIET_SHARE + paper * (1 - _QUIET_SHARE))
        for ink, paper in zip(text, background, strict=True)
    )
    red, green, blue = mixed
    return f'QLabel[{QUIET}="true"] {{ color: rgb({red}, {green}, {blue}); }}'


def wrapping(label: QLabel) -> QLabel:
    """Let a label wrap to the dock's width instead of widening the dock."""
    label.setWordWrap(True)
    policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label


def make_room(widget: QWidget | None) -> None:
    """Tell all layouts around a widget that its text wraps to another number of lines now."""
    while widget is not None and not isinstance(widget, QScrollArea):
        widget.updateGeometry()
        widget = widget.parentWidget()


class FieldLabel(QLabel):
    """A label in front of a control, or above it where the dock is narrow."""


class FieldRow(QBoxLayout):
    """A label and its controls; the label moves above them where the dock is narrow."""

    def __init__(self, label: FieldLabel, controls: QHBoxLayout) -> None:
        super().__init__(QBoxLayout.Direction.LeftToRight)
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(GAP)
        self._label, self._controls = label, controls
        self._wide = label.minimumWidth()
        self.addWidget(label)
        self.addLayout(controls, 1)

    @property
    def wide_width(self) -> int:
        """The least width, in Qt's pixels, with the label in front."""
        return self._wide + GAP + self._controls.minimumSize().width()

    def set_narrow(self, *, narrow: bool) -> None:
        """Put the label above the controls, or in front of them."""
        down, along = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self.setDirection(down if narrow else along)
        self.setSpacing(1 if narrow else GAP)
        self._label.setMinimumWidth(0 if narrow else self._wide)
        self._label.setMaximumWidth(_NO_LIMIT if narrow else self._wide)
        self._label.setVisible(bool(self._label.text()) or not narrow)

    def minimumSize(self) -> QSize:  # noqa: N802 - Qt's name
        """As narrow as the controls: the label can move."""
        size = super().minimumSize()
        return QSize(self._controls.minimumSize().width(), size.height())


def field_label(text: str, width: int = LABEL_WIDTH) -> FieldLabel:
    """Return a label in front of a control; all those below each other are equally wide."""
    label = FieldLabel(text)
    label.setFixedWidth(width)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return label


def row(*widgets: QWidget, stretch: int = -1) -> QBoxLayout:
    """Return a tight row; the widget at index `stretch` takes the spare room.

    A field's label gives its text to the control after it, as accessible name and for Alt.
    """
    first = widgets[0] if widgets else None
    if not isinstance(first, FieldLabel):
        return _tight(widgets, stretch % max(len(widgets), 1))
    controls = widgets[1:]
    if controls:
        first.setBuddy(controls[0])
        if first.text() and not controls[0].accessibleName():
            controls[0].setAccessibleName(first.text())
    return FieldRow(first, _tight(controls, stretch % len(widgets) - 1))


def _tight(widgets: Sequence[QWidget], stretch: int) -> QHBoxLayout:
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if index == stretch else 0)
    return layout


def column(widget: QWidget) -> QVBoxLayout:
    """Return a tight column as the widget's layout; the widget keeps its rows' height."""
    widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    return layout
