"""The *Apply registration* dock: puts form and buttons together and connects the session."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QPushButton, QWidget

from napari_mmreg.errors import RegistrationError
from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.apply.carrying import ApplyJob, LoadJob, Made
from napari_mmreg.gui.apply.form import ApplyForm
from napari_mmreg.gui.apply.registration import Registration
from napari_mmreg.gui.apply.session import ApplySession
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.scrolling_dock import ScrollingDock
from napari_mmreg.gui.shared.task import Job, T
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.run_bar import RunBar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari

    from napari_mmreg.geometry import Transform


class ApplyDock(ScrollingDock):
    """Carry layers through a registration: choose, apply, or move the layers themselves.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    PREFERRED = (390, 560)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.session = ApplySession(napari_viewer)
        self.form = ApplyForm()
        self.run_bar = RunBar(texts.APPLY, texts.APPLY_TIP, texts.NEED)
        self.move_button = QPushButton(texts.MOVE)
        self.move_button.setToolTip(texts.MOVE_TIP)
        self.undo_button = QPushButton(texts.UNDO)
        self.undo_button.setToolTip(texts.UNDO_TIP)
        self.hint = style.quiet_label(texts.MOVE_HINT)
        self._began = 0.0
        self._build()
        self._connect()
        self._on_layers()
        self.form.choose_sides(*self.session.guess_sides())
        self.form.choose_layers(list(napari_viewer.layers.selection))

    def _build(self) -> None:
        buttons = QWidget()
        column = style.column(buttons)
        row = style.row(self.move_button, self.undo_button)
        row.setStretch(0, 1)
        row.setStretch(1, 1)
        column.addLayout(row)
        column.addWidget(self.hint)
        self.stack(
            self.form.widget, self.run_bar, self.status, style.header(texts.INSTEAD), buttons
        )

    def _connect(self) -> None:
        events = self._viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed, events.reordered):
            self.follow(emitter, self._on_layers)
        self.follow(self.session.book.events.changed, self._on_runs)
        self.form.changed.connect(self._on_form)
        self.run_bar.started.connect(self.start)
        self.run_bar.cancelled.connect(self.cancel)
        self.runner.progressed.connect(self.run_bar.show_progress)
        self.move_button.clicked.connect(self.move_layers)
        self.undo_button.clicked.connect(self.undo_move)

    # Running

    def start(self) -> None:
        """Carry the chosen layers; an error is shown as a sentence."""
        try:
            registration = self.form.chosen_registration()
            job = self.session.job(registration, self.form.chosen_layers, self.form.way)
        except RegistrationError as error:
            self.say_error(str(error))
            return
        self._run(job, partial(self._show, job))

    def cancel(self) -> None:
        """Stop; the button is back at once, the work follows."""
        if self.runner.busy:
            self.runner.cancel()
            self.on_idle()
            self.status.show_note(strings.CANCELLED)

    def move_layers(self) -> None:
        """Write an affine registration into the chosen layers' affines."""
        try:
            registration = self.form.chosen_registration()
        except RegistrationError as error:
            self.say_error(str(error))
            return
        layers = self.form.chosen_layers
        self._run(LoadJob(registration), partial(self._move, registration, layers))

    def undo_move(self) -> None:
        """Put the layers of the last move back."""
        count, notes = self.session.moves.undo()
        self._say_done(texts.UNDONE.format(layers=_layers(count)), *notes)
        self._on_form()

    def _run(self, job: Job[T], done: Callable[[T], None]) -> None:
        self.status.clear()
        self._began = monotonic()
        self.run_bar.set_running(running=True)
        self._on_form()
        self.run_job(job, done)

    def on_idle(self) -> None:
        """Give the buttons back."""
        self.run_bar.set_running(running=False)
        self._on_form()

    def _show(self, job: ApplyJob, made: list[Made]) -> None:
        target = job.registration.sides(job.way.to)[1]
        grid = texts.ON_OWN if job.way.own_grid else texts.ON_TARGET.format(name=target.name)
        done = texts.DONE.format(
            layers=_layers(len(made)), grid=grid, seconds=monotonic() - self._began
        )
        notes = [job.registration.note, *(each.note for each in made)]
        self.deliver(self.session.deliver(made))
        self._say_done(done, *notes)

    def _move(
        self, registration: Registration, layers: Sequence[Any], transform: Transform
    ) -> None:
        try:
            self.session.move(registration, transform, layers, self.form.way.to)
        except RegistrationError as error:
            self.say_error(str(error))
        else:
            self._say_done(texts.MOVED.format(layers=_layers(len(layers))), registration.note)
        self._on_form()

    def _say_done(self, *sentences: str) -> None:
        self.status.show_note("\n".join(filter(None, sentences)), strings.DONE_WORD)

    # Choosing

    def _on_runs(self) -> None:
        self.form.show_registrations(self.session.runs, self.session.carriers)

    def _on_layers(self) -> None:
        self._on_runs()
        self.form.show_layers(self.session.layers, self.session.images)

    def _on_form(self) -> None:
        busy, ready = self.runner.busy, self.form.ready
        self.run_bar.set_ready(ready=ready)
        transform = self.form.transform
        affine = transform is None or transform.is_affine
        self.move_button.setEnabled(ready and affine and not busy)
        self.undo_button.setEnabled(bool(self.session.moves) and not busy)
        self.hint.setVisible(not affine)

    # Closing

    def on_close(self) -> None:
        """Leave the layers."""
        self.form.close()
        self.session.close()


def _layers(count: int) -> str:
    return texts.ONE_LAYER if count == 1 else texts.MANY_LAYERS.format(count=count)
