"""The *Evaluate* dock: puts the widgets together and connects them to the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import ErrorNotification, notification_manager, show_error
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QInputDialog,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_mmreg.errors import RegistrationError
from napari_mmreg.gui import evaluate_strings as texts
from napari_mmreg.gui import strings
from napari_mmreg.gui.evaluating import Compared, Contender, Evaluated, FetchJob, FetchOutcome
from napari_mmreg.gui.evaluation_session import EvaluationSession
from napari_mmreg.gui.job import Register
from napari_mmreg.gui.placement import Placement
from napari_mmreg.gui.snapshot import Picture
from napari_mmreg.gui.widgets import style
from napari_mmreg.gui.widgets.combo import Combo
from napari_mmreg.gui.widgets.evaluation_box import EvaluationBox
from napari_mmreg.gui.widgets.images import ImagePair
from napari_mmreg.gui.widgets.models_box import ModelsBox
from napari_mmreg.gui.widgets.run_bar import RunBar, StatusLine
from napari_mmreg.gui.widgets.truth_box import TruthBox
from napari_mmreg.gui.worker import Runner, Task

if TYPE_CHECKING:
    import napari
    from qtpy.QtGui import QCloseEvent

    from napari_mmreg.evaluation import Evaluation
    from napari_mmreg.models import ModelInfo


class EvaluateDock(QWidget):
    """Measure registrations: choose, run, look, report, compare.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    register : callable, optional
        Stands for `napari_mmreg.register`.
    models : sequence of ModelInfo, optional
        What can be compared; those of the registry by default.
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
        self._pending: tuple[Placement, int] | None = None
        self.shown: Evaluation | None = None
        self.session = EvaluationSession(napari_viewer, register)
        self.runner = Runner(self)
        self.what = Combo()
        self.what.setToolTip(texts.WHAT_TIP)
        self.images = ImagePair(napari_viewer)
        self.truth = TruthBox(napari_viewer)
        self.run_bar = RunBar(texts.EVALUATE, texts.EVALUATE_TIP, texts.NOTHING)
        self.status = StatusLine()
        self.box = EvaluationBox()
        self.models = ModelsBox(models)
        self._bars = (self.run_bar, self.models.bar)
        self._bar = self.run_bar
        self._build()
        self._connect()
        self._on_layers()
        self._on_segmenter()
        self.box.setVisible(False)

    def _build(self) -> None:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(style.MARGIN, 4, style.MARGIN, style.MARGIN)
        layout.setSpacing(style.GAP)
        layout.addWidget(style.header(texts.WHAT))
        layout.addWidget(self.what)
        layout.addWidget(self.images)
        for part in (
            style.header(texts.OBJECTS),
            self.truth,
            self.run_bar,
            self.status,
            self.box,
            style.header(texts.COMPARE),
            self.models,
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
        self._inner, self.area = inner, scroll

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Wide enough for all texts, as high as napari gives."""
        return QSize(max(410, self.minimumSizeHint().width()), 760)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Never narrower than the controls: there is no scroll bar to the side."""
        bar = self.area.verticalScrollBar()
        spare = bar.sizeHint().width() if bar is not None else 0
        return QSize(max(self._inner.minimumSizeHint().width(), 380) + spare, 200)

    def _connect(self) -> None:
        self._emitters = [self._viewer.layers.events.inserted, self._viewer.layers.events.removed]
        for emitter in self._emitters:
            emitter.connect(self._on_layers)
        self.what.currentIndexChanged.connect(self._on_what)
        self.images.changed.connect(self._on_what)
        self.images.failed.connect(self._say_error)
        self.truth.changed.connect(self._on_segmenter)
        self.truth.choose_clicked.connect(self._on_choose_sam)
        self.truth.fetch_clicked.connect(self._on_fetch_sam)
        self.truth.free_clicked.connect(self._on_free)
        self.run_bar.started.connect(self.start)
        self.models.bar.started.connect(self.compare)
        for bar in self._bars:
            bar.cancelled.connect(self.cancel)
        self.runner.progressed.connect(self._on_progress)
        self.runner.ended.connect(self._on_ended)
        self.runner.crashed.connect(self._on_crashed)
        self.box.object_chosen.connect(self.session.look_at)
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
            self._say_error(str(error))
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
            self._say_error(str(error))
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
            self._say_error(str(outcome.error))
        elif isinstance(outcome, Compared):
            self.models.show_contenders(outcome.contenders)
        elif isinstance(outcome, FetchOutcome) and outcome.fetched is not None:
            self.session.segmenter_name = str(outcome.fetched.folder)
            self.status.show_note(
                texts.FETCHED.format(
                    folder=outcome.fetched.folder, sha256=outcome.fetched.sha256[:16] + "…"
                )
            )
            self._tell_segmenter()
        elif isinstance(outcome, Evaluated) and outcome.evaluation is not None:
            self._show(outcome.evaluation)

    def _on_crashed(self, error: Exception) -> None:
        self._set_idle()
        notification_manager.dispatch(ErrorNotification(error))
        self.status.show_error(
            strings.UNEXPECTED.format(error=f"{type(error).__name__}: {error}".rstrip(": "))
        )

    def _show(self, evaluation: Evaluation) -> None:
        self.shown = evaluation
        self.box.setVisible(True)
        self.box.show_evaluation(evaluation)
        if self._pending is not None:
            placement, number = self._pending
            keep = [layer for layer in self.truth.labels if layer is not None]
            self.session.show_objects(evaluation, placement, number, keep)
        self.updateGeometry()

    def _say_error(self, sentence: str) -> None:
        self.status.show_error(sentence)
        show_error(sentence)

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

    def _on_segmenter(self) -> None:
        chosen = self.truth.segmenter.value
        self.session.segmenter_name = chosen
        self._tell_segmenter()

    def _check_segmenter(self) -> None:
        if self.session.segmenter_name == "sam":
            raise RegistrationError(texts.NO_SAM)

    def _tell_segmenter(self) -> None:
        """Say what was measured of the built-in segmenter on such pairs, or which SAM it is."""
        self.truth.about.setText(self.session.about_segmenter(*self._pictures()))

    def _on_choose_sam(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.CHOOSE_SAM_TITLE)
        if folder:
            self.session.segmenter_name = folder
            self._tell_segmenter()

    def _on_fetch_sam(self) -> None:
        from napari_mmreg.evaluation.segmentation.sam_download import SOURCES

        titles = [f"{s.title}, {s.licence}, about {s.megabytes} MB" for s in SOURCES]
        chosen, agreed = QInputDialog.getItem(
            self, texts.FETCH_SAM_TITLE, texts.FETCH_SAM_ASK, titles, 0, editable=False
        )
        if agreed:
            self._run(FetchJob(SOURCES[titles.index(chosen)]), self.run_bar)

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
        from napari_mmreg.evaluation.report import write_report

        others = [c.evaluation for c in self.models.contenders if c.evaluation is not None]
        if not any(other is self.shown for other in others):
            others = []
        every = [self.shown, *(other for other in others if other is not self.shown)]
        title = texts.REPORT_NAME.format(**self.shown.provenance["images"])
        try:
            path = write_report(every, folder, title)
        except OSError as error:
            self._say_error(texts.NOT_SAVED.format(error=error))
        else:
            self.status.show_note(texts.REPORT_SAVED.format(path=path))

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
        for emitter in self._emitters:
            emitter.disconnect(self._on_layers)
        self.images.close_links()
        self.truth.close_links()
        self.session.close()
