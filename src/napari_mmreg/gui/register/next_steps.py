"""What to try after a run that did not work: one button each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from napari_mmreg.models import ModelInfo

WIDEST = ("regnetmamba2", "classical")
"""Models that look furthest, best first: matching finds any rotation, the search any overlap."""


class NextSteps(QWidget):
    """Offers other ways to register two images.

    Parameters
    ----------
    models : sequence of ModelInfo
        Those that can be tried.

    Signals
    -------
    model_chosen(str), flip_chosen(), hand_chosen(), landmarks_chosen(), mask_chosen()
    """

    model_chosen = Signal(str)
    flip_chosen = Signal()
    hand_chosen = Signal()
    landmarks_chosen = Signal()
    mask_chosen = Signal()

    def __init__(self, models: Sequence[ModelInfo]) -> None:
        super().__init__()
        self._titles = {model.name: model.title for model in models}
        self._offered = ""
        self.model = _button("", strings.TRY_MODEL_TIP)
        self.model.setAccessibleName(strings.TRY_OTHER)
        self.flip = _button(strings.TRY_FLIP, strings.TRY_FLIP_TIP)
        self.hand = _button(strings.BY_HAND, strings.TRY_HAND_TIP)
        self.landmarks = _button(strings.TRY_LANDMARKS, strings.TRY_LANDMARKS_TIP)
        self.paint = _button(strings.TRY_MASK, strings.TRY_MASK_TIP)
        buttons = QGridLayout()
        buttons.setSpacing(style.GAP)
        offered = (self.model, self.flip, self.hand, self.landmarks, self.paint)
        for place, button in enumerate(offered):
            buttons.addWidget(button, place // 2, place % 2)
        layout = style.column(self)
        layout.addWidget(style.quiet_label(strings.NEXT))
        layout.addLayout(buttons)
        self.model.clicked.connect(self._on_model)
        self.flip.clicked.connect(self.flip_chosen)
        self.hand.clicked.connect(self.hand_chosen)
        self.landmarks.clicked.connect(self.landmarks_chosen)
        self.paint.clicked.connect(self.mask_chosen)
        self.setVisible(False)

    def offer(self, tried: str, start: str) -> None:
        """Show what was not tried yet.

        Parameters
        ----------
        tried : str
            The model that was asked.
        start : str
            Where the run started, see `RunSettings.start`.
        """
        others = [name for name in WIDEST if name in self._titles and name != tried]
        self._offered = others[0] if others else ""
        self.model.setVisible(bool(others))
        self.model.setAccessibleName("")  # its text says it now
        self.model.setText(strings.TRY_MODEL.format(title=self._titles.get(self._offered, "")))
        self.flip.setVisible(start != "mirror")
        self.setVisible(True)

    def _on_model(self) -> None:
        self.model_chosen.emit(self._offered)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
