"""The *Evaluate* dock: puts the widgets together and connects them to the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from napari_mmreg.errors import RegistrationError
from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.evaluate.evaluating import (
    Compared,
    Contender,
    Evaluated,
    FetchJob,
    FetchOutcome,
)
from napari_mmreg.gui.evaluate.evaluation_box import EvaluationBox
from napari_mmreg.gui.evaluate.models_box import ModelsBox
from napari_mmreg.gui.evaluate.segmenter_box import SegmenterBox
from napari_mmreg.gui.evaluate.session import EvaluationSession
from napari_mmreg.gui.evaluate.truth_box import TruthBox
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.job import Register
from napari_mmreg.gui.shared.placement import Placement
from napari_mmreg.gui.shared.scrolling_dock import ScrollingDock
from napari_mmreg.gui.shared.snapshot import Picture
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo
from napari_mmreg.gui.shared.widgets.images import ImagePair
from napari_mmreg.gui.shared.widgets.run_bar import RunBar
from napari_mmreg.gui.shared.worker import Task

if TYPE_CHECKING:
    import napari

    from napari_mmreg.evaluation import Evaluation
    from napari_mmreg.evaluation.segmentation.sam_download import SamSource
    from napari_mmreg.models import ModelInfo


class EvaluateDock(ScrollingDock):
    """Measure registrations: choose, run, look, report, compare.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    register : callable, optional
        Stands for `napari_mmreg.register`.
    models : sequence of ModelInfo, optional
        What can be compared; those of the registry by default.
    """

    PREFERRED = (410, 760)
    LEAST_WIDTH = 380  # the tables count while they are hidden

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
        self._pending: tuple[Placement, int] | None = None
        self.shown: Evaluation | None = None
        self.session = EvaluationSession(napari_viewer, register)
        self.what = Combo()
        self.what.setToolTip(texts.WHAT_TIP)
        self.images = ImagePair(napari_viewer)
        self.segmenter = SegmenterBox()
        self.truth = TruthBox(napari_viewer)
        self.run_bar = RunBar(texts.EVALUATE, texts.EVALUATE_TIP, texts.NOTHING)
        self.box = EvaluationBox()
        self.models = ModelsBox(models)
        self._bars = (self.run_bar, self.models.bar)
        self._bar = self.run_bar
        self._build()
        self._connect()
        self._on_layers()
        self.box.setVisible(False)

    def _build(self) -> None:
        self.stack(
            style.header(texts.WHAT),
            self.what,
            self.images,
            style.header(texts.OBJECTS),
            self.segmenter,
            self.truth,
            self.run_bar,
            self.status,
            self.box,
            style.header(texts.COMPARE),
            self.models,
        )

    def _connect(self) -> None:
        for emitter in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
            self.follow(emitter, self._on_layers)
        self.what.currentIndexChanged.connect(self._on_what)
        self.images.changed.connect(self._on_what)
        self.images.failed.connect(self.say_error)
        self.segmenter.changed.connect(self._on_segmenter)
        self.segmenter.fetch_chosen.connect(self._on_fetch)
        self.segmenter.free_clicked.connect(self._on_free)
        self.run_bar.started.connect(self.start)
        self.models.bar.started.connect(self.compare)
        for bar in self._bars:
            bar.cancelled.connect(self.cancel)
        self.runner.progressed.connect(self._on_progress)
        self.runner.ended.connect(self._on_ended)
        self.runner.crashed.connect(self._on_crashed)
        self.box.object_chosen.connect(self.session.objects.look_at)
        self.box.report_clicked.connect(self._on_report)
        self.models.contender_chosen.connect(self._on_contender)
        self.models.keep_clicked.connect(self._on_keep)

    # Running

    def start(self) -> None:
        """Evaluate what is chosen; an error is shown as a sentence."""
        run = self.what.value
        try:
            self._check_segmenter()
            fixed, moving = self._pictures()
            truths = self.session.truths(fixed, moving, self.truth.labels, self.truth.points)
            job = self.session.job(run, *self.images.pair, truths)
        except RegistrationError as error:
            self.say_error(str(error))
            return
        number = run.number if run is not None else self.session.free_number()
        self._pending = (job.request.fixed.placement, number)
        self._run(job, self.run_bar)

    def compare(self) -> None:
        """Register the two images with every ticked model and evaluate each."""
        fixed, moving = self.images.pair
        try:
            self._check_segmenter()
            pictures = self._layer_pictures()
            truths = self.session.truths(*pictures, self.truth.labels, self.truth.points)
            job = self.session.compare_job(fixed, moving, self.models.ticked, truths)
        except RegistrationError as error:
            self.say_error(str(error))
            return
        self._pending = (self.session.picture(fixed).placement, self.session.free_number())
        self._run(job, self.models.bar)

    def cancel(self) -> None:
        """Stop; the button is back at once, the work follows."""
        if self.runner.busy:
            self.runner.cancel()
            self._set_idle()
            self.status.show_note(strings.CANCELLED)

    def _run(self, job: Task, bar: RunBar) -> None:
        self.status.clear()
        self._bar = bar
        for each in self._bars:
            each.button.setEnabled(each is bar)
        bar.set_running(running=True)
        self.runner.start(job)

    def _set_idle(self) -> None:
        self._bar.set_running(running=False)
        self._on_what()

    def _on_progress(self, stage: str, fraction: float) -> None:
        self._bar.show_progress(stage, fraction)

    def _on_ended(self, outcome: Evaluated | Compared | FetchOutcome) -> None:
        self._set_idle()
        if outcome.error is not None:
            self.say_error(str(outcome.error))
        elif isinstance(outcome, Compared):
            self.models.show_contenders(outcome.contenders)
        elif isinstance(outcome, FetchOutcome) and outcome.fetched is not None:
            self.segmenter.set_folder(str(outcome.fetched.folder))
            self.status.show_note(
                texts.FETCHED.format(
                    folder=outcome.fetched.folder, sha256=outcome.fetched.sha256[:16] + "…"
                )
            )
        elif isinstance(outcome, Evaluated) and outcome.evaluation is not None:
            self._show(outcome.evaluation)

    def _on_crashed(self, error: Exception) -> None:
        self._set_idle()
        self.say_crash(error)

    def _show(self, evaluation: Evaluation) -> None:
        self.shown = evaluation
        self.box.setVisible(True)
        self.box.show_evaluation(evaluation)
        if self._pending is not None:
            placement, number = self._pending
            keep = [layer for layer in self.truth.labels if layer is not None]
            self.session.objects.show(evaluation, placement, number, keep)
        self.updateGeometry()

    # Choosing

    def _pictures(self) -> tuple[Picture | None, Picture | None]:
        run = self.what.value
        if run is not None:
            return run.bundle.snapshot.fixed, run.bundle.snapshot.moving
        return self._layer_pictures()

    def _layer_pictures(self) -> tuple[Picture | None, Picture | None]:
        fixed, moving = (
            None if layer is None else self.session.picture(layer) for layer in self.images.pair
        )
        return fixed, moving

    def _on_layers(self) -> None:
        known = self.what.values
        runs = self.session.runs
        items: list[tuple[str, Any]] = [(run.title, run) for run in runs]
        self.what.set_items([*items, (texts.AS_THEY_LIE, None)])
        if runs and runs[0] not in known:
            self.what.select_silently(runs[0])
        self._on_what()

    def _on_what(self) -> None:
        fixed, moving = self.images.pair
        two = fixed is not None and moving is not None
        if not self.runner.busy:
            self.run_bar.set_ready(ready=two or self.what.value is not None)
            self.models.bar.set_ready(ready=two)
        self._tell_segmenter()

    def _on_segmenter(self, name: str) -> None:
        self.session.segmenter_name = name
        self._tell_segmenter()

    def _check_segmenter(self) -> None:
        if self.session.segmenter_name == "sam":
            raise RegistrationError(texts.NO_SAM)

    def _tell_segmenter(self) -> None:
        """Say what was measured of the built-in segmenter on such pairs, or which SAM it is."""
        self.segmenter.about.setText(self.session.about_segmenter(*self._pictures()))

    def _on_fetch(self, source: SamSource) -> None:
        self._run(FetchJob(source), self.run_bar)

    def _on_free(self) -> None:
        if not self.runner.busy:
            self.session.free_memory()
            self.status.show_note(texts.FREED)

    # Results

    def _on_contender(self, contender: Contender) -> None:
        if contender.evaluation is not None and contender.bundle is not None:
            placement = contender.bundle.snapshot.fixed.placement
            self._pending = (placement, self.session.free_number())
            self._show(contender.evaluation)
        elif contender.error is not None:
            self.status.show_error(str(contender.error))

    def _on_keep(self) -> None:
        contender = self.models.chosen
        if contender is not None:
            self.session.keep(contender)

    def _on_report(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.REPORT_TITLE)
        if not folder or self.shown is None:
            return
        try:
            path = self.session.write_report(self.shown, self.models.contenders, folder)
        except OSError as error:
            self.say_error(texts.NOT_SAVED.format(error=error))
        else:
            self.status.show_note(texts.REPORT_SAVED.format(path=path))

    # Closing

    def let_go(self) -> None:
        """Leave the layers and free the segmenters."""
        self.images.close_links()
        self.truth.close_links()
        self.session.close()
