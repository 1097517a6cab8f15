"""What all docks share: one scrolling column, and letting go of the viewer when they are closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import ErrorNotification, notification_manager, show_error
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.compat import guard_removals
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.run_bar import StatusLine
from napari_mmreg.gui.shared.worker import Runner

if TYPE_CHECKING:
    import napari
    from qtpy.QtGui import QCloseEvent

_LEAST_HEIGHT = 200


class ScrollingDock(QWidget):
    """A dock of parts below each other, with a status line and one job at a time.

    A subclass calls `stack` once with its parts, `follow` for what it hears of the viewer, `timer`
    for its timers, and puts into `let_go` what else is to be done when it closes.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    PREFERRED : (int, int)
        Width and height that the dock asks for, in Qt's pixels.
    LEAST_WIDTH : int
        Its parts never get less, in Qt's pixels.
    area : QScrollArea
        What scrolls.
    runner : Runner
        Runs the dock's jobs.
    status : StatusLine
        Says how it went; the subclass places it among its parts.
    """

    PREFERRED = (390, 720)
    LEAST_WIDTH = 0

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer: Any = napari_viewer
        guard_removals(napari_viewer)
        self._closed = False
        self._links: list[tuple[Any, Callable[..., None]]] = []
        self._timers: list[QTimer] = []
        self._inner = QWidget()
        self.area = QScrollArea()
        self.runner = Runner(self)
        self.status = StatusLine()

    # Building

    def stack(self, *parts: QWidget) -> None:
        """Put the parts below each other into the scrolling column."""
        layout = QVBoxLayout(self._inner)
        layout.setContentsMargins(style.MARGIN, 4, style.MARGIN, style.MARGIN)
        layout.setSpacing(style.GAP)
        for part in parts:
            layout.addWidget(part)
        layout.addStretch(1)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)

    def timer(self, interval: int, callback: Callable[[], None]) -> QTimer:
        """Return a timer that fires once, `interval` ms after its start; closing stops it."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval)
        timer.timeout.connect(callback)
        self._timers.append(timer)
        return timer

    def follow(self, emitter: Any, callback: Callable[..., None]) -> None:
        """Connect to an event of napari's or of ours until the dock closes."""
        emitter.connect(callback)
        self._links.append((emitter, callback))

    # Size

    def content_width(self) -> int:
        """Return the least width of the parts, without the scroll bar, in Qt's pixels."""
        return max(self.LEAST_WIDTH, self._inner.minimumSizeHint().width())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Wide enough for all texts, as high as napari gives."""
        width, height = self.PREFERRED
        return QSize(max(width, self.minimumSizeHint().width()), height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Never narrower than the controls: there is no scroll bar to the side."""
        bar = self.area.verticalScrollBar()
        spare = bar.sizeHint().width() if bar is not None else 0
        return QSize(self.content_width() + spare, _LEAST_HEIGHT)

    # Errors

    def say_error(self, sentence: str) -> None:
        """Show an expected error, in the dock and as napari does."""
        self.status.show_error(sentence)
        show_error(sentence)

    def say_crash(self, error: Exception) -> None:
        """Show an error that nobody expected; napari keeps its traceback."""
        notification_manager.dispatch(ErrorNotification(error))
        self.status.show_error(
            strings.UNEXPECTED.format(error=f"{type(error).__name__}: {error}".rstrip(": "))
        )

    # Closing

    def event(self, event: QEvent | None) -> bool:
        """Notice that napari takes the dock away, and that texts grew with the theme's font."""
        kind = event.type() if event is not None else None
        if kind == QEvent.Type.ParentChange and self.parent() is None:
            self.shut_down()  # napari only takes its parent away
        elif kind in (QEvent.Type.Show, QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
        return super().event(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Let go of everything."""
        self.shut_down()
        super().closeEvent(event)

    def shut_down(self) -> None:
        """Cancel what runs and let go of the viewer; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self.runner.cancel()
        for timer in self._timers:
            timer.stop()
        for emitter, callback in self._links:
            emitter.disconnect(callback)
        self._links.clear()
        self.let_go()

    def let_go(self) -> None:
        """Do what else the subclass has to do when it closes; called once."""
