"""The *Register* dock: puts the widgets together and connects them to the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_mmreg.errors import RegistrationError
from napari_mmreg.fusion import DEFAULT
from napari_mmreg.gui.register.compare_box import CompareBox
from napari_mmreg.gui.register.method import AdvancedBox, MethodBox, collect
from napari_mmreg.gui.register.runs_box import RunsBox
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.activity import Activity
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.compat import camera_emitters
from napari_mmreg.gui.shared.fused import FILES, NO_FUSION, save_fused
from napari_mmreg.gui.shared.job import Register
from napari_mmreg.gui.shared.runs import RunRecord
from napari_mmreg.gui.shared.scrolling_dock import ScrollingDock
from napari_mmreg.gui.shared.settings import read_defaults
from napari_mmreg.gui.shared.task import Job
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.images import ImagePair
from napari_mmreg.gui.shared.widgets.run_bar import RunBar

if TYPE_CHECKING:
    import napari

    from napari_mmreg.models import ModelInfo

_CAMERA_INTERVAL_MS = 150
_ARROWS_INTERVAL_MS = 80


class RegisterDock(ScrollingDock):
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
        super().__init__(napari_viewer)
        if models is None:
            from napari_mmreg.models import list_models

            models = list_models()
        self._activity: Activity | None = None
        defaults = read_defaults()
        self.session = Session(napari_viewer, register)
        self.images = ImagePair(napari_viewer)
        self.method = MethodBox(models, defaults)
        self.advanced = AdvancedBox(napari_viewer, defaults)
        self.run_bar = RunBar()
        self.runs = RunsBox(self.session.runs, defaults.arrows)
        self.compare = CompareBox(self.session.comparison)
        self.cursor_line = style.quiet_label(strings.CURSOR_IDLE)
        # Two lines; napari's theme enlarges the font later.
        self.cursor_line.setFixedHeight(3 * self.cursor_line.fontMetrics().lineSpacing())
        self.cursor_line.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._results = self._build()
        self._arrows_timer = self.timer(_ARROWS_INTERVAL_MS, self._apply_arrows)
        self._camera_timer = self.timer(_CAMERA_INTERVAL_MS, self.session.comparison.refresh)
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
        self.stack(
            style.header(strings.IMAGES),
            self.images,
            style.header(strings.METHOD),
            self.method,
            self.advanced,
            self.run_bar,
            self.status,
            results,
        )
        return results

    def content_width(self) -> int:
        """Count the results while they are hidden, or the dock would grow with the first run."""
        results = self._results.minimumSizeHint().width() + 2 * style.MARGIN
        return max(super().content_width(), results)

    def _connect(self) -> None:
        self.images.changed.connect(self._on_pair)
        self.images.failed.connect(self.say_error)
        self.run_bar.started.connect(self.start)
        self.run_bar.cancelled.connect(self.cancel)
        self.runner.progressed.connect(self._on_progress)
        self.runs.chosen.connect(self._on_run)
        self.runs.save_clicked.connect(self._on_save)
        self.runs.fuse_clicked.connect(self.fuse)
        self.runs.remove_clicked.connect(self._on_remove)
        self.runs.arrows_changed.connect(self._on_arrows)
        compare = self.compare
        for moved in (compare.mode.activated, compare.source.activated, compare.amount.sliderMoved):
            moved.connect(self._uncover)
        self.follow(self.session.hover.events.text, self._on_hover)
        self.follow(self._viewer.layers.events.removed, self._on_layer_removed)
        for emitter in camera_emitters(self._viewer):
            self.follow(emitter, self._on_camera)

    # Running

    def start(self) -> None:
        """Register what is chosen; an error is shown as a sentence."""
        self.finish_delivery()
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
            self.say_error(str(error))
            return
        self._start(self.session.job(snapshot), self._show_run)

    def fuse(self) -> None:
        """Fuse the images of the chosen run, which does not run again."""
        self.finish_delivery()
        run = self.runs.run
        if run is None:
            return
        method, correct = self.method.fusion.value, self.method.correct.isChecked()
        if method == NO_FUSION:
            method, correct = DEFAULT, False
        self._start(self.session.fuse_job(run, method, correct=correct), self._show_fused)

    def _start(self, job: Job[Bundle], done: Callable[[Bundle], None]) -> None:
        self.status.clear()
        self.run_bar.set_running(running=True)
        self.run_bar.set_ready(ready=True)
        self.runs.fuse.setEnabled(False)
        self._activity = Activity()
        self.run_job(job, done)

    def cancel(self) -> None:
        """Stop the run; the button is back at once, the engine follows."""
        if self.runner.busy:
            self.runner.cancel()
            self.on_idle()
            self.status.show_note(strings.CANCELLED)

    def on_idle(self) -> None:
        """Give the buttons back and leave the activity area."""
        self.run_bar.set_running(running=False)
        self.runs.fuse.setEnabled(True)
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.close()
        self._on_pair()
        self.method.check_devices()

    def _on_progress(self, stage: str, fraction: float) -> None:
        self.run_bar.show_progress(stage, fraction)
        if self._activity is not None:
            self._activity.show(stage, fraction)

    def _show_run(self, bundle: Bundle) -> None:
        self.status.show_result(bundle)
        self.deliver(self.session.deliver(bundle))

    def _show_fused(self, bundle: Bundle) -> None:
        self.status.show_note(bundle.note, strings.DONE_WORD)
        self.deliver(self.session.deliver_fused(bundle))

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
        self.finish_delivery()
        run = self.runs.run
        folder = QFileDialog.getExistingDirectory(self, strings.SAVE_TITLE)
        if run is None or not folder:
            return
        try:
            run.bundle.result.save(folder)
            written, left = save_fused(run.layers, folder)
        except (OSError, RegistrationError) as error:
            self.say_error(strings.NOT_SAVED.format(error=error))
        else:
            sentence = strings.SAVED_FUSED if written else strings.SAVED
            if left:
                sentence += " " + strings.LEFT_FUSED
            said = sentence.format(
                folder=folder, names=" and ".join(written), left=" and ".join(left)
            )
            self.status.show_note(said, strings.DONE_WORD)

    def _on_remove(self) -> None:
        run = self.runs.run
        if run is not None:
            self.finish_delivery()
            self.session.runs.remove(run.number)
            self.status.clear()

    def _on_arrows(self) -> None:
        if not self._arrows_timer.isActive():
            self._arrows_timer.start()

    def _apply_arrows(self) -> None:
        run = self.runs.run
        if run is not None:
            self.session.runs.set_arrows(run.number, self.runs.arrows.value())

    def _uncover(self) -> None:
        """Hide the fused images, which cover the comparison that the user turns to."""
        run = self.runs.run
        for role in FILES:
            if run is not None and role in run.layers and self.compare.mode.value != "off":
                run.layers[role].visible = False

    def _on_layer_removed(self) -> None:
        self.compare.follow_layer()

    def _on_camera(self) -> None:
        if self.session.comparison.active:
            self._camera_timer.start()

    def _on_hover(self, event: Any) -> None:
        self.cursor_line.setText(event.value or strings.CURSOR_IDLE)

    # Closing

    def on_close(self) -> None:
        """Leave the activity area, the layers and the session."""
        self.on_idle()
        self.compare.stop()
        self.images.close_links()
        self.advanced.close_links()
        self.runs.close_links()
        self.session.close()
