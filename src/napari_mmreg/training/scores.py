"""Turning scores of single pairs into the few numbers that are watched, and into tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_mmreg.training.validation import PairScore


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores of some pairs: RE in px at 256 scale.

    Attributes
    ----------
    count : int
    median, mean : float
        RE.
    below_3 : float
        Share of pairs with an RE below 3 px.
    identity : float
        Median RE of doing nothing.
    ratio : float
        Median of predicted over true displacement; NaN where nothing is displaced.
    """

    count: int
    median: float
    mean: float
    below_3: float
    identity: float
    ratio: float


def summarise(scores: Sequence[PairScore]) -> Summary:
    """Return the summary of some pairs' scores; RE that is not finite counts as infinite."""
    re = np.array([s.re if math.isfinite(s.re) else np.inf for s in scores])
    ratio = np.array([s.ratio for s in scores])
    ratio = ratio[np.isfinite(ratio)]
    return Summary(
        len(scores),
        float(np.median(re)),
        float(re.mean()),
        float((re < 3).mean()),
        float(np.median([s.re_identity for s in scores])),
        float(np.median(ratio)) if ratio.size else math.nan,
    )


def by(scores: Sequence[PairScore], attribute: str) -> dict[str, list[PairScore]]:
    """Group scores by ``"protocol"`` or ``"modality"``."""
    groups: dict[str, list[PairScore]] = {}
    for score in scores:
        groups.setdefault(getattr(score, attribute), []).append(score)
    return groups


def watched(scores: Sequence[PairScore]) -> dict[str, float]:
    """Return the numbers that a run logs, ``score`` among them: lower is better.

    ``score`` is the mean over protocols and modalities of the median RE, each capped at 20 px,
    so that no modality is outvoted by another one with more pairs.
    """
    numbers: dict[str, float] = {}
    medians = []
    for protocol, group in by(scores, "protocol").items():
        summary = summarise(group)
        numbers[f"{protocol}_median"] = summary.median
        numbers[f"{protocol}_below3"] = summary.below_3
        if math.isfinite(summary.ratio):
            numbers[f"{protocol}_ratio"] = summary.ratio
        medians += [min(summarise(g).median, 20.0) for g in by(group, "modality").values()]
    numbers["score"] = float(np.mean(medians))
    return numbers


def markdown(scores: Sequence[PairScore]) -> str:
    """Return a table by protocol, and one by modality."""
    head = (
        "| {} | pairs | RE median | RE mean | < 3 px % | identity median | displacement ratio |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    text = ""
    for attribute in ("protocol", "modality"):
        text += head.format(attribute)
        for name, group in by(scores, attribute).items():
            s = summarise(group)
            ratio = f"{s.ratio:.2f}" if math.isfinite(s.ratio) else "-"
            text += (
                f"| {name} | {s.count} | {s.median:.2f} | {s.mean:.2f} | {100 * s.below_3:.0f} "
                f"| {s.identity:.2f} | {ratio} |\n"
            )
        text += "\n"
    return text


def write_scores(scores: Sequence[PairScore], path: Path) -> None:
    """Write every pair's scores as csv."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(scores[0])))
        writer.writeheader()
        writer.writerows(asdict(s) for s in scores)
