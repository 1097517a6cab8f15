"""How pairs become a transform: what they correct, which fit, strength, reach, smoothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QSlider, QWidget

from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.landmarks.correction import is_correction
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo

if TYPE_CHECKING:
    from napari_mmreg.gui.landmarks.desk import LandmarkDesk

_SMOOTHINGS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""What the smoothing sliders can be set to."""

_REACH_STEPS = 20
"""Steps of 5 % of the diagonal; the last one is all over."""


class FitBox(QWidget):
    """Controls of the correction; those that do not apply are hidden.

    Signals
    -------
    changed()
        The user changed something; the desk knows already.
    """

    changed = Signal()

    def __init__(self, desk: LandmarkDesk) -> None:
        super().__init__()
        self._desk = desk
        self._filling = False
        self._chose_alone = False
        self.base = Combo()
        self.base.setToolTip(strings.BASE_TIP)
        self.kind = Combo.of(strings.KINDS, strings.KIND_TIP)
        self.spline = _slider(len(_SMOOTHINGS) - 1, strings.SPLINE_TIP)
        self.strength = _slider(20, strings.STRENGTH_TIP)
        self.reach = _slider(_REACH_STEPS, strings.REACH_TIP, least=1)
        self.smoothing = _slider(len(_SMOOTHINGS), strings.SMOOTHING_TIP)
        self.values = {name: _value() for name in ("spline", "strength", "reach", "smoothing")}
        self.preview = QCheckBox(strings.PREVIEW)
        self.preview.setToolTip(strings.PREVIEW_TIP)
        layout = style.column(self)
        self.rows: dict[str, QWidget] = {}
        for name, label, control in (
            ("base", strings.BASE, self.base),
            ("kind", strings.KIND, self.kind),
            ("spline", strings.SMOOTHING, self.spline),
            ("strength", strings.STRENGTH, self.strength),
            ("reach", strings.REACH, self.reach),
            ("smoothing", strings.SMOOTHING, self.smoothing),
        ):
            row = QWidget()
            parts: list[QWidget] = [style.field_label(label), control]
            if name in self.values:
                parts.append(self.values[name])
            row.setLayout(style.row(*parts, stretch=1))
            self.rows[name] = row
            layout.addWidget(row)
        self.base.activated.connect(self._on_base)
        self.kind.currentIndexChanged.connect(self._on_changed)
        for slider in (self.spline, self.strength, self.reach, self.smoothing):
            slider.valueChanged.connect(self._on_changed)

    def refresh(self) -> None:
        """Offer the runs that fit, show the desk's settings."""
        self._filling = True
        self.setEnabled(self._desk.ready)
        judging = self._desk.judging
        runs = self._desk.fitting_runs()
        known = self.base.values
        items = [(strings.BASE_ALONE, None), *((run.title, run) for run in runs)]
        self.base.set_items(items)
        new = [run for run in runs if run not in known and not is_correction(run)]
        if judging.base not in runs:
            judging.base = None
        # The newest result is what one wants to look at, unless one said otherwise.
        if new and not self._chose_alone and judging.base is None:
            judging.base = new[-1]
        self.base.setCurrentIndex(self.base.values.index(judging.base))
        self._show()
        self._filling = False

    def _show(self) -> None:
        judging = self._desk.judging
        settings, share = judging.settings, judging.reach_share
        self.kind.select(settings.kind)
        self.spline.setValue(_nearest(settings.spline_smoothing))
        self.strength.setValue(round(20 * settings.strength))
        self.reach.setValue(_REACH_STEPS if share is None else round(20 * share))
        amount = settings.smoothing
        self.smoothing.setValue(0 if amount is None else 1 + _nearest(amount))
        alone = judging.base is None
        for name, row in self.rows.items():
            row.setVisible(
                name == "base"
                or (name == "kind" and alone)
                or (name == "spline" and alone and settings.kind == "tps")
                or (name in ("strength", "reach", "smoothing") and not alone)
            )
        self.values["spline"].setText(f"{settings.spline_smoothing:g}")
        self.values["strength"].setText(f"{settings.strength:.0%}")
        self.values["reach"].setText(strings.REACH_ALL if share is None else f"{share:.0%}")
        self.values["smoothing"].setText(strings.AUTOMATIC if amount is None else f"{amount:g}")

    def _on_base(self) -> None:
        self._chose_alone = self.base.value is None
        self._desk.judging.base = self.base.value
        self.refresh()
        self.changed.emit()

    def _on_changed(self) -> None:
        if self._filling:
            return
        place, reach = self.smoothing.value(), self.reach.value()
        settings = replace(
            self._desk.judging.settings,
            kind=self.kind.value,
            spline_smoothing=_SMOOTHINGS[self.spline.value()],
            strength=self.strength.value() / 20,
            smoothing=None if place == 0 else _SMOOTHINGS[place - 1],
        )
        self._desk.judging.configure(settings, None if reach == _REACH_STEPS else reach / 20)
        self._filling = True
        self._show()
        self._filling = False
        self.changed.emit()


def _slider(steps: int, tip: str, least: int = 0) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(least, steps)
    slider.setPageStep(1)
    slider.setToolTip(tip)
    return slider


def _value() -> QLabel:
    label = QLabel()
    label.setFixedWidth(78)
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return label


def _nearest(amount: float) -> int:
    return min(range(len(_SMOOTHINGS)), key=lambda place: abs(_SMOOTHINGS[place] - amount))
