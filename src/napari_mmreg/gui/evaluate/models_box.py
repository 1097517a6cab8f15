"""Choosing models to compare, and how they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QPushButton, QWidget

from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.evaluate.charts import BarChart
from napari_mmreg.gui.evaluate.evaluating import Candidate, Contender
from napari_mmreg.gui.evaluate.tables import Table
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo
from napari_mmreg.gui.shared.widgets.run_bar import RunBar

if TYPE_CHECKING:
    from napari_mmreg.models import ModelInfo

PLOTTED = ("re_rmse", "re_grid", "object_iou", "mind", "gradient_ncc", "folding_percent")


class ModelsBox(QWidget):
    """A list of models with ticks; a table and a plot of those that ran.

    Signals
    -------
    keep_clicked()
    contender_chosen(object)
        The selected `Contender`.
    """

    keep_clicked = Signal()
    contender_chosen = Signal(object)

    def __init__(self, models: Sequence[ModelInfo]) -> None:
        super().__init__()
        self._contenders: list[Contender] = []
        self._candidates = [Candidate(info.name, info.name) for info in models]
        self._candidates += [
            Candidate(texts.UNREFINED.format(title=info.name), info.name, refine=False)
            for info in models
        ]
        info_by_name = {info.name: info for info in models}
        self.choices = QListWidget()
        for candidate in self._candidates:
            item = QListWidgetItem(candidate.title)
            ticked = candidate.refine or len(models) == 1
            item.setToolTip(info_by_name[candidate.model].purpose)
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            self.choices.addItem(item)
        self.choices.setFixedHeight(20 * min(len(self._candidates), 6) + 8)
        self.bar = RunBar(texts.COMPARE, texts.COMPARE_TIP)
        self.result = QWidget()
        self.table = Table(texts.COMPARE_COLUMNS)
        self.plotted = Combo()
        self.chart = BarChart()
        self.keep = QPushButton(texts.KEEP)
        self.keep.setToolTip(texts.KEEP_TIP)
        inner = style.column(self.result)
        inner.addWidget(self.table)
        inner.addLayout(style.row(style.field_label(texts.CHART_BY), self.plotted))
        inner.addWidget(self.chart)
        inner.addWidget(self.keep)
        layout = style.column(self)
        layout.addWidget(self.choices)
        layout.addWidget(self.bar)
        layout.addWidget(self.result)
        self.result.setVisible(False)
        self.keep.clicked.connect(self.keep_clicked)
        self.table.row_chosen.connect(self._on_row)
        self.plotted.currentIndexChanged.connect(self._draw)

    @property
    def ticked(self) -> list[Candidate]:
        """The models to compare."""
        return [
            candidate
            for index, candidate in enumerate(self._candidates)
            if (item := self.choices.item(index)) is not None
            and item.checkState() == Qt.CheckState.Checked
        ]

    @property
    def contenders(self) -> list[Contender]:
        """Those that ran, the best first."""
        return list(self._contenders)

    @property
    def chosen(self) -> Contender | None:
        """The selected one that has a result."""
        row = self.table.currentRow()
        return self._contenders[row] if 0 <= row < len(self._contenders) else None

    def show_contenders(self, contenders: Sequence[Contender]) -> None:
        """Fill table and plot, best first, and select the winner."""
        from napari_mmreg.evaluation.measures import BY_KEY

        self._contenders = rank(contenders)
        self.table.clear_rows()
        for contender in self._contenders:
            numbers = contender.evaluation.after if contender.evaluation is not None else {}
            error = "re_rmse" if "re_rmse" in numbers else "re_grid"
            result = None if contender.bundle is None else contender.bundle.result
            cells = [
                contender.candidate.title,
                "failed" if result is None else str(result.status),
                *(
                    BY_KEY[key].text(numbers[key]) if key in numbers else "–"
                    for key in (error, "object_iou", "mind")
                ),
                "–" if result is None else f"{sum(result.timings.values()):.1f}",
            ]
            self.table.add_row(cells, str(contender.error or ""))
        self.table.fit(8)
        have = [
            key
            for key in PLOTTED
            if any(c.evaluation is not None and key in c.evaluation.after for c in contenders)
        ]
        self.plotted.set_items([(BY_KEY[key].title, key) for key in have])
        if have and self.plotted.value is None:
            self.plotted.select(have[0])
        self.result.setVisible(True)
        self._draw()
        if self._contenders:
            self.table.selectRow(0)

    def _draw(self) -> None:
        from napari_mmreg.evaluation.measures import BY_KEY

        key = self.plotted.value
        known = [(c, c.evaluation) for c in self._contenders if c.evaluation is not None]
        if key is None or not known:
            self.chart.show_bars([], float("nan"))
            return
        bars = []
        for contender, evaluation in known:
            value = evaluation.after.get(key, float("nan"))
            bars.append((contender.candidate.title, value, BY_KEY[key].text(value)))
        self.chart.show_bars(bars, known[0][1].before.get(key, float("nan")))

    def _on_row(self, row: int) -> None:
        if 0 <= row < len(self._contenders):
            contender = self._contenders[row]
            self.keep.setEnabled(contender.bundle is not None)
            self.contender_chosen.emit(contender)


def rank(contenders: Sequence[Contender]) -> list[Contender]:
    """Return the best first: by error at landmarks, else by the truth, IoU, MIND distance.

    Failed ones come last.
    """

    def key(contender: Contender) -> tuple[float, float]:
        if contender.evaluation is None:
            return 2.0, 0.0
        numbers = contender.evaluation.after
        failed = contender.bundle is not None and contender.bundle.result.status == "failed"
        for name, sign in (("re_rmse", 1), ("re_grid", 1), ("object_iou", -1), ("mind", 1)):
            if name in numbers:
                return float(failed), sign * numbers[name]
        return float(failed), 0.0

    return sorted(contenders, key=key)
