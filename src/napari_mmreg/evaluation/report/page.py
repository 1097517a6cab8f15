"""The report as one HTML page that needs nothing else: images and charts are inside.

How it looks is in ``page.html.jinja`` and ``page.css``; here is what it shows.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.evaluation import pictures
from napari_mmreg.evaluation.assessment import Evaluation
from napari_mmreg.evaluation.measures import BY_KEY, GROUPS, MEASURES, SIMILARITY_WARNING, Measure
from napari_mmreg.evaluation.object_evaluation import PROTOCOLS, ObjectEvaluation
from napari_mmreg.evaluation.prompted import worst_first
from napari_mmreg.evaluation.report.charts import comparison_chart, curve_chart, object_chart
from napari_mmreg.io.html import page_template

if TYPE_CHECKING:
    from datetime import datetime

COMPARED = ("re_rmse", "re_grid", "object_iou", "object_iou_geometry", "mind", "gradient_ncc",
            "folding_percent")  # fmt: skip
"""What several registrations are compared by: errors first."""

CHARTED = ("re_rmse", "re_grid", "object_iou", "mind")

KEY_NUMBERS = ("re_rmse", "re_grid", "object_iou", "overlap_percent", "folding_percent",
               "displacement_median", "mind")  # fmt: skip
"""The numbers that say most; the first five of them that there are become tiles."""

_PICTURE_SIDE = 720


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG image, base64, and its caption."""

    png: str
    caption: str


def render(evaluations: Sequence[Evaluation], title: str, made: datetime) -> str:
    """Return the page; see `files.write_report`."""
    first = evaluations[0]
    reasons = [str(reason) for reason in first.provenance.get("reasons", ())]
    return page_template("evaluation/report", "page.html.jinja").render(
        title=title,
        subtitle=_subtitle(first, made, title),
        status=str(first.provenance.get("status", "")),
        first=first,
        comparison=_comparison(evaluations) if len(evaluations) > 1 else None,
        key_numbers=[BY_KEY[key] for key in KEY_NUMBERS if key in first.after][:5],
        notes=[*reasons, *first.notes],
        pictures=[Picture(_png(image), caption) for image, caption in _images(first)],
        groups=_groups(first),
        change=partial(_change, first),
        objects=None if first.objects is None else _objects(first, first.objects),
        iou=BY_KEY["object_iou"],
        colour=pictures.colour,
        provenance=[(evaluation.name, list(_provenance(evaluation))) for evaluation in evaluations],
        version=version("napari-mmreg"),
    )


def _subtitle(evaluation: Evaluation, made: datetime, title: str) -> str:
    """Say with what and when; the images too, where the title does not name them."""
    names = evaluation.provenance.get("images", {})
    images = f"{names.get('moving', 'moving')} onto {names.get('fixed', 'fixed')}" if names else ""
    model = str(evaluation.provenance.get("model", ""))
    when = f"{made.day} {made:%B %Y, %H:%M}"
    return " · ".join(part for part in (images, model, when) if part and part != title)


def _images(evaluation: Evaluation) -> Iterator[tuple[NDArray[np.uint8], str]]:
    grid = evaluation.grid
    if grid.has_before:
        yield (
            pictures.overlay(grid.fixed, grid.before, grid.valid_before),
            "Before: fixed green, moving magenta, grey where they agree",
        )
    yield (
        pictures.overlay(grid.fixed, grid.after, grid.valid),
        "Registered: fixed green, registered magenta",
    )
    yield pictures.checkerboard(grid.fixed, grid.after), "Checkerboard of fixed and registered"
    flow, full = pictures.flow_picture(grid.displacement)
    if grid.has_before:
        yield (
            flow,
            f"Flow: hue is the direction (red: to the right), full colour is {full:.1f} px",
        )
    if grid.misregistration is not None:
        yield (
            pictures.risk_picture(grid.misregistration),
            "Misregistration map: probability of being off by more than 2 px (at 256-px scale), "
            "black 0, yellow 1",
        )
    found = evaluation.objects
    if found is not None:
        fixed = found.labels("fixed", grid.shape)
        yield pictures.masks_picture(grid.fixed, fixed), "Objects in the fixed image"
        if "before" in found.masks:
            before = found.labels("before", grid.shape)
            yield (
                pictures.masks_picture(grid.before, before, fixed),
                "The same objects before registration; outlines: where they are in the fixed image",
            )
        after = found.labels("after", grid.shape)
        yield (
            pictures.masks_picture(grid.after, after, fixed),
            "The same objects in the registered image; outlines: in the fixed image",
        )


def _png(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    picture = Image.fromarray(image)
    picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _groups(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the groups that have numbers, in the order of trust."""
    found = []
    for group, title in GROUPS.items():
        measures = [m for m in MEASURES if m.group == group and m.key in evaluation.after]
        if measures:
            warning = SIMILARITY_WARNING if group == "similarity" else ""
            found.append({"title": title, "warning": warning, "measures": measures})
    return found


def _change(evaluation: Evaluation, measure: Measure) -> str:
    """Return ``"better"``, ``"worse"``, or ``""`` where neither can be said."""
    before, after = evaluation.before.get(measure.key), evaluation.after[measure.key]
    if not measure.better or before is None or not np.isfinite([before, after]).all():
        return ""
    if before == after:
        return ""
    return "better" if (after > before) == (measure.better == "higher") else "worse"


def _objects(evaluation: Evaluation, found: ObjectEvaluation) -> dict[str, Any]:
    from markupsafe import Markup

    rows = worst_first(found.scores.get("before"), found.scores["after"])
    charts = [object_chart(rows)]
    if found.curve is not None:
        charts.append(curve_chart(found.curve))
    return {
        "protocol": PROTOCOLS[found.protocol],
        "segmenter": str(found.segmenter.get("name", "none")),
        "rows": rows,
        "pixels": evaluation.grid.stride**2,
        "charts": [Markup(chart) for chart in charts],  # noqa: S704 - charts escape their texts
    }


def _comparison(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    from markupsafe import Markup

    keys = [key for key in COMPARED if any(key in e.after for e in evaluations)]
    before = evaluations[0].before
    rows = [("before", "", before)] if before else []
    rows += [(e.name, str(e.provenance.get("status", "")), e.after) for e in evaluations]
    charts = [comparison_chart(evaluations, BY_KEY[key]) for key in CHARTED if key in keys]
    return {
        "measures": [BY_KEY[key] for key in keys],
        "rows": rows,
        "charts": [Markup(chart) for chart in charts],  # noqa: S704 - charts escape their texts
    }


def _provenance(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    data: dict[str, Any] = {"registration": evaluation.provenance}
    if evaluation.objects is not None and evaluation.objects.segmenter:
        data["segmenter"] = evaluation.objects.segmenter
    return _flat(data)


def _flat(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name} · ")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)
