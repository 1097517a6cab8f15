"""The *Landmarks* dock: puts the widgets together and connects them to the controller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_mmreg.errors import RegistrationError
from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.landmarks.charts import ZoomView
from napari_mmreg.gui.landmarks.controller import LandmarkController
from napari_mmreg.gui.landmarks.fit_box import FitBox
from napari_mmreg.gui.landmarks.numbers_box import NumbersBox
from napari_mmreg.gui.landmarks.pairs_box import PairsBox
from napari_mmreg.gui.shared import strings as words
from napari_mmreg.gui.shared.runs import keeping_selection
from napari_mmreg.gui.shared.scrolling_dock import ScrollingDock
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.images import ImagePair

if TYPE_CHECKING:
    import napari

    from napari_mmreg.gui.shared.bundle import Bundle

_MEASURE_INTERVAL_MS = 60
"""Numbers follow edits after this pause; a drag has quicker ones of its own."""

_SAVERS = {
    strings.SAVE_CSV: ("csv", ".csv"),
    strings.SAVE_BIGWARP_CSV: ("bigwarp", ".csv"),
    strings.SAVE_BIGWARP_JSON: ("bigwarp", ".json"),
    strings.SAVE_TRANSFORM: ("transform", ".npz"),
}


class LandmarksDock(ScrollingDock):
    """Mark pairs, read the registration error, bend the transform.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    PREFERRED = (470, 720)  # wide enough for the table
    LEAST_WIDTH = 427
    WINDOW_SHARE = 0.34  # the table

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.controller = LandmarkController(napari_viewer)
        self.images = ImagePair(napari_viewer, compact=True)
        self.pairs = PairsBox(self.controller)
        self.fit = FitBox(self.controller)
        self.numbers = NumbersBox(self.controller)
        self.zoom_view = ZoomView(self.controller)
        self.correct = QPushButton()
        self.correct.setStyleSheet(style.PRIMARY)
        self.correct.setToolTip(strings.CORRECT_TIP)
        self._build()
        self._measure_timer = self.timer(_MEASURE_INTERVAL_MS, self._measure)
        self._connect()
        self._on_images()

    # Building

    def _build(self) -> None:
        self.stack(
            style.header(strings.IMAGES),
            self.images,
            style.header(strings.PAIRS),
            self.pairs,
            self.zoom_view,
            style.header(strings.ERRORS),
            self.numbers,
            style.header(strings.TRANSFORM),
            self.fit,
            self.fit.preview,
            self.correct,
            self.status,
        )

    def _connect(self) -> None:
        self.images.changed.connect(self.when_settled(self._on_images))
        self.images.failed.connect(self.say_error)
        self.follow(self.controller.events.edited, self._on_edited)
        self.follow(self.controller.events.measured, self._on_measured)
        self.follow(self.controller.events.said, self._on_said)
        self.follow(self.controller.runs.events.changed, self.when_settled(self._on_runs))
        self.pairs.open_clicked.connect(self._on_open)
        self.pairs.save_clicked.connect(self._on_save)
        self.pairs.propose_clicked.connect(self._on_propose)
        self.fit.changed.connect(self._on_fit)
        self.fit.preview.toggled.connect(self._on_preview)
        self.numbers.changed.connect(self._measure)
        self.correct.clicked.connect(self._on_correct)
        for keys, callback in (
            ("Ctrl+Z", self.controller.book.undo),
            ("Ctrl+Shift+Z", self.controller.book.redo),
            ("Delete", self.controller.remove_selected),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(callback)

    def show_correction(self) -> None:
        """Scroll to the end, where errors and correction are."""
        bar = self.area.verticalScrollBar()
        if bar is not None:
            bar.setValue(bar.maximum())

    # Pairs

    def _on_images(self) -> None:
        self.fit.preview.setChecked(False)
        self.status.clear()
        self._guarded(lambda: self.controller.set_images(*self.images.pair))
        self._on_runs()
        self._measure()

    def _on_edited(self) -> None:
        if len(self.controller.book):
            self.images.keep()
        self.pairs.refresh()
        self._measure_timer.start()

    def _measure(self) -> None:
        self._measure_timer.stop()
        self.controller.measure()

    def _on_measured(self) -> None:
        self.pairs.refresh()
        self.numbers.refresh()
        self.zoom_view.refresh()
        alone = self.controller.fit_state.base is None
        self.correct.setText(strings.CORRECT_ALONE if alone else strings.CORRECT)
        if self.runner.busy:
            self.correct.setText(strings.STOP)
        self.correct.setEnabled(
            self.runner.busy or self.controller.fit_state.measurement.transform is not None
        )
        self.correct.setToolTip(
            self.controller.fit_state.measurement.problem or strings.CORRECT_TIP
        )

    def _on_propose(self) -> None:
        count = self._guarded(self.controller.propose)
        if count is not None:
            matches = self.controller.fit_state.matches
            if matches is None:
                text = strings.SEEDED.format(count=count) if count else strings.NO_SEEDS
            elif count:
                text = strings.SEEDED_MATCHES.format(count=count, all=len(matches))
            else:
                text = strings.NO_MATCHES_LEFT
            self._say(text)

    # Correction

    def _on_runs(self) -> None:
        self.controller.layers.raise_()
        self.fit.refresh()
        self._on_fit()

    def _on_fit(self) -> None:
        if self.controller.preview.on:
            self.controller.set_preview(on=True)  # another base
        self._measure()

    def _on_preview(self, checked: bool) -> None:
        self._guarded(lambda: self.controller.set_preview(on=checked))

    def _on_correct(self) -> None:
        if self.runner.busy:
            self.runner.cancel()
            self._on_measured()
            return
        self.finish_delivery()
        job = self._guarded(self.controller.correction)
        if job is not None:
            self.status.clear()
            self.controller.stop_marking()
            self.run_job(job, self._show_correction)
            self._on_measured()

    def on_idle(self) -> None:
        """Give the button back."""
        self._on_measured()

    def _show_correction(self, bundle: Bundle) -> None:
        self.fit.preview.setChecked(False)
        self.status.show_result(bundle)
        self.deliver(keeping_selection(self._viewer, self.controller.runs.add(bundle)))

    # Files and messages

    def _on_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, strings.OPEN_TITLE, "", strings.OPEN_FILTER)
        count = self._guarded(lambda: self.controller.open(path)) if path else None
        if count is not None:
            name = Path(path).name
            self._say(strings.OPENED.format(count=count, path=name))

    def _on_save(self) -> None:
        path, kind = QFileDialog.getSaveFileName(
            self, strings.SAVE_TITLE, "landmarks.csv", ";;".join(_SAVERS)
        )
        if not path:
            return
        how, suffix = _SAVERS.get(kind, ("csv", ".csv"))
        target = Path(path).with_suffix(suffix)

        def save() -> bool:
            self.controller.save(target, how)
            return True

        if self._guarded(save):
            note = strings.SAVED.format(path=target.name)
            self._say(f"{note} {strings.CALIBRATED}" if self._in_units(how) else note)

    def _in_units(self, how: str) -> bool:
        """Whether a file of this kind holds physical coordinates."""
        pictures = (self.controller.picture("fixed"), self.controller.picture("moving"))
        return how == "bigwarp" and any(
            picture is not None and picture.placement.calibrated for picture in pictures
        )

    def _guarded(self, action: Callable[[], Any]) -> Any:
        """Do something; an error of ours becomes a sentence, and None is returned."""
        try:
            return action()
        except RegistrationError as error:
            self.say_error(str(error))
            return None

    def _say(self, sentence: str) -> None:
        self.status.show_note(sentence, words.DONE_WORD)

    def _on_said(self, event: Any) -> None:
        self._say(event.value)

    # Closing

    def on_close(self) -> None:
        """Keep the landmarks, and leave the layers."""
        self.images.close_links()
        self.controller.close()
