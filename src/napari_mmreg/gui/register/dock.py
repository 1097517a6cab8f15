"""The *Register* dock: puts the widgets together and connects them to the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_mmreg.errors import RegistrationError
from napari_mmreg.fusion import DEFAULT
from napari_mmreg.gui.register import shortcuts
from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.register.method import AdvancedBox, MethodBox, collect
from napari_mmreg.gui.register.next_steps import NextSteps
from napari_mmreg.gui.register.queue import Request, as_they_are, title_of
from napari_mmreg.gui.register.queued_dock import QueuedDock
from napari_mmreg.gui.register.results_box import ResultsBox
from napari_mmreg.gui.register.saving import save_run
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.register.sharing import Sharing
from napari_mmreg.gui.register.start_box import StartBox
from napari_mmreg.gui.register.tour import Tour
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.activity import Activity
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.fused import NO_FUSION
from napari_mmreg.gui.shared.job import Register
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.settings import PLUGIN, read_defaults
from napari_mmreg.gui.shared.snapshot import modality_of
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.images import ImagePair
from napari_mmreg.gui.shared.widgets.live import LivePreview
from napari_mmreg.gui.shared.widgets.run_bar import RunBar
from napari_mmreg.gui.shared.widgets.section import Section

if TYPE_CHECKING:
    import napari

    from napari_mmreg.models import ModelInfo

LANDMARKS = "Landmarks"
_SCROLL_DELAY_MS = 50
_SAMPLE = "ihc_two_stain"
_AFTER_A_RUN = 2
"""The part of the tour that comes after *Register*."""


class RegisterDock(QueuedDock):
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
        self._modalities = ("", "")
        defaults = read_defaults()
        self.session = Session(napari_viewer, register)
        self.images = ImagePair(napari_viewer)
        self.method = MethodBox(models, defaults)
        self.advanced = AdvancedBox(defaults)
        self.start_box = StartBox(napari_viewer, self.session, self.images)
        self.run_bar = RunBar(add=texts.ADD, add_tip=texts.ADD_TIP)
        self.live = LivePreview()
        self.next_steps = NextSteps(models)
        self.results = ResultsBox(napari_viewer, self.session, defaults)
        self.runs, self.layers = self.results.runs, self.results.layers
        self.compare = self.results.compare
        self.open_result = QPushButton(strings.OPEN_RESULT)
        self.open_result.setToolTip(strings.OPEN_RESULT_TIP)
        self.tour_button = QPushButton(texts.TOUR_BUTTON)
        self.tour_button.setToolTip(texts.TOUR_BUTTON_TIP)
        self.tour = self._build()
        self._scroll_timer = self.timer(_SCROLL_DELAY_MS, self._scroll_to_result)
        self._compare_later = self.when_settled(self.results.compare_run)
        self._sharing = Sharing(self.session, self.compare)
        self._keys = shortcuts.Shortcuts(
            napari_viewer,
            self._on_register_key,
            self.cancel,
            self.results.look_at_worst,
            self._on_hold,
        )
        self._connect()
        self._on_pair()
        self._on_run(self.session.runs.shown)
        self.tour.begin_once()

    # Building

    def _build(self) -> Tour:
        self.start_section = Section(
            "register.start", strings.START, self.start_box, side=self.start_box.side, folded=True
        )
        images = Section("register.images", strings.IMAGES, self.images, side=self.tour_button)
        results = self.results
        tour = Tour(
            self.area, (images, self.run_bar, results.compare, results.layers, results.runs)
        )
        self.stack(
            images,
            self.start_section,
            Section("register.method", strings.METHOD, self.method, self.advanced),
            self.run_bar,
            self.queue_box,
            self.live,
            self.status,
            self.next_steps,
            Section("register.runs", strings.RUNS, self.results, side=self.open_result),
            above=tour,
        )
        return tour

    def _connect(self) -> None:
        self.images.changed.connect(self._on_pair)
        self.images.failed.connect(self.say_error)
        for side in (self.images.fixed, self.images.moving):
            side.modality.activated.connect(self._on_pair)
        self.tour_button.clicked.connect(self.tour.begin)
        self.tour.sample_wanted.connect(self._on_sample)
        self.start_box.failed.connect(self.say_error)
        self.start_box.held.connect(self.compare.suspend)
        self.start_box.areas.drawing.connect(self._on_drawing)
        self.run_bar.started.connect(self.start)
        self.run_bar.added.connect(self.start)
        self.run_bar.cancelled.connect(self.cancel)
        self.runner.progressed.connect(self._on_progress)
        self.runs.chosen.connect(self._on_run)
        self.runs.save_clicked.connect(self._on_save)
        self.runs.fuse_clicked.connect(self.fuse)
        self.runs.remove_clicked.connect(self._on_remove)
        self.runs.share_chosen.connect(self._on_share)
        self.runs.tiles_chosen.connect(self.refine_tiles)
        self.open_result.clicked.connect(self._on_open)
        self.next_steps.model_chosen.connect(self._try_model)
        self.next_steps.flip_chosen.connect(self._try_flip)
        self.next_steps.hand_chosen.connect(self._try_hand)
        self.next_steps.landmarks_chosen.connect(self._try_landmarks)
        self.next_steps.mask_chosen.connect(self._try_mask)
        self.follow(self.session.runs.events.changed, self._compare_later)

    # Running

    def start(self) -> None:
        """Register what is chosen, when it is its turn; an error is shown as a sentence."""
        start, areas = self.start_box.start.value, self.start_box.areas
        settings = collect(self.method, self.advanced, start, self.layers.arrows.value())
        try:
            snapshot = self.session.snapshot(
                *self.images.pair,
                settings,
                areas.fixed_mask.value,
                areas.moving_mask.value,
                areas.region.value,
            )
        except RegistrationError as error:
            self.say_error(str(error))
            return
        snapshot = as_they_are(snapshot)
        title = title_of(snapshot, self.method.model.currentText())
        job = self.session.job(snapshot)
        self._ask(Request(title, job, self._show_run, self.images.pair, snapshot))
        self.method.keep(self._modalities)  # after the button has answered: it writes a file

    def fuse(self) -> None:
        """Fuse the images of the chosen run, which does not run again."""
        self.finish_delivery()
        run = self.runs.run
        if run is None:
            return
        method, correct = self.method.fusion.value, self.method.correct.isChecked()
        if method == NO_FUSION:
            method, correct = DEFAULT, False
        job = self.session.fuse_job(run, method, correct=correct)
        self._ask(
            Request(texts.FUSE_TITLE.format(run=run.number), job, self._show_fused, adds_run=False)
        )

    def refine_tiles(self, finest: int) -> None:
        """Refine the chosen run in tiles; what comes of it is another run."""
        self.finish_delivery()
        run = self.runs.run
        if run is None:
            return
        try:
            job = self.session.tiles_job(run, finest)
        except RegistrationError as error:
            self.say_error(str(error))
            return
        self._ask(Request(texts.TILES_TITLE.format(run=run.number), job, self._show_tiles))

    def _ask(self, request: Request) -> None:
        self.start_box.let_go()
        if self.ask(request):
            self.next_steps.setVisible(False)

    def on_begin(self, request: Request) -> None:
        """Give a run its number, turn the button, and enter the activity area."""
        if request.adds_run:
            self.session.number(request.job)
        self.live.follow(request.job)
        self.run_bar.set_running(running=True)
        self._on_pair()
        self.runs.set_idle(idle=False)
        self._activity = Activity()

    def on_idle(self) -> None:
        """Give the buttons back, unless something waits, and leave the activity area."""
        idle = not self.queue.waiting
        self.run_bar.set_running(running=not idle)
        self.runs.set_idle(idle=idle)
        if idle:
            self.live.end()
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
        """Show how it went, and the layers; a failed run has none that would be new."""
        self.status.show_result(bundle)
        if bundle.result.status != "ok" and self._is_of_the_chosen(bundle):
            self.next_steps.offer(bundle.result.model, bundle.snapshot.settings.start)
        if bundle.result.status == "failed":
            self.status.add(strings.FAILED_RUN)
            return
        self.deliver(self.session.deliver(bundle))
        self._scroll_to_result_soon()
        self.tour.go_on(_AFTER_A_RUN)

    def _is_of_the_chosen(self, bundle: Bundle) -> bool:
        """Whether nothing waits, and what would be tried next is what the run is of."""
        of = (bundle.snapshot.fixed.name, bundle.snapshot.moving.name)
        chosen = tuple(layer.name for layer in self.images.pair if layer is not None)
        return not self.queue.waiting and of == chosen

    def _show_fused(self, bundle: Bundle) -> None:
        self.status.show_note(bundle.note, strings.DONE_WORD)
        self.deliver(self.session.deliver_fused(bundle))

    def _show_tiles(self, outcome: Bundle | str) -> None:
        if isinstance(outcome, str):
            self.status.show_note(outcome, strings.DONE_WORD)
            return
        self.status.show_note(outcome.note, strings.DONE_WORD)
        self.deliver(self.session.deliver(outcome))
        self._scroll_to_result_soon()

    # Results

    def _on_sample(self) -> None:
        self._viewer.open_sample(PLUGIN, _SAMPLE)

    def _on_pair(self) -> None:
        fixed, moving = self.images.pair
        self.run_bar.set_ready(ready=fixed is not None and moving is not None)
        if fixed is not None and moving is not None:
            modalities = modality_of(fixed), modality_of(moving)
            if modalities != self._modalities:
                self._modalities = modalities
                self.method.bring_back(modalities)

    def _on_run(self, run: RunRecord | None) -> None:
        self.results.show_run(run)
        self.updateGeometry()
        self.start_box.let_go()  # its layers are shown over the images now
        self._compare_later()

    def _scroll_to_result_soon(self) -> None:
        """Once it is laid out; not under the hands of whoever has more to register."""
        if not self.queue.waiting:
            self._scroll_timer.start()

    def _scroll_to_result(self) -> None:
        """Bring the result into view below the button, where the dock cannot show all."""
        if not self.tour.isHidden():
            return  # it brings its own part into view
        bar = self.area.verticalScrollBar()
        if bar is not None:
            bar.setValue(self.run_bar.y() - style.GAP)

    def _on_register_key(self) -> None:
        """Do what the button does, but never cancel: what is chosen waits for its turn."""
        (self.run_bar.add if self.run_bar.running else self.run_bar.button).click()

    def _on_hold(self, held: bool) -> None:
        self.compare.hold_before(held=held)

    def _on_open(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, strings.OPEN_RESULT_TITLE)
        if folder:
            self.open_folder(folder)

    def open_folder(self, folder: str) -> None:
        """Show a saved result as a run; an error is shown as a sentence."""
        try:
            job = self.session.open_job(folder, self.images.pair)
        except RegistrationError as error:
            self.say_error(str(error))
            return
        name = Path(folder).name
        title = texts.OPEN_TITLE.format(folder=name)
        self._ask(Request(title, job, partial(self._show_opened, name)))

    def _show_opened(self, name: str, bundle: Bundle) -> None:
        self.status.show_note(bundle.note, strings.DONE_WORD)
        self.deliver(self.session.deliver(bundle, name))
        self._scroll_to_result_soon()

    def _on_share(self, what: str) -> None:
        self._say_done(partial(self._sharing.do, what, self))

    def _say_done(self, action: Callable[[], str]) -> None:
        """Do something with the run; what was done, or why not, is shown."""
        try:
            said = action()
        except RegistrationError as error:
            self.say_error(str(error))
            return
        if said:
            self.status.show_note(said, strings.DONE_WORD)

    # Next steps

    def _try_model(self, name: str) -> None:
        self.method.model.select(name)
        self.start()

    def _try_flip(self) -> None:
        self.start_box.start.select("mirror")
        self.start()

    def _try_hand(self) -> None:
        self.start_section.fold(folded=False)
        self.next_steps.setVisible(False)
        self.start_box.take_in_hand()

    def _try_landmarks(self) -> None:
        self._viewer.window.add_plugin_dock_widget(PLUGIN, LANDMARKS)

    def _try_mask(self) -> None:
        self.start_section.fold(folded=False)
        self.start_box.areas.paint_fixed()

    def _on_drawing(self, sentence: str) -> None:
        self.next_steps.setVisible(False)
        self.status.show_note(sentence, strings.NEXT_WORD)

    def _on_save(self) -> None:
        self.finish_delivery()
        run = self.runs.run
        folder = QFileDialog.getExistingDirectory(self, strings.SAVE_TITLE)
        if run is not None and folder:
            self._say_done(partial(save_run, run, folder))

    def _on_remove(self) -> None:
        run = self.runs.run
        if run is not None:
            self.finish_delivery()
            self.session.runs.remove(run.number)
            self.results.compare_run()
            self.status.clear()

    # Closing

    def on_close(self) -> None:
        """Leave the activity area, the layers and the session; what waits is not done."""
        super().on_close()
        self.on_idle()
        self.images.close_links()
        self.start_box.close_links()
        self.results.close_links()
        self._keys.close()
        self.session.close()
