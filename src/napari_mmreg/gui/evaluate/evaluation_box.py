"""The numbers, the objects and the chart of an evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.evaluate.charts import ObjectChart
from napari_mmreg.gui.evaluate.tables import Table
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from napari_mmreg.evaluation import Evaluation, ObjectScore

WARNING = (
    "QLabel { background: rgba(208, 138, 29, 45); border-left: 3px solid #d08a1d; padding: 5px; }"
)


class EvaluationBox(QWidget):
    """Shows one evaluation.

    Signals
    -------
    object_chosen(object)
        The `ObjectScore` of the selected object.
    report_clicked()
    """

    object_chosen = Signal(object)
    report_clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._scores: list[ObjectScore] = []
        self.notes = style.quiet_label()
        self.warning = style.wrapping(style.quiet_label())
        self.warning.setStyleSheet(WARNING)
        self.numbers = Table(texts.COLUMNS, selectable=False)
        self.objects = Table(texts.OBJECT_COLUMNS)
        self.objects.setToolTip(texts.OBJECT_TIP)
        self.chart = ObjectChart()
        self.report = QPushButton(texts.REPORT)
        self.report.setToolTip(texts.REPORT_TIP)
        self.objects_header = style.header(texts.WORST)
        layout = style.column(self)
        for widget in (
            self.report,
            self.notes,
            style.header(texts.NUMBERS),
            self.numbers,
            self.warning,
            self.objects_header,
            self.chart,
            self.objects,
        ):
            layout.addWidget(widget)
        self.objects.row_chosen.connect(self._on_row)
        self.chart.clicked.connect(self.objects.selectRow)
        self.report.clicked.connect(self.report_clicked)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Fill the tables and the chart."""
        from napari_mmreg.evaluation.measures import SIMILARITY_WARNING

        self.notes.setText("\n".join(evaluation.notes))
        self.notes.setVisible(bool(evaluation.notes))
        self.warning.setText(SIMILARITY_WARNING)
        self._fill_numbers(evaluation)
        self._fill_objects(evaluation)

    def _fill_numbers(self, evaluation: Evaluation) -> None:
        from napari_mmreg.evaluation.measures import GROUPS, MEASURES

        self.numbers.clear_rows()
        for group, title in GROUPS.items():
            measures = [m for m in MEASURES if m.group == group and m.key in evaluation.after]
            if measures:
                self.numbers.add_title(title)
            for measure in measures:
                before, after = evaluation.before.get(measure.key), evaluation.after[measure.key]
                good = None
                if measure.better and before is not None and before != after:
                    good = bool((after > before) == (measure.better == "higher"))
                former = "" if before is None else measure.text(before)
                cells = [measure.title, former, measure.text(after), measure.unit]
                self.numbers.add_row(cells, measure.tip, strong=2, good=good)
        self.numbers.fit(14)

    def _fill_objects(self, evaluation: Evaluation) -> None:
        from napari_mmreg.evaluation.measures import BY_KEY
        from napari_mmreg.evaluation.prompted import worst_first

        found = evaluation.objects
        for widget in (self.objects_header, self.objects, self.chart):
            widget.setVisible(found is not None)
        self.objects.clear_rows()
        self._scores = []
        if found is None:
            return
        pairs = worst_first(found.scores.get("before"), found.scores["after"])
        text = BY_KEY["object_iou"].text
        for before, after in pairs:
            former = text(before.iou) if before is not None else ""
            cells = [str(after.id), former, *map(text, (after.iou, after.f1, after.boundary_f))]
            self.objects.add_row(cells, strong=2)
            self._scores.append(after)
        self.objects.fit(8)
        self.chart.show_values(
            [(np.nan if before is None else before.iou, after.iou) for before, after in pairs]
        )

    def _on_row(self, row: int) -> None:
        if row < len(self._scores):
            self.chart.select(row)
            self.object_chosen.emit(self._scores[row])
