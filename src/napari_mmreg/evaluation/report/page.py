"""The report as one HTML page that needs nothing else: pictures and charts are inside."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from html import escape
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
from napari_mmreg.evaluation.report.style import STYLE

if TYPE_CHECKING:
    from datetime import datetime

COMPARED = ("re_rmse", "re_grid", "object_iou", "object_iou_geometry", "mind", "gradient_ncc",
            "folding_percent")  # fmt: skip
"""What several registrations are compared by: errors first."""

CHARTED = ("re_rmse", "re_grid", "object_iou", "mind")

_PICTURE_SIDE = 720


def render(evaluations: Sequence[Evaluation], title: str, made: datetime) -> str:
    """Return the page; see `files.write_report`."""
    first = evaluations[0]
    parts = [f"<h1>{escape(title)}</h1>", _subtitle(first, made, title)]
    if len(evaluations) > 1:
        parts.append(_comparison(evaluations))
        parts.append(f"<h2>{escape(first.name)} in full</h2>")
    parts += [_key_numbers(first), _notes(first), _gallery(first), _numbers(first)]
    if first.objects is not None:
        parts.append(_objects(first, first.objects))
    parts.append(_provenance(evaluations))
    parts.append(
        f"<footer>Written by napari-mmreg {escape(version('napari-mmreg'))}. Points and lengths "
        "are in pixels of the fixed image unless said otherwise.</footer>"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _subtitle(evaluation: Evaluation, made: datetime, title: str) -> str:
    """Say how it went, with what, and when; the images too, where the title does not name them."""
    names = evaluation.provenance.get("images", {})
    images = f"{names.get('moving', 'moving')} onto {names.get('fixed', 'fixed')}" if names else ""
    model = str(evaluation.provenance.get("model", ""))
    when = f"{made.day} {made:%B %Y, %H:%M}"
    parts = [part for part in (images, model, when) if part and part != title]
    status = evaluation.provenance.get("status")
    chip = (
        f'<span class="chip {escape(str(status))}">{escape(str(status))}</span>' if status else ""
    )
    return f'<p class="subtitle">{chip}{escape(" · ".join(parts))}</p>'


def _key_numbers(evaluation: Evaluation) -> str:
    """Show the few numbers that say most, as tiles."""
    keys = [k for k in ("re_rmse", "re_grid", "object_iou", "overlap_percent", "folding_percent",
                        "displacement_median", "mind") if k in evaluation.after][:5]  # fmt: skip
    tiles = []
    for measure in (BY_KEY[key] for key in keys):
        before = evaluation.before.get(measure.key)
        change = f"before {measure.text(before)}" if before is not None else "&nbsp;"
        tiles.append(
            f'<div class="tile" title="{escape(measure.tip)}"><div class="label">'
            f'{escape(measure.title)}</div><div class="value">'
            f"{measure.text(evaluation.after[measure.key])}<small> {escape(measure.unit)}</small>"
            f'</div><div class="change">{change}</div></div>'
        )
    return f'<section class="tiles">{"".join(tiles)}</section>'


def _notes(evaluation: Evaluation) -> str:
    reasons = [str(reason) for reason in evaluation.provenance.get("reasons", ())]
    notes = [*reasons, *evaluation.notes]
    if not notes:
        return ""
    return f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>'


def _gallery(evaluation: Evaluation) -> str:
    figures = "".join(_figure(image, caption) for image, caption in _images(evaluation))
    return f'<h2>Pictures</h2><section class="gallery">{figures}</section>'


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
            "Misregistration map: black 0, yellow 1 (a score, not calibrated for your sensors)",
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


def _figure(image: NDArray[np.uint8], caption: str) -> str:
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{_png(image)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _png(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    picture = Image.fromarray(image)
    picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _numbers(evaluation: Evaluation) -> str:
    parts = ["<h2>Numbers</h2>"]
    for group, title in GROUPS.items():
        measures = [m for m in MEASURES if m.group == group and m.key in evaluation.after]
        if not measures:
            continue
        rows = "".join(_number_row(evaluation, measure) for measure in measures)
        warning = (
            f'<p class="warning">{escape(SIMILARITY_WARNING)}</p>' if group == "similarity" else ""
        )
        parts.append(
            f"<h3>{escape(title)}</h3>{warning}<table class='numbers'><thead><tr><th></th>"
            "<th class='n'>before</th><th class='n'>after</th><th></th><th>what it means</th></tr>"
            f"</thead><tbody>{rows}</tbody></table>"
        )
    return "".join(parts)


def _number_row(evaluation: Evaluation, measure: Measure) -> str:
    before, after = evaluation.before.get(measure.key), evaluation.after[measure.key]
    change = ""
    if measure.better and before is not None and np.isfinite([before, after]).all():
        sign = (after > before) - (after < before)
        good = sign == (1 if measure.better == "higher" else -1)
        change = "better" if good else "worse" if sign else ""
    former = measure.text(before) if before is not None else ""
    return (
        f"<tr><td>{escape(measure.title)}</td><td class='n'>{former}</td>"
        f"<td class='n strong {change}'>{measure.text(after)}</td><td>{escape(measure.unit)}</td>"
        f"<td class='tip'>{escape(measure.tip)}</td></tr>"
    )


def _objects(evaluation: Evaluation, found: ObjectEvaluation) -> str:
    rows = worst_first(found.scores.get("before"), found.scores["after"])
    name = found.segmenter.get("name", "none")
    body = "".join(
        f"<tr><td><span class='dot' style='background:rgb{pictures.colour(after.id)}'></span>"
        f"{after.id}</td><td class='n'>{after.area * evaluation.grid.stride**2}</td>"
        f"<td class='n'>{_value(before.iou if before else None)}</td>"
        f"<td class='n strong'>{_value(after.iou)}</td><td class='n'>{_value(after.f1)}</td>"
        f"<td class='n'>{_value(after.boundary_f)}</td></tr>"
        for before, after in rows
    )
    charts = f"<figure class='chart'>{object_chart(rows)}</figure>"
    if found.curve is not None:
        charts += f"<figure class='chart'>{curve_chart(found.curve)}</figure>"
    return (
        f"<h2>Objects, worst first</h2><p>{escape(PROTOCOLS[found.protocol])} Segmenter: "
        f"{escape(str(name))}.</p><div class='columns'><table><thead><tr><th>object</th>"
        "<th class='n'>area px</th><th class='n'>IoU before</th><th class='n'>IoU</th>"
        "<th class='n'>F1</th><th class='n'>boundary F</th></tr></thead>"
        f"<tbody>{body}</tbody></table><div>{charts}</div></div>"
    )


def _value(value: float | None) -> str:
    return BY_KEY["object_iou"].text(value)


def _comparison(evaluations: Sequence[Evaluation]) -> str:
    keys = [k for k in COMPARED if any(k in e.after for e in evaluations)]
    head = "".join(
        f"<th class='n' title='{escape(BY_KEY[k].tip)}'>{escape(BY_KEY[k].title)} "
        f"{escape(BY_KEY[k].unit)}</th>"
        for k in keys
    )
    first = evaluations[0].before
    rows = [("before", "", first)] if first else []
    rows += [(e.name, str(e.provenance.get("status", "")), e.after) for e in evaluations]
    body = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(status)}</td>"
        + "".join(f"<td class='n'>{BY_KEY[k].text(numbers.get(k))}</td>" for k in keys)
        + "</tr>"
        for name, status, numbers in rows
    )
    charts = "".join(
        f"<figure class='chart'>{comparison_chart(evaluations, BY_KEY[k])}</figure>"
        for k in CHARTED
        if k in keys
    )
    return (
        f"<h2>Models compared</h2><table><thead><tr><th></th><th>status</th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><p class='tip'>Dashed line: before registration.</p>"
        f"<div class='columns'>{charts}</div>"
    )


def _provenance(evaluations: Sequence[Evaluation]) -> str:
    blocks = []
    for evaluation in evaluations:
        data: dict[str, Any] = {"registration": evaluation.provenance}
        if evaluation.objects is not None and evaluation.objects.segmenter:
            data["segmenter"] = evaluation.objects.segmenter
        rows = "".join(
            f"<tr><td>{escape(key)}</td><td><code>{escape(value)}</code></td></tr>"
            for key, value in _flat(data)
        )
        blocks.append(
            f"<details open><summary>{escape(evaluation.name)}</summary>"
            f"<table class='provenance'><tbody>{rows}</tbody></table></details>"
        )
    return f"<h2>Where it comes from</h2>{''.join(blocks)}"


def _flat(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name} · ")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)
