"""The summary of the errors, their unit, limit and colour, the histogram, and what looks wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QWidget

from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.landmarks.charts import Histogram
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo
from napari_mmreg.landmarks import summarise

if TYPE_CHECKING:
    from napari_mmreg.gui.landmarks.controller import LandmarkController

_COLUMNS = ("before", "after", "left_out")


class NumbersBox(QWidget):
    """Shows a controller's measurement.

    Signals
    -------
    changed()
        Unit, limit or colour is another one; the controller knows already.
    """

    changed = Signal()

    def __init__(self, controller: LandmarkController) -> None:
        super().__init__()
        self._controller = controller
        self._filling = False
        self.unit = Combo()
        self.unit.setToolTip(strings.UNIT_TIP)
        self.limit = QDoubleSpinBox()
        self.limit.setRange(0.01, 1e6)
        self.limit.setDecimals(2)
        self.limit.setToolTip(strings.LIMIT_TIP)
        self.colour = Combo.of(strings.COLOURS, strings.COLOUR_TIP)
        self.colour.select("after")
        self.cells: dict[tuple[str, int], QLabel] = {}
        self.heads: list[QLabel] = []
        self.table = self._table()
        self.histogram = Histogram()
        self.suspects = QLabel()
        style.wrapping(self.suspects)
        self.suspects.setStyleSheet("QLabel { color: #e0912f; }")
        layout = style.column(self)
        layout.addLayout(
            style.row(
                style.field_label(strings.UNIT),
                self.unit,
                QLabel(strings.LIMIT),
                self.limit,
                stretch=1,
            )
        )
        layout.addLayout(style.row(style.field_label(strings.COLOUR), self.colour))
        layout.addWidget(self.table)
        layout.addWidget(self.histogram)
        layout.addWidget(self.suspects)
        self.unit.activated.connect(self._on_changed)
        self.limit.valueChanged.connect(self._on_changed)
        self.colour.activated.connect(self._on_changed)

    def _table(self) -> QWidget:
        widget = QWidget()
        widget.setToolTip(strings.SUMMARY_TIP)
        grid = QGridLayout(widget)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setVerticalSpacing(2)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for column in range(len(strings.SUMMARY_HEAD)):
            head = QLabel()
            head.setProperty(style.QUIET, True)
            head.setAlignment(right)
            grid.addWidget(head, 0, column)
            self.heads.append(head)
        for row, name in enumerate(_COLUMNS, start=1):
            grid.addWidget(QLabel(strings.COLOURS[name]), row, 0)
            for column in range(1, len(strings.SUMMARY_HEAD)):
                cell = QLabel()
                cell.setAlignment(right)
                grid.addWidget(cell, row, column)
                self.cells[name, column] = cell
        return widget

    def refresh(self) -> None:
        """Show the controller's numbers."""
        fit_state, found = self._controller.fit_state, self._controller.fit_state.measurement
        self._filling = True
        items: list[tuple[str, bool]] = [(strings.UNIT_PX, False)]
        if fit_state.physical_unit is not None:
            items.append((fit_state.physical_unit, True))
        self.unit.set_items(items)
        self.unit.setCurrentIndex(int(fit_state.physical))
        self.limit.setValue(fit_state.threshold)
        self.limit.setSuffix(f" {fit_state.unit}")
        self._filling = False
        for head, text in zip(self.heads, strings.SUMMARY_HEAD, strict=True):
            head.setText(text.format(limit=fit_state.threshold, unit=fit_state.unit))
        for name in _COLUMNS:
            error = getattr(found, name)
            numbers = {} if error is None else summarise(error, fit_state.threshold)
            for column, key in enumerate(("mean", "rmse", "median", "max"), start=1):
                self.cells[name, column].setText(_number(numbers.get(key)))
            rate = numbers.get("success_rate")
            self.cells[name, 5].setText(strings.NOT_MARKED if rate is None else f"{rate:.0%}")
        before = None if found.before is None else found.before.errors
        after = None if found.after is None else found.after.errors
        self.histogram.show_errors(before, after, fit_state.threshold, fit_state.unit)
        self.histogram.setVisible(before is not None)
        sentences = [suspicion.sentence for suspicion in found.suspects]
        self.suspects.setText("\n".join(f"⚠ {sentence}" for sentence in sentences[:4]))
        self.suspects.setVisible(bool(sentences))

    def _on_changed(self) -> None:
        if self._filling:
            return
        fit_state, physical = self._controller.fit_state, bool(self.unit.value)
        if physical != fit_state.physical:
            fit_state.set_physical(physical=physical)
        else:
            fit_state.threshold = self.limit.value()
        self._controller.layers.colour_by = self.colour.value
        self.changed.emit()


def _number(value: float | None) -> str:
    if value is None:
        return strings.NOT_MARKED
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
