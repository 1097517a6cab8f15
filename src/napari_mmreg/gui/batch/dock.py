"""The *Batch* dock: choose pairs of files, register all of them, look at any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QPushButton, QWidget

from napari_mmreg.batch import BatchSummary, Outcome
from napari_mmreg.batch.outcome import WORST_FIRST
from napari_mmreg.batch.summary import PAGE
from napari_mmreg.errors import RegistrationError
from napari_mmreg.gui.batch import strings as texts
from napari_mmreg.gui.batch.form import BatchForm, path_of
from napari_mmreg.gui.batch.job import BatchJob, OpenJob
from napari_mmreg.gui.batch.table import PairsTable
from napari_mmreg.gui.shared.run_layers import make_layer
from napari_mmreg.gui.shared.scrolling_dock import ScrollingDock
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.live import LivePreview
from napari_mmreg.gui.shared.widgets.run_bar import RunBar

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

    from napari_mmreg.gui.shared.layer_spec import LayerSpec

_TYPING_MS = 400
_SCROLL_DELAY_MS = 50


class BatchDock(ScrollingDock):
    """Register many pairs of files.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        from napari_mmreg.models import list_models

        self.form = BatchForm(list_models())
        self.count = style.quiet_label()
        self.table = PairsTable()
        self.run_bar = RunBar(texts.RUN, texts.RUN_TIP, texts.NEED, time_left=False)
        self.live = LivePreview()
        self.open_button = QPushButton(texts.OPEN)
        self.open_button.setToolTip(texts.OPEN_TIP)
        self.page_button = QPushButton(texts.PAGE)
        self.page_button.setToolTip(texts.PAGE_TIP)
        self._job: BatchJob | None = None
        self._shown = 0
        self._folder: Path | None = None
        self._pairs_timer = self.timer(_TYPING_MS, self.find_pairs)
        self._scroll_timer = self.timer(_SCROLL_DELAY_MS, self._scroll_to_preview)
        self._build()
        self._connect()
        self.find_pairs()

    def _build(self) -> None:
        pairs, settings = self.form.widgets
        buttons = QWidget()
        row = style.row(self.open_button, self.page_button)
        row.setStretch(0, 1)
        row.setStretch(1, 1)
        style.column(buttons).addLayout(row)
        self.stack(
            style.header(texts.PAIRS), pairs, self.count, self.table, buttons,
            style.header(texts.SETTINGS), settings, self.run_bar, self.live, self.status,
        )  # fmt: skip

    def _connect(self) -> None:
        self.form.pairs_changed.connect(self._pairs_timer.start)
        self.form.changed.connect(self._show_state)
        self.table.chosen.connect(self._show_state)
        self.table.opened.connect(self.open_pair)
        self.run_bar.started.connect(self.start)
        self.run_bar.cancelled.connect(self.cancel)
        self.open_button.clicked.connect(self.open_pair)
        self.page_button.clicked.connect(self.open_page)
        self.live.appeared.connect(self._scroll_timer.start)
        self.runner.progressed.connect(self._on_progress)

    # Pairs

    def find_pairs(self) -> None:
        """List the pairs that are chosen; what is wrong is shown below them."""
        try:
            pairs, (fixed, moving) = self.form.find_pairs()
        except RegistrationError as error:
            self.table.show_pairs(())
            self.count.setText(str(error))
        else:
            self.table.show_pairs(pairs)
            text = texts.LEFT_OUT if fixed or moving else texts.COUNT
            self.count.setText(text.format(count=len(pairs), fixed=fixed, moving=moving))
        self._show_state()

    # Running

    def start(self) -> None:
        """Register all pairs; an error is shown as a sentence."""
        self._pairs_timer.stop()
        self.find_pairs()  # what was typed last may not be listed yet
        folder = path_of(self.form.output)
        if folder is None or not self.table.pairs:
            return
        try:
            parameters = self.form.parameters()
        except RegistrationError as error:
            self.say_error(str(error))
            return
        self._job = BatchJob(self.table.pairs, folder, parameters, self.form.workers.value)
        self._shown, self._folder = 0, folder
        self.status.clear()
        self.run_bar.set_running(running=True)
        self.live.follow(self._job)
        self.run_job(self._job, self._on_done)
        self._show_state()

    def cancel(self) -> None:
        """Stop; pairs that are done are kept."""
        self.runner.cancel()
        self.on_idle()
        self.status.show_note(texts.CANCELLED)

    def _on_progress(self, stage: str, fraction: float) -> None:
        if self.run_bar.running:
            self.run_bar.show_progress(stage, fraction)
        self._show_outcomes()

    def _show_outcomes(self) -> None:
        if self._job is None:
            return
        new = self._job.outcomes[self._shown :]
        self.table.show_outcomes(new)
        self._shown += len(new)

    def _scroll_to_preview(self) -> None:
        """Bring it into view, once it is laid out, where the dock cannot show all."""
        self.area.ensureWidgetVisible(self.live, 0, style.GAP)

    def on_idle(self) -> None:
        """Turn the button back."""
        self._show_outcomes()
        self.live.end()
        self.run_bar.set_running(running=False)
        self._show_state()

    def _on_done(self, summary: BatchSummary) -> None:
        count = texts.COUNT.format(count=len(summary.outcomes))
        self.status.show_note(_counted(summary.outcomes), count)

    def _show_state(self) -> None:
        busy = self.runner.busy
        ready = bool(self.table.pairs) and path_of(self.form.output) is not None
        self.run_bar.set_ready(ready=ready)
        for widget in self.form.widgets:
            widget.setEnabled(not busy)
        self.open_button.setEnabled(self.table.selected is not None and not busy)
        page = None if self._folder is None else self._folder / PAGE
        self.page_button.setEnabled(page is not None and page.is_file())

    # Looking

    def open_pair(self) -> None:
        """Show the selected pair's images as layers."""
        pair, folder = self.table.selected, self._folder or path_of(self.form.output)
        if pair is None or folder is None or self.busy:
            return
        outcome = self.table.outcome(pair)
        reasons = () if outcome is None else outcome.reasons
        self.run_job(OpenJob(pair, folder, reasons), self._show_pair)
        self._show_state()

    def _show_pair(self, specs: Sequence[LayerSpec]) -> None:
        self.deliver(self._layers(specs))

    def _layers(self, specs: Sequence[LayerSpec]) -> Iterator[Layer]:
        for spec in specs:
            yield self._viewer.add_layer(make_layer(spec))

    def open_page(self) -> None:
        """Show the summary in the browser."""
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str((self._folder / PAGE).resolve())))

    # Closing

    def on_close(self) -> None:
        """Listen to no job any more."""
        self.live.end()


def _counted(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    text = texts.DONE.format(**{status: counts[status] for status in WORST_FIRST})
    reused = sum(outcome.reused for outcome in outcomes)
    return text + (texts.REUSED.format(count=reused) if reused else "")
