"""Charts as inline SVG: no script, no other file, sharp on any screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from napari_mmreg.evaluation.assessment import Evaluation
from napari_mmreg.evaluation.measures import Measure
from napari_mmreg.evaluation.objects import ObjectScore
from napari_mmreg.evaluation.prompted import SensitivityCurve

BEFORE, AFTER, TRUTH = "#b4532a", "#1f6fb2", "#8a94a0"
_WIDTH = 560


def object_chart(rows: Sequence[tuple[ObjectScore | None, ObjectScore]]) -> str:
    """Draw each object's IoU before and after, worst first, as two dots on a line."""
    height, left, right, step = 34 + 17 * len(rows) + 26, 46, _WIDTH - 16, 17

    def at(value: float) -> float:
        return left + value * (right - left)

    parts = [_legend([("before", BEFORE), ("registered", AFTER)] if rows[0][0] else
                     [("registered", AFTER)])]  # fmt: skip
    bottom = 30 + step * len(rows)
    parts += [_vertical(at(tick / 4), 24, bottom, f"{tick / 4:g}") for tick in range(5)]
    for index, (before, after) in enumerate(rows):
        y = 34 + step * index
        parts.append(_text(left - 8, y + 4, str(after.id), "end"))
        ends = [s.iou for s in (before, after) if s is not None and math.isfinite(s.iou)]
        if len(ends) == 2:
            parts.append(
                f'<line x1="{at(ends[0]):.1f}" x2="{at(ends[1]):.1f}" y1="{y}" y2="{y}" '
                f'stroke="#c9d0d8" stroke-width="3"/>'
            )
        for score, colour in ((before, BEFORE), (after, AFTER)):
            if score is not None and math.isfinite(score.iou):
                parts.append(f'<circle cx="{at(score.iou):.1f}" cy="{y}" r="4.5" fill="{colour}"/>')
    parts.append(_text((left + right) / 2, height - 2, "IoU, one line per object", "middle"))
    return _svg(height, "IoU of each object before and after", parts)


def curve_chart(curve: SensitivityCurve) -> str:
    """Draw IoU against a known shift, beside what geometry alone gives."""
    height, left, top, right, bottom = 250, 46, 30, _WIDTH - 16, 208
    last = curve.shifts[-1]

    def at(shift: float, value: float) -> tuple[float, float]:
        return left + shift / last * (right - left), bottom - value * (bottom - top)

    parts = [_legend([("found by prompts", AFTER), ("geometry alone", TRUTH)])]
    for tick in range(5):
        y = at(0, tick / 4)[1]
        parts.append(
            f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="#e3e7ec"/>'
            + _text(left - 8, y + 4, f"{tick / 4:g}", "end")
        )
    parts += [_text(at(s, 0)[0], bottom + 17, f"{s:g}", "middle") for s in curve.shifts]
    for values, colour, dash in (
        (curve.geometry, TRUTH, ' stroke-dasharray="5 4"'),
        (curve.iou, AFTER, ""),
    ):
        points = [at(s, v) for s, v in zip(curve.shifts, values, strict=True) if math.isfinite(v)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    middle = (left + right) / 2
    parts.append(_text(middle, height - 4, "known shift of the registered image (px)", "middle"))
    return _svg(height, "Mean IoU against a known shift", parts)


def comparison_chart(evaluations: Sequence[Evaluation], measure: Measure) -> str:
    """Draw one number of several registrations as bars, with the number before as a line."""
    values = [e.after.get(measure.key, math.nan) for e in evaluations]
    before = evaluations[0].before.get(measure.key, math.nan)
    known = [v for v in (*values, before) if math.isfinite(v)]
    if not known:
        return ""
    low, high = min(0.0, *known), max(*known, 1e-9)
    left, right, step = 190, _WIDTH - 70, 26
    height = 30 + step * len(values) + 10

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    better = f", {measure.better} is better" if measure.better else ""
    unit = f" ({measure.unit})" if measure.unit else ""
    parts = [_text(0, 14, f"{measure.title}{unit}{better}", "start", weight=600)]
    for index, (evaluation, value) in enumerate(zip(evaluations, values, strict=True)):
        y = 28 + step * index
        parts.append(_text(left - 8, y + 13, evaluation.name, "end"))
        if math.isfinite(value):
            start, width = min(at(0), at(value)), abs(at(value) - at(0))
            parts.append(
                f'<rect x="{start:.1f}" y="{y}" width="{max(width, 1):.1f}" height="17" rx="2" '
                f'fill="{AFTER}"/>'
            )
        parts.append(_text(right + 8, y + 13, measure.text(value), "start"))
    if math.isfinite(before):
        parts.append(
            f'<line x1="{at(before):.1f}" x2="{at(before):.1f}" y1="22" y2="{height - 8}" '
            f'stroke="{BEFORE}" stroke-width="2" stroke-dasharray="4 3"/>'
        )
    return _svg(height, measure.title, parts)


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str, weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'font-size="12" fill="#4a5560">{escape(text)}</text>'
    )


def _vertical(x: float, top: float, bottom: float, text: str) -> str:
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="#e3e7ec"/>' + _text(
        x, bottom + 13, text, "middle"
    )


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    parts, x = [], 46.0
    for text, colour in entries:
        parts.append(f'<circle cx="{x}" cy="9" r="4.5" fill="{colour}"/>')
        parts.append(_text(x + 9, 13, text, "start"))
        x += 30 + 7 * len(text)
    return "".join(parts)
