"""What all docks share: one scrolling column, jobs, arriving layers, crashes and closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import ErrorNotification, notification_manager, show_error
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QFrame, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.compat import guard_removals
from napari_mmreg.gui.shared.later import Later
from napari_mmreg.gui.shared.task import Job, Outcome, T
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.keyboard import tab_in_order
from napari_mmreg.gui.shared.widgets.run_bar import StatusLine
from napari_mmreg.gui.shared.worker import Runner

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer
    from qtpy.QtGui import QCloseEvent, QResizeEvent

_LEAST_HEIGHT = 200


class ScrollingDock(QWidget):
    """A dock of parts below each other, with a status line and one job at a time.

    A subclass calls `stack` once with its parts, `follow` for what it hears of the viewer, `timer`
    for its timers, `when_settled` for what changes layers after an event, `run_job` for what a
    worker thread does and `deliver` for layers; it overrides `on_idle` and `on_shown` for what
    follows a job and `on_close` for what else is to be done when it closes.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    PREFERRED : (int, int)
        Width and height that the dock asks for, in Qt's pixels.
    LEAST_WIDTH : int
        Its parts never get less, in Qt's pixels.
    WINDOW_SHARE : float
        Part of napari's window that it asks for at most, if its parts fit into that.
    area : QScrollArea
        What scrolls.
    runner : Runner
        Runs the dock's jobs.
    status : StatusLine
        Says how it went; the subclass places it among its parts.
    """

    PREFERRED = (390, 720)
    LEAST_WIDTH = 0
    WINDOW_SHARE = 0.29

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer: Any = napari_viewer
        guard_removals(napari_viewer)
        self._closed = False
        self._links: list[tuple[Any, Callable[..., None]]] = []
        self._timers: list[QTimer] = []
        self._inner = _Column()
        self.area = QScrollArea()
        self.runner = Runner(self)
        self.status = StatusLine()
        self._done: Callable[[Any], None] | None = None
        self._arriving: Iterator[Layer] | None = None
        self._deliver_timer = self.timer(0, self._deliver_next)
        self._join_timer = self.timer(0, self._join_tabs)
        self._narrow = False
        self._asked: int | None = None
        self.runner.ended.connect(self._on_ended)
        self.runner.crashed.connect(self._on_crashed)

    # Building

    def stack(self, *parts: QWidget, above: QWidget | None = None) -> None:
        """Put the parts below each other into a scrolling column; what is `above` stays there."""
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
        self._inner.wanted.connect(self._fit_rows)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        if above is not None:
            outer.addWidget(above)
        outer.addWidget(self.area)
        tab_in_order(self._inner)
        self._recolour()
        self.follow(self._viewer.events.theme, self._recolour)

    def timer(self, interval: int, callback: Callable[[], None]) -> QTimer:
        """Return a timer that fires once, `interval` ms after its start; closing stops it."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval)
        timer.timeout.connect(callback)
        self._timers.append(timer)
        return timer

    def when_settled(self, callback: Callable[[], None]) -> Callable[..., None]:
        """Return what lets the event loop call back once, however often it was called until then.

        See `Later`. Closing stops it.
        """
        later = Later(self)
        later.timeout.connect(callback)
        self._timers.append(later)
        return later.call

    def follow(self, emitter: Any, callback: Callable[..., None]) -> None:
        """Connect to an event of napari's or of ours until the dock closes."""
        emitter.connect(callback)
        self._links.append((emitter, callback))

    def _recolour(self) -> None:
        """Write quiet labels in the theme's own colours."""
        theme = get_theme(self._viewer.theme)
        text, paper = (
            colour.as_rgb_tuple(alpha=False) for colour in (theme.text, theme.background)
        )
        self.setStyleSheet(style.quiet_sheet(text, paper))

    # Size

    def content_width(self) -> int:
        """Return the least width of the parts, without the scroll bar, in Qt's pixels."""
        return max(self.LEAST_WIDTH, self._inner.minimumSizeHint().width())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Wide enough for all texts, as high as napari gives; less in a small window."""
        width, height = self.PREFERRED
        window = self.window()
        there = window is not None and window is not self and window.isVisible()
        if self._asked is None and window is not None and there:
            # Once: a dock that grew with its window would push the canvas aside.
            self._asked = min(width, round(window.width() * self.WINDOW_SHARE))
        width = self._asked or width
        return QSize(max(width, self.minimumSizeHint().width()), height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Never narrower than the controls: there is no scroll bar to the side."""
        bar = self.area.verticalScrollBar()
        spare = bar.sizeHint().width() if bar is not None else 0
        return QSize(self.content_width() + spare, _LEAST_HEIGHT)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 - Qt's name
        """Put labels above their fields where there is no room for both."""
        super().resizeEvent(event)
        self._fit_rows()

    def _fit_rows(self) -> None:
        view = self.area.viewport()
        rows = self._inner.findChildren(style.FieldRow)
        if view is None or not rows:
            return
        room = view.width() - 2 * style.MARGIN
        narrow = room < max(row.wide_width for row in rows)
        if narrow != self._narrow:
            self._narrow = narrow
            for row in rows:
                row.set_narrow(narrow=narrow)

    def _join_tabs(self) -> None:
        """Share the place of another dock of ours: two above each other leave too little."""
        mine = _dock_of(self)
        window = None if mine is None else mine.parent()
        if self._closed or mine is None or not isinstance(window, QMainWindow):
            return
        for other in window.findChildren(ScrollingDock):
            theirs = _dock_of(other)
            if other is self or theirs is None or theirs.isFloating() or mine.isFloating():
                continue
            if window.dockWidgetArea(theirs) != window.dockWidgetArea(mine) or theirs.isHidden():
                continue
            if theirs not in window.tabifiedDockWidgets(mine):
                window.tabifyDockWidget(theirs, mine)
            mine.raise_()
            return

    # Jobs and layers

    @property
    def delivering(self) -> bool:
        """Whether layers are still to arrive."""
        return self._arriving is not None

    @property
    def busy(self) -> bool:
        """Whether a job runs, its layers still arrive, or a change of layers is yet followed."""
        following = any(isinstance(each, Later) and each.isActive() for each in self._timers)
        return self.runner.busy or self._arriving is not None or following

    def run_job(self, job: Job[T], done: Callable[[T], None]) -> None:
        """Execute a job in a worker thread.

        Parameters
        ----------
        job : Job
        done : callable
            Gets the job's value, in the GUI thread; an expected error is shown instead.
        """
        self._done = done
        self.runner.start(job)

    def on_idle(self) -> None:
        """Do what the subclass does whenever a job has ended, before its outcome is shown."""

    def on_shown(self) -> None:
        """Do what the subclass does once the outcome is shown."""

    def _on_ended(self, outcome: Outcome[Any]) -> None:
        done, self._done = self._done, None
        self.on_idle()
        if outcome.error is not None:
            self.say_error(str(outcome.error))
        elif done is not None:
            done(outcome.value)
        self.on_shown()

    def _on_crashed(self, error: Exception) -> None:
        self._done = None
        self.on_idle()
        self.say_crash(error)
        self.on_shown()

    def deliver(self, layers: Iterator[Layer]) -> None:
        """Take layers out of an iterator that adds them to the viewer, one at a time."""
        self.finish_delivery()
        self._arriving = layers
        self._deliver_next()

    def finish_delivery(self) -> None:
        """Add at once what has not arrived yet."""
        while self._arriving is not None:
            self._deliver_next()

    def _deliver_next(self) -> None:
        """Add one layer, then let the GUI breathe."""
        if self._arriving is None:
            return
        if next(self._arriving, None) is None:
            self._arriving = None
        else:
            self._deliver_timer.start()

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
        elif kind == QEvent.Type.ParentChange:
            self._join_timer.start()  # when napari has put the dock into its place
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
        self._arriving = self._done = None
        for timer in self._timers:
            timer.stop()
        for emitter, callback in self._links:
            emitter.disconnect(callback)
        self._links.clear()
        self.on_close()

    def on_close(self) -> None:
        """Do what else the subclass has to do when it closes; called once."""


class _Column(QWidget):
    """What scrolls; `wanted` tells that its parts want another size, as after a change of font."""

    wanted = Signal()

    def event(self, event: QEvent | None) -> bool:
        """Tell of it."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.wanted.emit()
        return super().event(event)


def _dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that napari put around a widget; None while there is none."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent
