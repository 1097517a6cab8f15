"""Fit how much of a bend is taken, on scenes of `train` that no elastic stage was trained on.

Bent pairs (protocols N, B and F of the accuracy benchmark) and rigid ones (R) are registered; what
speaks for each bend that is tried is written down beside the error of none, a quarter ... all of
it. The weights of ``registration/bend_share.py`` are those with the smallest mean error, bent and
rigid pairs counting alike, each against the error of their starts. Starts further off than 8 px are
left out: no share helps them.

Usage: MMREG_DATA=... python -m benchmarks.bend_share FOLDER [--engines rfnet classical]
FOLDER keeps what was measured; what lies there is not measured again.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol
from benchmarks.calibration import errors
from napari_mmreg.alignment.elastic.estimate import Bend
from napari_mmreg.alignment.levels import Level
from napari_mmreg.imaging import Pair, check_image, prepare_pair
from napari_mmreg.models import load_model
from napari_mmreg.models.elastic import load_elastic
from napari_mmreg.registration import refine
from napari_mmreg.registration.bend_share import EVIDENCE, bend_evidence
from napari_mmreg.registration.candidate import find_candidate
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records
from napari_mmreg.training.set_aside import set_aside

PLAN = {"N256": 0, "R256": 0, "B256": 4, "F256": 4}
"""Pairs of each modality by protocol; 0: all."""

RIGID = ("R256",)
SHARES = np.linspace(0, 1, 5)
FURTHEST = 8.0
FOLDS = 5
DECAY = 1e-3
KEEP = 0.8
"""What it costs to give up a whole bend of a bent pair, beside the error, relative to that of the
start: of shares that err alike the largest is taken."""


@dataclass(frozen=True)
class Sample:
    """One bend: what speaks for it, and the error of each share of it, px at 256-px scale."""

    protocol: str
    scene: str
    evidence: NDArray[np.float64]
    errors: NDArray[np.float64]


def samples_of(case: Case, protocol: str, models: list[Any], elastic: Any) -> Iterator[Sample]:
    """Register one pair with every model, and write down all bends that are tried."""
    pair: Pair = prepare_pair(check_image(case.fixed, "fixed"), check_image(case.moving, "moving"))
    found: list[Sample] = []

    def write_down(level: Level, bend: Bend) -> NDArray[np.float64]:
        evidence = bend_evidence(level, bend)
        away = [float(np.nanmean(errors(case, pair, bend.part(share)))) for share in SHARES]
        found.append(Sample(protocol, case.name, evidence, np.array(away)))
        return evidence

    with patch.object(refine, "bend_evidence", write_down):
        for model in models:
            find_candidate(model, pair, pair, Run(), refine=True, elastic=elastic, bend=True)
    yield from found


def collect(folder: Path, engines: list[str]) -> list[Sample]:
    """Measure all pairs, or read what was measured before."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    _, aside = set_aside(read_records(find_data(None), ["train"], commercial_only=True))
    models, elastic = [load_model(name) for name in engines], load_elastic()
    samples: list[Sample] = []
    for protocol, number in PLAN.items():
        for case in runner.read_cases(runner.evenly(aside, number), Protocol.parse(protocol)):
            file = folder / f"{protocol}-{case.name}.pkl".replace("/", "_")
            if not file.is_file():
                file.write_bytes(pickle.dumps(list(samples_of(case, protocol, models, elastic))))
            samples += pickle.loads(file.read_bytes())
    return [sample for sample in samples if sample.errors[0] < FURTHEST]


def share(weights: NDArray[np.float64], evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shares, (n,), for weights with the intercept first and evidence of (n, 2)."""
    score = weights[0] + evidence @ weights[1:]
    return 1 / (1 + np.exp(-np.clip(score, -30, 30)))


def outcome(samples: list[Sample], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the error of each sample with its share."""
    pairs = zip(shares, samples, strict=True)
    return np.array([np.interp(at, SHARES, sample.errors) for at, sample in pairs])


def fit(samples: list[Sample]) -> NDArray[np.float64]:
    """Return the intercept and the weights of the evidence as it is."""
    evidence = np.array([sample.evidence for sample in samples])
    middle, spread = evidence.mean(axis=0), evidence.std(axis=0)
    standard = (evidence - middle) / spread
    rigid = np.array([sample.protocol in RIGID for sample in samples])
    start = np.array([sample.errors[0] for sample in samples])

    def loss(weights: NDArray[np.float64]) -> float:
        shares = share(weights, standard)
        off = outcome(samples, shares)
        relative = sum(off[kind].mean() / start[kind].mean() for kind in (rigid, ~rigid))
        given_up = KEEP * (1 - shares[~rigid]).mean()
        return float(relative + given_up + DECAY * np.square(weights).sum())

    begin = np.zeros(1 + len(EVIDENCE))
    best = minimize(loss, begin, method="Nelder-Mead", options={"maxiter": 8000, "maxfev": 8000}).x
    return np.append(best[0] - (best[1:] * middle / spread).sum(), best[1:] / spread)


def main() -> None:
    """Measure, fit, and print the errors on scenes that the fit has not seen, and the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", nargs="+", default=["rfnet", "classical"])
    arguments = parser.parse_args()
    samples = collect(arguments.folder, arguments.engines)
    evidence = np.array([sample.evidence for sample in samples])
    scenes = sorted({sample.scene for sample in samples})
    fold = np.array([scenes.index(sample.scene) % FOLDS for sample in samples])
    unseen = np.zeros(len(samples))
    for number in range(FOLDS):
        known = [sample for sample, at in zip(samples, fold, strict=True) if at != number]
        unseen[fold == number] = share(fit(known), evidence[fold == number])
    print("| | pairs | none | whole | share | mean share |\n|---|---|---|---|---|---|")
    for protocol in PLAN:
        rows = np.array([sample.protocol == protocol for sample in samples])
        some = [sample for sample in samples if sample.protocol == protocol]
        columns = [
            outcome(some, at) for at in (np.zeros(len(some)), np.ones(len(some)), unseen[rows])
        ]
        cells = [f"{np.median(off):.2f} / {off.mean():.2f}" for off in columns]
        print(f"| {protocol} | {len(some)} | {' | '.join(cells)} | {unseen[rows].mean():.2f} |")
    weights = fit(samples)
    print(f"INTERCEPT = {weights[0]:.2f}")
    print(f"WEIGHTS = {tuple(float(np.round(weight, 2)) for weight in weights[1:])}")


if __name__ == "__main__":
    main()
