"""The *Register stack or time series* dock: choose two stacks and a way, run, look at planes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_mmreg.errors import InputError, RegistrationError
from napari_mmreg.gui.series import strings as texts
from napari_mmreg.gui.series.chart import DriftChart
from napari_mmreg.gui.series.form import SeriesForm
from napari_mmreg.gui.series.job import Made, SaveJob, SeriesJob
from napari_mmreg.gui.series.planes import PlaneFollower
from napari_mmreg.gui.series.request import axes_of, make_request
from napari_mmreg.gui.series.table import PlanesTable
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.activity import Activity
from napari_mmreg.gui.shared.runs import RunBook, keeping_selection
from napari_mmreg.gui.shared.scrolling_dock import ScrollingDock
from napari_mmreg.gui.shared.settings import read_defaults
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.images import ImagePair
from napari_mmreg.gui.shared.widgets.live import LivePreview
from napari_mmreg.gui.shared.widgets.run_bar import RunBar

if TYPE_CHECKING:
    import napari

    from napari_mmreg.gui.shared.layer_spec import LayerSpec
    from napari_mmreg.series import PlaneResult


class SeriesDock(ScrollingDock):
    """Register the planes of two stacks, or of a stack and an image.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    PREFERRED = (390, 760)
    LEAST_WIDTH = 310

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        from napari_mmreg.models import list_models

        self.book = RunBook.of(napari_viewer)
        self.images = ImagePair(napari_viewer, compact=True)
        self.form = SeriesForm(list_models(), read_defaults())
        self.hint = style.quiet_label()
        self.run_bar = RunBar(texts.RUN, texts.RUN_TIP, texts.NEED)
        self.live = LivePreview()
        self.table = PlanesTable()
        self.chart = DriftChart()
        self.save_button = QPushButton(texts.SAVE)
        self.save_button.setToolTip(texts.SAVE_TIP)
        self.follower = PlaneFollower(napari_viewer)
        self.made: Made | None = None
        self._job: SeriesJob | None = None
        self._kept: SeriesJob | None = None
        self._shown = 0
        self._began = 0.0
        self._activity: Activity | None = None
        self._results = self._build()
        self._connect()
        self._on_layers()

    def _build(self) -> QWidget:
        results = QWidget()
        column = style.column(results)
        for part in (style.header(texts.RESULT), self.chart, self.table, self.save_button):
            column.addWidget(part)
        results.setVisible(False)
        self.stack(
            style.header(texts.IMAGES), self.images, style.header(texts.HOW), self.form.widget,
            self.hint, self.run_bar, self.live, self.status, results,
        )  # fmt: skip
        return results

    def _connect(self) -> None:
        self.images.changed.connect(self._on_layers)
        self.images.failed.connect(self.say_error)
        self.form.changed.connect(self._show_state)
        self.run_bar.started.connect(self.start)
        self.run_bar.cancelled.connect(self.cancel)
        self.runner.progressed.connect(self._on_progress)
        self.table.chosen.connect(self.follower.go_to)
        self.chart.chosen.connect(self.follower.go_to)
        self.save_button.clicked.connect(self._on_save)
        self.follow(self._viewer.dims.events.point, self._on_slider)
        self.follow(self._viewer.dims.events.axis_labels, self._on_layers)

    # Running

    def start(self) -> None:
        """Register the stacks; what a cancelled run of the same kind has done is not repeated."""
        self.finish_delivery()
        fixed, moving = self.images.pair
        axis = self.form.axis.value
        if fixed is None or moving is None or axis is None:
            return
        try:
            number = self.book.next_number()
            request = make_request(self._viewer, number, fixed, moving, axis, self.form.settings)
        except RegistrationError as error:
            self.say_error(str(error))
            return
        kept = self._kept if self._kept and self._kept.request.key == request.key else None
        self._job = self._kept = SeriesJob(request, kept.done if kept else ())
        self.made, self._shown, self._began = None, 0, monotonic()
        self.status.clear()
        self.table.show_waiting(request.number)
        self.chart.setVisible(False)
        self._results.setVisible(True)
        self.follower.follow(moving if request.moving.at is not None else fixed, axis)
        self._activity = Activity()
        self.run_bar.set_running(running=True)
        self.live.follow(self._job)
        self.run_job(self._job, self._show)
        self._show_done()
        self._show_state()

    def cancel(self) -> None:
        """Stop; planes that are done are kept for the next run."""
        if not self.runner.busy:
            return
        job = self._job
        self.runner.cancel()
        self.on_idle()
        if job is not None and job.done:
            total = job.request.number
            said = texts.CANCELLED.format(done=len(job.done), total=total)
        else:
            said = texts.CANCELLED_EARLY
        self.status.show_note(said)

    def on_idle(self) -> None:
        """Give the buttons back and leave the activity area."""
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.close()
        self._show_done()
        self._job = None
        self.live.end()
        self.run_bar.set_running(running=False)
        self._show_state()

    def _on_progress(self, stage: str, fraction: float) -> None:
        if not self.run_bar.running:
            return
        self.run_bar.show_progress(stage, fraction)
        if self._activity is not None:
            self._activity.show(stage, fraction)
        self._show_done()

    def _show_done(self) -> None:
        """List what became of planes while others are still registered."""
        if self._job is None:
            return
        new: list[PlaneResult] = self._job.done[self._shown :]
        self.table.show_planes(new)
        self._shown += len(new)

    def _show(self, made: Made) -> None:
        self.made, self._kept = made, None
        result = made.result
        self.table.show_planes(result.planes, result.drift)
        moves = result.way != "once" and len(result) > 1
        self.chart.setVisible(moves)
        filled = np.array([plane.source == "interpolated" for plane in result.planes])
        self.chart.show_drift(result.drift, filled)
        self._on_slider()
        numbers = [
            texts.DONE.format(
                ok=result.count("ok"), total=len(result), seconds=monotonic() - self._began
            )
        ]
        known = result.drift[np.isfinite(result.drift).all(axis=1)]
        if moves and len(known):
            longest = float(np.linalg.norm(known, axis=1).max())
            numbers.append(texts.DRIFT.format(drift=longest))
        self.status.show_outcome(
            result.status, " · ".join(numbers), "\n".join((*result.reasons, made.note))
        )
        if made.layer is not None:
            self.deliver(keeping_selection(self._viewer, self._layers(made.layer)))
        self._show_state()

    def _layers(self, spec: LayerSpec) -> Iterator[Layer]:
        layer = Layer.create(spec.data, dict(spec.kwargs), spec.kind)
        self._viewer.layers.append(layer)
        yield layer

    # Saving

    def _on_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.SAVE_TITLE)
        if folder:
            self.save(Path(folder))

    def save(self, folder: Path) -> None:
        """Write the series to a folder, in the background."""
        if self.made is None or self.busy:
            return
        self._job = None
        self.run_bar.set_running(running=True)
        self.run_job(SaveJob(self.made.result, folder), self._say_saved)
        self._show_state()

    def _say_saved(self, folder: Path) -> None:
        self.status.show_note(texts.SAVED.format(folder=folder), strings.DONE_WORD)

    # Choosing

    def _on_layers(self, *_event: Any) -> None:
        self.form.show_axes(axes_of(self._viewer, *self.images.pair))

    def _on_slider(self, *_event: Any) -> None:
        plane = self.follower.shown()
        if plane is not None:
            self.table.show_current(plane)
            self.chart.show_current(plane)

    def _show_state(self) -> None:
        busy = self.runner.busy
        fixed, moving = self.images.pair
        hint = texts.ABOUT_WAY[self.form.way.value]
        ready = fixed is not None and moving is not None
        if ready and self.form.axis.value is None:
            ready, hint = False, texts.NO_STACK
        elif ready:
            try:
                make_request(
                    self._viewer, 0, fixed, moving, self.form.axis.value, self.form.settings
                )
            except InputError as error:
                ready, hint = False, str(error)
        self.hint.setText(hint)
        self.run_bar.set_ready(ready=ready)
        self.images.setEnabled(not busy)
        self.form.widget.setEnabled(not busy)
        self.save_button.setEnabled(self.made is not None and not busy)

    # Closing

    def on_close(self) -> None:
        """Leave the activity area, the layers and the viewer."""
        self.on_idle()
        self.images.close_links()
        self.follower.follow(None, -1)
        self.book.close()
