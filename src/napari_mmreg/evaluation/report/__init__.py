"""One report of one or several evaluations: HTML to read, JSON and CSV to compute with."""

from __future__ import annotations

from napari_mmreg.evaluation.report.files import REPORT_FILES, as_data, write_report
from napari_mmreg.evaluation.report.page import render

__all__ = ["REPORT_FILES", "as_data", "render", "write_report"]
