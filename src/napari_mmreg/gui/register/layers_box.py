"""What is seen of the shown run: one button for each kind of layer that it offers."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QWidget,
)

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.kinds import KINDS
from napari_mmreg.gui.shared.motion import STILL
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo

MIN_ARROWS, MAX_ARROWS = 4, 100
_COLUMNS = 3
_ARROWS_INTERVAL_MS = 80


class LayersBox(QWidget):
    """Shows and hides kinds of layers, and says which part of the motion they show.

    Parameters
    ----------
    book : RunBook
        Of which the shown run is looked at.
    arrows : int
        About how many arrows across the longer side, at first.
    """

    def __init__(self, book: RunBook, arrows: int) -> None:
        super().__init__()
        self._book = book
        self.toggles = {kind.name: _toggle(kind.name) for kind in KINDS}
        self.motion = Combo.of(strings.MOTIONS, strings.MOTION_TIP)
        self.motion.select(book.part)
        self.still = style.quiet_label()
        self.arrows = QSlider(Qt.Orientation.Horizontal)
        self.arrows.setRange(MIN_ARROWS, MAX_ARROWS)
        self.arrows.setValue(arrows)
        self.arrows.setToolTip(strings.ARROWS_TIP)
        self.arrows_value = QLabel(str(arrows))
        self.arrows_value.setFixedWidth(44)
        self.arrows_value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0.1, 10_000)
        self.tolerance.setSingleStep(0.5)
        self.tolerance.setDecimals(1)
        self.tolerance.setSuffix(" px")
        self.tolerance.setKeyboardTracking(False)
        self.tolerance.setToolTip(strings.TOLERANCE_TIP)
        self._grid = QGridLayout()
        self._grid.setSpacing(style.GAP - 2)
        for button in self.toggles.values():  # a widget without a parent would be a window
            button.setParent(self)
        self._moving = QWidget()
        moving = style.column(self._moving)
        moving.addLayout(style.row(style.field_label(strings.MOTION), self.motion))
        moving.addWidget(self.still)
        moving.addLayout(
            style.row(style.field_label(strings.ARROWS), self.arrows, self.arrows_value, stretch=1)
        )
        self._risk = QWidget()
        style.column(self._risk).addLayout(
            style.row(style.field_label(strings.TOLERANCE), self.tolerance)
        )
        layout = style.column(self)
        layout.addLayout(self._grid)
        layout.addWidget(self._risk)
        layout.addWidget(self._moving)
        # At most so often, however fast the slider is moved.
        self._pending = QTimer(self)
        self._pending.setSingleShot(True)
        self._pending.setInterval(_ARROWS_INTERVAL_MS)
        self._pending.timeout.connect(self._apply_arrows)
        group = QButtonGroup(self)
        group.setExclusive(False)
        for button in self.toggles.values():
            group.addButton(button)
        group.buttonClicked.connect(self._on_toggle)
        self.motion.currentIndexChanged.connect(self._on_motion)
        self.arrows.valueChanged.connect(self._on_arrows)
        self.tolerance.valueChanged.connect(self._on_tolerance)
        self._emitters = (book.events.changed, book.events.shown)
        for emitter in self._emitters:
            emitter.connect(self.refresh)
        self.refresh()

    def close_links(self) -> None:
        """Stop following the runs."""
        self._pending.stop()
        for emitter in self._emitters:
            emitter.disconnect(self.refresh)

    def refresh(self, _event: Any = None) -> None:
        """Show a button for each kind that the run offers, down where its layers are seen."""
        run = self._book.shown
        offered = [] if run is None else [kind.name for kind in run.offers]
        seen = self._book.seen
        for name, button in self.toggles.items():
            self._grid.removeWidget(button)
            button.setVisible(name in offered)
            button.setChecked(name in seen)
        for place, name in enumerate(offered):
            self._grid.addWidget(self.toggles[name], place // _COLUMNS, place % _COLUMNS)
        self._risk.setVisible("risk" in seen)
        motions = {} if run is None else run.bundle.motions
        self._moving.setVisible(bool(motions))
        bends = self._book.part == "whole" or not motions or motions["beyond"].full > STILL
        self.still.setVisible(not bends)
        self.still.setText("" if bends else strings.NOTHING_BENDS.format(still=STILL))
        if run is not None:
            self.arrows.blockSignals(True)
            self.arrows.setValue(run.arrows)
            self.arrows.blockSignals(False)
            self.arrows_value.setText(str(run.arrows))
            self.tolerance.blockSignals(True)
            self.tolerance.setValue(run.tolerance)
            self.tolerance.blockSignals(False)
        self.motion.select_silently(self._book.part)

    def _on_toggle(self, pressed: QAbstractButton) -> None:
        name = next(name for name, button in self.toggles.items() if button is pressed)
        self._book.toggle(name, on=pressed.isChecked())

    def _on_motion(self) -> None:
        self._book.set_part(self.motion.value)

    def _on_arrows(self, across: int) -> None:
        self.arrows_value.setText(str(across))
        if not self._pending.isActive():
            self._pending.start()

    def _on_tolerance(self, tolerance: float) -> None:
        run = self._book.shown
        if run is not None:
            self._book.set_tolerance(run.number, tolerance)

    def _apply_arrows(self) -> None:
        run = self._book.shown
        if run is not None:
            self._book.set_arrows(run.number, self.arrows.value())


def _toggle(name: str) -> QPushButton:
    text, tip = strings.KINDS[name]
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    button.setStyleSheet(style.TOGGLE)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button
