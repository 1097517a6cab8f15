"""What the objects are found by, and what the user knows: masks and landmarks."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from napari.layers import Points as PointsLayer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from napari_mmreg.gui import evaluate_strings as texts
from napari_mmreg.gui.evaluation_session import guess_points
from napari_mmreg.gui.widgets import style
from napari_mmreg.gui.widgets.combo import Combo

_LABEL_WIDTH = 112


def _label(text: str) -> QLabel:
    label = style.field_label(text)
    label.setFixedWidth(_LABEL_WIDTH)
    return label


class TruthBox(QWidget):
    """Segmenter, masks and landmarks.

    Signals
    -------
    changed()
        Another segmenter is chosen.
    choose_clicked(), fetch_clicked(), free_clicked()
        The buttons of SAM.
    """

    changed = Signal()
    choose_clicked = Signal()
    fetch_clicked = Signal()
    free_clicked = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._points_chosen = False
        self.segmenter = Combo.of(texts.SEGMENTERS, texts.SEGMENTER_TIP)
        self.about = style.quiet_label()
        self.sam = QWidget()
        self.choose = QPushButton(texts.CHOOSE_SAM)
        self.fetch = QPushButton(texts.FETCH_SAM)
        self.free = QPushButton(texts.FREE)
        self.fixed_labels, self.moving_labels = Combo(), Combo()
        self.fixed_points, self.moving_points = Combo(), Combo()
        for button, tip in (
            (self.choose, texts.CHOOSE_SAM_TIP),
            (self.fetch, texts.FETCH_SAM_TIP),
            (self.free, texts.FREE_TIP),
        ):
            button.setToolTip(tip)
        buttons = style.column(self.sam)
        buttons.addLayout(style.row(self.choose, self.fetch, self.free))
        layout = style.column(self)
        layout.addLayout(style.row(_label(texts.SEGMENTER), self.segmenter))
        layout.addWidget(self.sam)
        layout.addWidget(self.about)
        for text, combo, tip in (
            (texts.FIXED_LABELS, self.fixed_labels, texts.LABELS_TIP),
            (texts.MOVING_LABELS, self.moving_labels, texts.LABELS_TIP),
            (texts.FIXED_POINTS, self.fixed_points, texts.POINTS_TIP),
            (texts.MOVING_POINTS, self.moving_points, texts.POINTS_TIP),
        ):
            combo.setToolTip(tip)
            layout.addLayout(style.row(_label(text), combo))
        self.segmenter.currentIndexChanged.connect(self._on_segmenter)
        for combo in (self.fixed_points, self.moving_points):
            combo.activated.connect(self._on_points)
        self.choose.clicked.connect(self.choose_clicked)
        self.fetch.clicked.connect(self.fetch_clicked)
        self.free.clicked.connect(self.free_clicked)
        self._emitters = [viewer.layers.events.inserted, viewer.layers.events.removed]
        for emitter in self._emitters:
            emitter.connect(self._on_layers)
        self._on_layers()
        self._on_segmenter()

    def close_links(self) -> None:
        """Stop following the viewer's layers."""
        for emitter in self._emitters:
            emitter.disconnect(self._on_layers)

    @property
    def labels(self) -> tuple[Any, Any]:
        """The chosen Labels layers of the fixed and the moving image, or None."""
        return self.fixed_labels.value, self.moving_labels.value

    @property
    def points(self) -> tuple[Any, Any]:
        """The chosen Points layers of the fixed and the moving image, or None."""
        return self.fixed_points.value, self.moving_points.value

    def _on_segmenter(self) -> None:
        self.sam.setVisible(self.segmenter.value == "sam")
        self.changed.emit()

    def _on_points(self) -> None:
        self._points_chosen = True

    def _on_layers(self) -> None:
        for combos, kind in (
            ((self.fixed_labels, self.moving_labels), Labels),
            ((self.fixed_points, self.moving_points), PointsLayer),
        ):
            items: list[tuple[str, Any]] = [(texts.NO_LABELS, None)]
            items += [(la.name, la) for la in self._viewer.layers if isinstance(la, kind)]
            for combo in combos:
                combo.set_items(items)
        if not self._points_chosen:
            guessed = guess_points(self._viewer.layers)
            self.fixed_points.select_silently(guessed[0])
            self.moving_points.select_silently(guessed[1])
