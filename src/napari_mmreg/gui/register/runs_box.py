"""Finished runs: choosing one, keeping, saving, sharing, fusing, refining and removing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.register.run_list import RunList
from napari_mmreg.gui.register.tiles import choices
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from qtpy.QtGui import QAction


class RunsBox(QWidget):
    """The run that is shown, which save, share, fuse, remove, comparison and cursor work on.

    Signals
    -------
    chosen(object)
        Another `RunRecord` is shown, or None.
    save_clicked(), fuse_clicked(), remove_clicked()
    share_chosen(str)
        What was chosen in the menu *Share*, a key of `strings.SHARING`.
    tiles_chosen(int)
        How fine the tiles shall be that the run is refined in, see `napari_mmreg.refine_tiles`.
    """

    chosen = Signal(object)
    save_clicked = Signal()
    fuse_clicked = Signal()
    remove_clicked = Signal()
    share_chosen = Signal(str)
    tiles_chosen = Signal(int)

    def __init__(self, book: RunBook) -> None:
        super().__init__()
        self._book = book
        self._former: RunRecord | None = None
        self.runs = RunList()
        self.save = QPushButton(strings.SAVE)
        self.save.setToolTip(strings.SAVE_TIP)
        self.share = QPushButton(strings.SHARE)
        self.share.setToolTip(strings.SHARE_TIP)
        self.share.setMenu(self._menu())
        self.fuse = QPushButton(strings.FUSE)
        self.fuse.setToolTip(strings.FUSE_NOW_TIP)
        self.remove = QPushButton(strings.REMOVE)
        self.remove.setToolTip(strings.REMOVE_TIP)
        self.tiles = QPushButton(texts.TILES)
        self.tiles.setToolTip(texts.TILES_TIP)
        self.tiles_menu = QMenu(self)
        self.tiles.setMenu(self.tiles_menu)
        layout = style.column(self)
        layout.addWidget(self.runs)
        buttons = style.row(self.save, self.share, self.fuse, self.remove)
        for index in range(4):
            buttons.setStretch(index, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.tiles)
        book.events.changed.connect(self._on_book)
        book.events.shown.connect(self._on_book)
        self.runs.chosen.connect(book.show)
        self.runs.renamed.connect(book.rename)
        self.runs.kept.connect(self._on_kept)
        self.save.clicked.connect(self.save_clicked)
        self.fuse.clicked.connect(self.fuse_clicked)
        self.remove.clicked.connect(self.remove_clicked)
        self.tiles_menu.aboutToShow.connect(self.offer_tiles)
        self.tiles_menu.triggered.connect(self._on_tiles)
        self._on_book()

    def close_links(self) -> None:
        """Stop following the runs."""
        self._book.events.changed.disconnect(self._on_book)
        self._book.events.shown.disconnect(self._on_book)

    def set_idle(self, *, idle: bool) -> None:
        """Let the run be worked on only while nothing else is under way."""
        self.fuse.setEnabled(idle)
        self.tiles.setEnabled(idle)

    @property
    def run(self) -> RunRecord | None:
        """The run that is shown."""
        return self._book.shown

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for name, text in strings.SHARING.items():
            action = menu.addAction(text)
            if action is not None:
                action.setData(name)
        menu.triggered.connect(self._on_share)
        return menu

    def offer_tiles(self) -> None:
        """Fill the menu with what tiles can do for the shown run, or say that they cannot."""
        self.tiles_menu.clear()
        if self.run is None:
            return
        offered = choices(self.run.bundle.snapshot)
        for finest, text in offered:
            action = self.tiles_menu.addAction(text)
            if action is not None:
                action.setData(finest)
        if not offered:
            from napari_mmreg.large import LEAST

            action = self.tiles_menu.addAction(texts.TILES_SMALL.format(side=LEAST))
            if action is not None:
                action.setEnabled(False)

    def _on_tiles(self, action: QAction) -> None:
        self.tiles_chosen.emit(int(action.data()))

    def _on_share(self, action: QAction) -> None:
        self.share_chosen.emit(str(action.data()))

    def _on_kept(self, number: int, kept: bool) -> None:
        self._book.keep(number, kept=kept)

    def _on_book(self) -> None:
        self.runs.show_runs(self._book.runs, self.run)
        if self.run is not self._former:
            self._former = self.run
            self.chosen.emit(self.run)
