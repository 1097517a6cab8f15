"""What a report is on disk: ``evaluation.html``, ``.json`` and two CSV tables."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.assessment import Evaluation
from napari_mmreg.evaluation.measures import BY_KEY, SIMILARITY_WARNING
from napari_mmreg.evaluation.object_evaluation import ObjectEvaluation
from napari_mmreg.evaluation.objects import encode
from napari_mmreg.evaluation.prompted import worst_first
from napari_mmreg.evaluation.report.page import render

HTML, JSON, NUMBERS, OBJECTS = "evaluation.html", "evaluation.json", "numbers.csv", "objects.csv"
REPORT_FILES = (HTML, JSON, NUMBERS, OBJECTS)


def write_report(
    evaluations: Sequence[Evaluation], folder: str | Path, title: str = "Registration report"
) -> Path:
    """Write a report of one pair; files of an earlier one are replaced.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of one pair; the first one is shown in full, all of them in one table.
    folder : str or Path
        Made if needed.
    title : str
        Over the report.

    Returns
    -------
    Path
        The HTML file, which needs no other one.

    Raises
    ------
    InputError
        If there is nothing to report.
    OSError
        If the folder cannot be written to.
    """
    if not evaluations:
        raise InputError("There is nothing to report: evaluate a registration first.")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    made = datetime.now().astimezone()
    data = {
        "format": "napari-mmreg evaluation",
        "format_version": 1,
        "made": made.isoformat(timespec="seconds"),
        "version": version("napari-mmreg"),
        "title": title,
        "warning": SIMILARITY_WARNING,
        "evaluations": [as_data(e) for e in evaluations],
    }
    text = json.dumps(data, indent=1, allow_nan=False)
    (target / JSON).write_text(text + "\n", encoding="utf-8")
    _write_numbers(evaluations, target / NUMBERS)
    _write_objects(evaluations, target / OBJECTS)
    page = render(evaluations, title, made)
    (target / HTML).write_text(page, encoding="utf-8")
    return target / HTML


def as_data(evaluation: Evaluation) -> dict[str, Any]:
    """Return all that an evaluation says, ready for JSON; numbers not finite become None."""
    keys = [key for key in BY_KEY if key in evaluation.after or key in evaluation.before]
    return {
        "name": evaluation.name,
        "modalities": list(evaluation.modalities),
        "grid": {"shape": list(evaluation.grid.shape), "fixed_px": evaluation.grid.stride},
        "numbers": {
            key: {
                "title": BY_KEY[key].title,
                "unit": BY_KEY[key].unit or "1",
                "better": BY_KEY[key].better or "neither",
                "before": _finite(evaluation.before.get(key)),
                "after": _finite(evaluation.after.get(key)),
            }
            for key in keys
        },
        "objects": None if evaluation.objects is None else _objects(evaluation.objects),
        "notes": list(evaluation.notes),
        "provenance": evaluation.provenance,
    }


def _objects(found: ObjectEvaluation) -> dict[str, Any]:
    curve = found.curve
    return {
        "protocol": found.protocol,
        "segmenter": found.segmenter,
        "normalised_iou": _finite(found.normalised),
        "prompts": {
            str(number): {
                "points_row_col": prompt.points.tolist(),
                "background_row_col": prompt.background.tolist(),
            }
            for number, prompt in found.prompts.items()
        },
        "scores": {
            state: [
                {
                    "id": s.id,
                    "iou": _finite(s.iou),
                    "f1": _finite(s.f1),
                    "boundary_f": _finite(s.boundary_f),
                    "area_px": s.area,
                }
                for s in scores
            ]
            for state, scores in found.scores.items()
        },
        "masks": {
            state: {str(number): encode(mask) for number, mask in masks.items()}
            for state, masks in found.masks.items()
        },
        "sensitivity": None
        if curve is None
        else {"shift_px": curve.shifts, "iou": curve.iou, "geometry": curve.geometry},
    }


def _write_numbers(evaluations: Sequence[Evaluation], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "measure", "unit", "better", "before", "after"])
        for evaluation in evaluations:
            for key, measure in BY_KEY.items():
                if key in evaluation.after or key in evaluation.before:
                    pair = (evaluation.before.get(key, ""), evaluation.after.get(key, ""))
                    writer.writerow([evaluation.name, key, measure.unit, measure.better, *pair])


def _write_objects(evaluations: Sequence[Evaluation], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["name", "object", "area_px", "iou_before", "iou", "f1", "boundary_f", "row", "col"]
        )
        for evaluation in evaluations:
            if evaluation.objects is None:
                continue
            scores = evaluation.objects.scores
            for before, after in worst_first(scores.get("before"), scores["after"]):
                row, col, row_stop, col_stop = after.box
                stride = evaluation.grid.stride
                centre = ((row + row_stop - 1) / 2 * stride, (col + col_stop - 1) / 2 * stride)
                former = "" if before is None else before.iou
                writer.writerow(
                    [
                        *(evaluation.name, after.id, after.area * stride**2),
                        *(former, after.iou, after.f1, after.boundary_f),
                        *centre,
                    ]
                )


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
