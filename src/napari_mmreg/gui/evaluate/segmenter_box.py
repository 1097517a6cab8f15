"""What the objects are found by: the built-in segmenter, a SAM of the user's, or nothing."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QInputDialog, QPushButton, QWidget

from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo


class SegmenterBox(QWidget):
    """Segmenter, the folder of a SAM, and what is known about it.

    Signals
    -------
    changed(str)
        Another segmenter: a key of `evaluate_strings.SEGMENTERS`, or the folder of a SAM.
    fetch_chosen(object)
        A `SamSource` that the user agreed to download.
    free_clicked()
    """

    changed = Signal(str)
    fetch_chosen = Signal(object)
    free_clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._folder = ""
        self.combo = Combo.of(texts.SEGMENTERS, texts.SEGMENTER_TIP)
        self.about = style.quiet_label()
        self.sam = QWidget()
        self.choose = QPushButton(texts.CHOOSE_SAM)
        self.fetch = QPushButton(texts.FETCH_SAM)
        self.free = QPushButton(texts.FREE)
        for button, tip in (
            (self.choose, texts.CHOOSE_SAM_TIP),
            (self.fetch, texts.FETCH_SAM_TIP),
            (self.free, texts.FREE_TIP),
        ):
            button.setToolTip(tip)
        buttons = style.column(self.sam)
        buttons.addLayout(style.row(self.choose, self.fetch, self.free))
        layout = style.column(self)
        layout.addLayout(
            style.row(style.field_label(texts.SEGMENTER, style.WIDE_LABEL), self.combo)
        )
        layout.addWidget(self.sam)
        layout.addWidget(self.about)
        self.combo.currentIndexChanged.connect(self._on_combo)
        self.choose.clicked.connect(self._on_choose)
        self.fetch.clicked.connect(self._on_fetch)
        self.free.clicked.connect(self.free_clicked)
        self.sam.setVisible(self.combo.value == "sam")

    @property
    def name(self) -> str:
        """What `load_segmenter` takes; ``"sam"`` as long as no folder is chosen."""
        chosen = str(self.combo.value)
        return self._folder or chosen if chosen == "sam" else chosen

    def set_folder(self, folder: str) -> None:
        """Take the SAM in this folder."""
        self._folder = folder
        self.choose.setToolTip(f"{texts.CHOOSE_SAM_TIP}\n{folder}")
        self.combo.select_silently("sam")
        self._on_combo()

    def _on_combo(self) -> None:
        self.sam.setVisible(self.combo.value == "sam")
        self.changed.emit(self.name)

    def _on_choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.CHOOSE_SAM_TITLE)
        if folder:
            self.set_folder(folder)

    def _on_fetch(self) -> None:
        from napari_mmreg.evaluation.segmentation.sam_download import SOURCES

        titles = [f"{s.title}, {s.licence}, about {s.megabytes} MB" for s in SOURCES]
        chosen, agreed = QInputDialog.getItem(
            self, texts.FETCH_SAM_TITLE, texts.FETCH_SAM_ASK, titles, 0, editable=False
        )
        if agreed:
            self.fetch_chosen.emit(SOURCES[titles.index(chosen)])
