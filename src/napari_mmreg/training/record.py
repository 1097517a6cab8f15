"""A run's tables and plots: what was lost and what was gained, against hours."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOGGER = logging.getLogger(__name__)

Row = dict[str, float | int | str]


class Table:
    """Rows of named numbers, kept in a csv file.

    Columns may appear later; the file is small and is rewritten whole, atomically.

    Parameters
    ----------
    path : Path
        The csv file; what it holds is read.
    last_step : int, optional
        Rows beyond this step are dropped: they belong to what a broken run lost.
    """

    def __init__(self, path: Path, last_step: int | None = None) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path.is_file() and last_step is not None:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [_numbers(row) for row in csv.DictReader(file)]
            self.rows = [row for row in rows if float(row["step"]) <= last_step]

    def add(self, row: Mapping[str, float | int | str]) -> None:
        """Append a row and write the file."""
        self.rows.append(dict(row))
        columns = list(dict.fromkeys(name for r in self.rows for name in r))
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        partial.replace(self.path)

    def column(self, name: str) -> list[tuple[float, float]]:
        """Return (hours, value) of the rows that have this column."""
        return [
            (float(row["hours"]), float(row[name]))
            for row in self.rows
            if name in row and row[name] != ""
        ]


def _numbers(row: Mapping[str, str]) -> Row:
    found: Row = {}
    for name, text in row.items():
        try:
            value: float | int | str = float(text)
        except ValueError:
            value = text
        if isinstance(value, float) and name == "step":
            value = int(value)
        if text != "":
            found[name] = value
    return found


def duration(seconds: float) -> str:
    """Return a length of time as people say it, such as ``2 h 05 min``."""
    minutes = round(max(seconds, 0.0) / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def plot_run(log: Table, validation: Table, path: Path) -> None:
    """Plot losses, and the median RE of each protocol, against hours.

    Without matplotlib (extra ``bench``) a run goes on without plots; the tables have it all.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        _LOGGER.warning("No plots without matplotlib: pip install 'napari-mmreg[bench]'.")
        return

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    known: dict[str, Any] = {name: None for row in log.rows for name in row}
    terms = [n for n in known if n == "loss" or n.startswith(("term_", "log_"))]
    for name in terms:
        points = [p for p in log.column(name) if p[1] > 0]
        if points:
            hours, values = zip(*points, strict=True)
            wide = 1.8 if name == "loss" else 0.9
            left.plot(hours, values, label=name.removeprefix("term_"), linewidth=wide)
    left.set(xlabel="hours", ylabel="loss terms (weighted)", yscale="log" if terms else "linear")
    known = {name: None for row in validation.rows for name in row}
    for name in (n for n in known if n.endswith("_median")):
        points = validation.column(name)
        if points:
            hours, values = zip(*points, strict=True)
            right.plot(hours, values, marker=".", label=name.removesuffix("_median"))
    right.set(xlabel="hours", ylabel="median RE on validation pairs (px at 256)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7)
    partial = path.with_suffix(".partial.png")
    figure.savefig(partial, dpi=110)
    partial.replace(path)
