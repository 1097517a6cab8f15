"""The comparison's controls: mode, what with, and one slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QSlider, QWidget

from napari_mmreg.gui.register.comparison import Comparison, Source
from napari_mmreg.gui.register.shortcuts import HOLD
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo


@dataclass(frozen=True)
class _Range:
    low: int
    high: int
    start: int
    factor: float
    label: str


# Slider steps; amount = step * factor, in what `compose` takes (flicker: milliseconds).
_RANGES = {
    "overlay": _Range(0, 100, 50, 0.01, "{} %"),
    "blend": _Range(0, 100, 50, 0.01, "{} %"),
    "curtain": _Range(0, 1000, 500, 0.001, "{:.0f} %"),
    "checkerboard": _Range(8, 256, 64, 1.0, "{} px"),
    "flicker": _Range(200, 2000, 600, 1.0, "{} ms"),
}
_COMPOSE_INTERVAL_MS = 30


class CompareBox(QWidget):
    """Drives a `Comparison` for the chosen run, in a mode that the user changes later.

    Signals
    -------
    changed()
        The mode was changed.
    """

    changed = Signal()

    def __init__(self, comparison: Comparison, mode: str) -> None:
        super().__init__()
        self._comparison = comparison
        self._run: RunRecord | None = None
        self._held = self._suspended = False
        self._steps = {mode: span.start for mode, span in _RANGES.items()}
        self.mode = Combo.of(strings.MODES, strings.MODE_TIP)
        self.mode.select(mode)
        self.source = Combo.of(strings.SOURCES, strings.SOURCE_TIP)
        self.source.setAccessibleName(strings.SOURCE_NAME)
        self.mode.setMinimumContentsLength(7)
        self.hold = QPushButton(strings.HOLD)
        self.hold.setToolTip(strings.HOLD_TIP.format(key=HOLD))
        self.hold.pressed.connect(self._on_pressed)
        self.hold.released.connect(self._on_released)
        self.amount = QSlider(Qt.Orientation.Horizontal)
        self.amount.setToolTip(strings.AMOUNT_TIP)
        self.amount_label = style.field_label("")
        self.amount_value = QLabel()
        self.amount_value.setFixedWidth(52)
        self.amount_value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.hint = style.quiet_label(strings.CURTAIN_HINT)
        layout = style.column(self)
        layout.addLayout(
            style.row(style.field_label(strings.SHOW), self.mode, self.hold, stretch=1)
        )
        layout.addLayout(style.row(style.field_label(strings.WITH), self.source))
        layout.addLayout(style.row(self.amount_label, self.amount, self.amount_value, stretch=1))
        layout.addLayout(style.row(style.field_label(""), self.hint))
        # One picture per 30 ms at most, however fast the slider is moved.
        self._pending = QTimer(self)
        self._pending.setSingleShot(True)
        self._pending.setInterval(_COMPOSE_INTERVAL_MS)
        self._pending.timeout.connect(self._apply_amount)
        # Later: a layer must not be added while napari takes another one away.
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(0)
        self._again.timeout.connect(self._show)
        self._flicker = QTimer(self)
        self._flicker.timeout.connect(comparison.flip)
        self.mode.currentIndexChanged.connect(self._on_mode)
        self.source.currentIndexChanged.connect(self._show)
        self.amount.valueChanged.connect(self._on_amount)
        self._set_slider()

    def set_run(self, run: RunRecord | None, others: Sequence[RunRecord] = ()) -> None:
        """Compare another run, or none; with the registered image of one of `others`, if wanted."""
        self._run = run
        items: list[tuple[str, Any]] = [(text, value) for value, text in strings.SOURCES.items()]
        items += [(strings.OTHER_RUN.format(title=other.title), other) for other in others]
        self.source.set_items(items)
        self._show()

    def hold_before(self, *, held: bool) -> None:
        """Show the images as they lay before for as long as a key or button is held."""
        if self._held != held:
            self._held = held
            self._show()

    def move_curtain(self, amount: float) -> None:
        """Move the curtain, and its slider, to a place in [0, 1] of the image's width."""
        if self.mode.value == "curtain" and not self._held:
            self.amount.setValue(round(amount / _RANGES["curtain"].factor))

    def suspend(self, suspended: bool) -> None:
        """Hide the comparison for a while, or show it again."""
        self._suspended = suspended
        if suspended:
            self._show()
        else:
            self._again.start()

    def follow_layer(self) -> None:
        """Turn the comparison off if the user removed its layer."""
        if self._comparison.lost:
            self.mode.select("off")

    def stop(self) -> None:
        """Stop all timers."""
        self._pending.stop()
        self._again.stop()
        self._flicker.stop()

    def _on_pressed(self) -> None:
        self.hold_before(held=True)

    def _on_released(self) -> None:
        self.hold_before(held=False)

    def _on_mode(self) -> None:
        self._set_slider()
        self._show()
        self.changed.emit()

    def _set_slider(self) -> None:
        mode = self.mode.value
        shown = mode in _RANGES
        self.hint.setVisible(mode == "curtain")
        for widget in (self.amount, self.amount_label, self.amount_value):
            widget.setEnabled(shown)
        self.source.setEnabled(mode != "off")
        if not shown:
            self.amount_value.setText("")
            return
        span = _RANGES[mode]
        step = self._steps[mode]
        self.amount.blockSignals(True)
        self.amount.setRange(span.low, span.high)
        self.amount.setSingleStep(max((span.high - span.low) // 100, 1))
        self.amount.setPageStep((span.high - span.low) // 10)
        self.amount.setValue(step)
        self.amount.blockSignals(False)
        self.amount_label.setText(strings.AMOUNTS[mode])
        self.amount.setAccessibleName(strings.AMOUNTS[mode])
        self._set_value()

    def _set_value(self) -> None:
        span = _RANGES[self.mode.value]
        step = self.amount.value()
        percent = span.factor * 100 * step if span.label.endswith("%") else step
        self.amount_value.setText(span.label.format(round(percent)))

    def _on_amount(self, step: int) -> None:
        self._steps[self.mode.value] = step
        self._set_value()
        if not self._pending.isActive():
            self._pending.start()

    @property
    def combined(self) -> tuple[str, float, Source]:
        """How the images are combined, how much, and what with; as `picture_of` takes it."""
        mode = self.mode.value
        return mode, self._amount(), self.source.value

    def _amount(self) -> float:
        mode = self.mode.value
        return self._steps[mode] * _RANGES[mode].factor if mode in _RANGES else 0.0

    def _apply_amount(self) -> None:
        if self.mode.value == "flicker":
            self._flicker.setInterval(round(self._amount()))
        elif self.mode.value in _RANGES:
            self._comparison.set_amount(self._amount())

    def _show(self) -> None:
        self._flicker.stop()
        mode = self.mode.value
        if self._suspended:
            self._comparison.hide()
            return
        if self._run is not None and self._held:
            # Of two pictures that follow each other it is the other one alone that is looked at.
            alone = mode in ("off", "flicker")
            amount = 1.0 if alone else self._amount()
            self._comparison.show(self._run, "blend" if alone else mode, amount, "before")
            return
        if mode == "off" or self._run is None:
            self._comparison.hide()
            return
        self._comparison.show(self._run, mode, self._amount(), self.source.value)
        if mode == "flicker":
            self._flicker.start(round(self._amount()))
