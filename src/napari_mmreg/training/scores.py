"""Turning scores of single pairs into the few numbers that are watched, and into tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.training.validation import Validator

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_mmreg.training.pack import PackedPair
    from napari_mmreg.training.validation import PairScore, ValidationConfig


@dataclass(frozen=True, slots=True)
class Scores:
    """How a model did on held-out pairs.

    Attributes
    ----------
    watched : mapping of str to float
        What a run logs, ``score`` among them: lower is better.
    table : str
        Markdown for the card: what was measured, and the numbers.
    headline : mapping of str to float
        What ``config.json`` keeps.
    """

    watched: Mapping[str, float]
    table: str
    headline: Mapping[str, float]


Scorer = Callable[["nn.Module", "Path | None"], Scores]
"""Scores a model; further files, such as every pair's scores, go to the folder, if there is one."""


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


class FlowScorer:
    """Scores the flow that a model predicts.

    Parameters
    ----------
    predict_flow : callable
        Model, fixed and moving (1, C, H, W) to a flow (1, 2, H, W).
    pairs : sequence of PackedPair
        Pairs that the model has not seen.
    config : ValidationConfig
    device : str
    """

    def __init__(
        self,
        predict_flow: Callable[[nn.Module, Tensor, Tensor], Tensor],
        pairs: Sequence[PackedPair],
        config: ValidationConfig,
        device: str,
    ) -> None:
        self._predict_flow = predict_flow
        self._validator = Validator(pairs, config, device)

    def __call__(self, model: nn.Module, folder: Path | None = None) -> Scores:
        """Score; the folder gets ``scores.csv`` and an image of the worst pairs."""

        def predict(fixed: Tensor, moving: Tensor) -> Tensor:
            return self._predict_flow(model, fixed, moving)

        scores = self._validator.run(predict, None if folder is None else folder / "worst.png")
        if folder is not None:
            write_scores(scores, folder / "scores.csv")
        return flow_scores(scores)


def flow_scores(scores: Sequence[PairScore]) -> Scores:
    """Return what is kept of the registration errors of pairs."""
    about = (
        "Scenes that were not trained on, synthetic misalignment with fixed seeds; RE: mean error "
        "over\nvalid pixels, in px at 256 scale.\n\n"
    )
    headline = {"validation_median_re_px_at_256": round(summarise(scores).median, 3)}
    return Scores(watched(scores), about + markdown(scores), headline)
