"""The *Register* dock: puts the widgets together and connects them to the session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import ErrorNotification, notification_manager, show_error
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_mmreg.errors import RegistrationError
from napari_mmreg.gui import strings
from napari_mmreg.gui.activity import Activity
from napari_mmreg.gui.compat import on_camera
from napari_mmreg.gui.job import Outcome, Register
from napari_mmreg.gui.runs import RunRecord
from napari_mmreg.gui.session import Session
from napari_mmreg.gui.settings import read_defaults
from napari_mmreg.gui.widgets import style
from napari_mmreg.gui.widgets.compare_box import CompareBox
from napari_mmreg.gui.widgets.images import ImagePair
from napari_mmreg.gui.widgets.method import AdvancedBox, MethodBox, collect
from napari_mmreg.gui.widgets.run_bar import RunBar, StatusLine
from napari_mmreg.gui.widgets.runs_box import RunsBox
from napari_mmreg.gui.worker import Runner

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer
    from qtpy.QtGui import QCloseEvent

    from napari_mmreg.models import ModelInfo

_CAMERA_INTERVAL_MS = 150
_ARROWS_INTERVAL_MS = 80


class RegisterDock(QWidget):
    """Register two images: choose, run, look, save.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    register : callable, optional
        Stands for `napari_mmreg.register`.
    models : sequence of ModelInfo, optional
        What is offered after *Auto*; those of the registry by default.
    """

    def __init__(
        self,
        napari_viewer: napari.Viewer,
        register: Register | None = None,
        models: Sequence[ModelInfo] | None = None,
    ) -> None:
        super().__init__()
        if models is None:
            from napari_mmreg.models import list_models

            models = list_models()
        self._viewer: Any = napari_viewer
        self._closed = False
        self._activity: Activity | None = None
        self._arriving: Iterator[Layer] | None = None
        defaults = read_defaults()
        self.session = Session(napari_viewer, register)
        self.runner = Runner(self)
        self.images = ImagePair(napari_viewer)
        self.method = MethodBox(models, defaults)
        self.advanced = AdvancedBox(napari_viewer, defaults)
        self.run_bar = RunBar()
        self.status = StatusLine()
        self.runs = RunsBox(self.session.runs, defaults.arrows)
        self.compare = CompareBox(self.session.comparison)
        self.cursor_line = style.quiet_label(strings.CURSOR_IDLE)
        self.cursor_line.setFixedHeight(2 * self.cursor_line.fontMetrics().lineSpacing() + 6)
        self.cursor_line.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._results = self._build()
        self._arrows_timer = self._timer(_ARROWS_INTERVAL_MS, self._apply_arrows)
        self._camera_timer = self._timer(_CAMERA_INTERVAL_MS, self.session.comparison.refresh)
        self._deliver_timer = self._timer(0, self._deliver_next)
        self._connect()
        self._on_pair()
        self._on_run(None)

    # Building

    def _build(self) -> QWidget:
        results = QWidget()
        lower = style.column(results)
        for part in (
            style.header(strings.RESULT),
            self.runs,
            style.header(strings.COMPARE),
            self.compare,
            style.header(strings.CURSOR),
            self.cursor_line,
        ):
            lower.addWidget(part)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(style.MARGIN, 4, style.MARGIN, style.MARGIN)
        layout.setSpacing(style.GAP)
        for part in (
            style.header(strings.IMAGES),
            self.images,
            style.header(strings.METHOD),
            self.method,
            self.advanced,
            self.run_bar,
            self.status,
            results,
        ):
            layout.addWidget(part)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._inner, self._scroll = inner, scroll
        return results

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Wide enough for all texts, as high as napari gives."""
        return QSize(max(390, self.minimumSizeHint().width()), 720)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Never narrower than the controls: there is no scroll bar to the side."""
        bar = self._scroll.verticalScrollBar()
        spare = bar.sizeHint().width() if bar is not None else 0
        # Results count while they are hidden, or the dock would have to grow with the first run.
        results = self._results.minimumSizeHint().width() + 2 * style.MARGIN
        return QSize(max(self._inner.minimumSizeHint().width(), results) + spare, 200)

    def _timer(self, interval: int, callback: Any) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval)
        timer.timeout.connect(callback)
        return timer

    def _connect(self) -> None:
        self.images.changed.connect(self._on_pair)
        self.images.failed.connect(self._say_error)
        self.run_bar.started.connect(self.start)
        self.run_bar.cancelled.connect(self.cancel)
        self.runner.progressed.connect(self._on_progress)
        self.runner.ended.connect(self._on_ended)
        self.runner.crashed.connect(self._on_crashed)
        self.runs.chosen.connect(self._on_run)
        self.runs.save_clicked.connect(self._on_save)
        self.runs.remove_clicked.connect(self._on_remove)
        self.runs.arrows_changed.connect(self._on_arrows)
        self.session.hover.events.text.connect(self._on_hover)
        self._viewer.layers.events.removed.connect(self._on_layer_removed)
        on_camera(self._viewer, self._on_camera, connect=True)

    # Running

    def start(self) -> None:
        """Register what is chosen; an error is shown as a sentence."""
        self._finish_delivery()
        fixed, moving = self.images.pair
        settings = collect(self.method, self.advanced, self.runs.arrows.value())
        try:
            snapshot = self.session.snapshot(
                fixed,
                moving,
                settings,
                self.advanced.fixed_mask.value,
                self.advanced.moving_mask.value,
            )
        except RegistrationError as error:
            self._say_error(str(error))
            return
        self.status.clear()
        self.run_bar.set_running(running=True)
        self._activity = Activity()
        self.runner.start(self.session.job(snapshot))

    def cancel(self) -> None:
        """Stop the run; the button is back at once, the engine follows."""
        if self.runner.busy:
            self.runner.cancel()
            self._set_idle()
            self.status.show_note(strings.CANCELLED)

    def _set_idle(self) -> None:
        self.run_bar.set_running(running=False)
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.close()
        self._on_pair()

    def _on_progress(self, stage: str, fraction: float) -> None:
        self.run_bar.show_progress(stage, fraction)
        if self._activity is not None:
            self._activity.show(stage, fraction)

    def _on_ended(self, outcome: Outcome) -> None:
        self._set_idle()
        self.method.check_devices()
        if outcome.error is not None:
            self._say_error(str(outcome.error))
        elif outcome.bundle is not None:
            self.status.show_result(outcome.bundle)
            self._arriving = self.session.deliver(outcome.bundle)
            self._deliver_next()

    def _on_crashed(self, error: Exception) -> None:
        self._set_idle()
        notification_manager.dispatch(ErrorNotification(error))
        self.status.show_error(
            strings.UNEXPECTED.format(error=f"{type(error).__name__}: {error}".rstrip(": "))
        )

    def _deliver_next(self) -> None:
        """Add one layer, then let the GUI breathe."""
        if self._arriving is None:
            return
        if next(self._arriving, None) is None:
            self._arriving = None
        else:
            self._deliver_timer.start()

    def _finish_delivery(self) -> None:
        while self._arriving is not None:
            self._deliver_next()

    def _say_error(self, sentence: str) -> None:
        self.status.show_error(sentence)
        show_error(sentence)

    # Results

    def _on_pair(self) -> None:
        fixed, moving = self.images.pair
        self.run_bar.set_ready(ready=fixed is not None and moving is not None)

    def _on_run(self, run: RunRecord | None) -> None:
        self._results.setVisible(run is not None)
        self.updateGeometry()
        self.session.hover.follow(run)
        self.compare.set_run(run)

    def _on_save(self) -> None:
        run = self.runs.run
        folder = QFileDialog.getExistingDirectory(self, strings.SAVE_TITLE)
        if run is None or not folder:
            return
        try:
            run.bundle.result.save(folder)
        except (OSError, RegistrationError) as error:
            self._say_error(strings.NOT_SAVED.format(error=error))
        else:
            self.status.show_note(strings.SAVED.format(folder=folder), strings.DONE_WORD)

    def _on_remove(self) -> None:
        run = self.runs.run
        if run is not None:
            self._finish_delivery()
            self.session.runs.remove(run.number)
            self.status.clear()

    def _on_arrows(self) -> None:
        if not self._arrows_timer.isActive():
            self._arrows_timer.start()

    def _apply_arrows(self) -> None:
        run = self.runs.run
        if run is not None:
            self.session.runs.set_arrows(run.number, self.runs.arrows.value())

    def _on_layer_removed(self) -> None:
        self.compare.follow_layer()

    def _on_camera(self) -> None:
        if self.session.comparison.active:
            self._camera_timer.start()

    def _on_hover(self, event: Any) -> None:
        self.cursor_line.setText(event.value or strings.CURSOR_IDLE)

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
        """Cancel the run and let go of the viewer; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self.runner.cancel()
        self._set_idle()
        for timer in (self._arrows_timer, self._camera_timer, self._deliver_timer):
            timer.stop()
        self._arriving = None
        self.compare.stop()
        self.session.hover.events.text.disconnect(self._on_hover)
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        on_camera(self._viewer, self._on_camera, connect=False)
        self.images.close_links()
        self.advanced.close_links()
        self.runs.close_links()
        self.session.close()
