"""Finished runs: choosing one, saving it, fusing its images, removing it, its arrows."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QSlider, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.runs import RunBook, RunRecord
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo

MIN_ARROWS, MAX_ARROWS = 4, 100


class RunsBox(QWidget):
    """The run that save, remove, arrows, comparison and cursor work on.

    Signals
    -------
    chosen(object)
        Another `RunRecord`, or None.
    save_clicked(), fuse_clicked(), remove_clicked()
    arrows_changed(int)
    """

    chosen = Signal(object)
    save_clicked = Signal()
    fuse_clicked = Signal()
    remove_clicked = Signal()
    arrows_changed = Signal(int)

    def __init__(self, book: RunBook, arrows: int) -> None:
        super().__init__()
        self._book = book
        self._shown: RunRecord | None = None
        self.runs = Combo()
        self.save = QPushButton(strings.SAVE)
        self.save.setToolTip(strings.SAVE_TIP)
        self.fuse = QPushButton(strings.FUSE)
        self.fuse.setToolTip(strings.FUSE_NOW_TIP)
        self.remove = QPushButton(strings.REMOVE)
        self.remove.setToolTip(strings.REMOVE_TIP)
        self.arrows = QSlider(Qt.Orientation.Horizontal)
        self.arrows.setRange(MIN_ARROWS, MAX_ARROWS)
        self.arrows.setValue(arrows)
        self.arrows.setToolTip(strings.ARROWS_TIP)
        self.arrows_value = QLabel(str(arrows))
        self.arrows_value.setFixedWidth(44)
        self.arrows_value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = style.column(self)
        layout.addLayout(style.row(style.field_label(strings.RUN), self.runs))
        buttons = style.row(style.field_label(""), self.save, self.fuse, self.remove)
        for index in (1, 2, 3):
            buttons.setStretch(index, 1)
        layout.addLayout(buttons)
        layout.addLayout(
            style.row(style.field_label(strings.ARROWS), self.arrows, self.arrows_value, stretch=1)
        )
        book.events.changed.connect(self._on_book)
        self.runs.currentIndexChanged.connect(self._on_chosen)
        self.save.clicked.connect(self.save_clicked)
        self.fuse.clicked.connect(self.fuse_clicked)
        self.remove.clicked.connect(self.remove_clicked)
        self.arrows.valueChanged.connect(self._on_arrows)

    def close_links(self) -> None:
        """Stop following the runs."""
        self._book.events.changed.disconnect(self._on_book)

    @property
    def run(self) -> RunRecord | None:
        """The chosen run."""
        run: RunRecord | None = self.runs.value
        return run

    def _on_book(self) -> None:
        runs = self._book.runs
        known = self.runs.values
        self.runs.set_items([(run.title, run) for run in runs])
        new = [run for run in runs if run not in known]
        if new:
            self.runs.select_silently(new[-1])
        elif self.run is None and runs:
            self.runs.select_silently(runs[-1])
        self._on_chosen()

    def _on_chosen(self) -> None:
        if self.run is not self._shown:
            self._shown = self.run
            self.chosen.emit(self.run)

    def _on_arrows(self, across: int) -> None:
        self.arrows_value.setText(str(across))
        self.arrows_changed.emit(across)
