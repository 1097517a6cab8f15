"""Fit and score what a certificate says: the chance of failure and the misregistration maps.

Registers synthetically misaligned pairs with each model, measures what `registration.certify`
measures, and compares with the known truth. Logistic regressions are fitted on pairs of `train`
and scored on pairs of `val`. Prints the constants for `certify.py`; writes
``results/calibration.md`` and ``.png``.

Usage: MMREG_DATA=... python -m benchmarks.calibration FOLDER [--per-modality 4]
FOLDER keeps what was measured; what lies there is not measured again.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging import Pair, check_image, grid_to_image, prepare_pair
from napari_mmreg.models import load_model
from napari_mmreg.registration import certify
from napari_mmreg.registration.refine import refine
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records

RESULTS = Path(__file__).parent / "results"
PLAIN, OWN = ("classical",), ("hrnet", "regnetmamba2")
"""Models without and with an estimate of their own error."""
PROTOCOLS = ("R256", "N256", "H256", "Z256")
PIXELS = 400
"""Pixels of each case that are used."""

FAILED, OFF = 5.0, 2.0
"""Mean error of a failed registration, and error of a misregistered pixel: px at 256-px scale."""

Rows = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """What was measured of one registered pair, some of its pixels, and the truth."""

    failure: Rows  # certify.failure_features
    failed: bool
    after: Rows  # (pixels, 4 or 5), certify.result_features
    off: Truth
    before: Rows  # (pixels, 4), certify.input_features
    off_before: Truth


def errors(case: Case, pair: Pair, transform: Transform) -> Rows:
    """Return the error of each pixel, (H, W), px at 256-px scale; NaN where there is no truth."""
    grid = np.stack(np.meshgrid(*map(np.arange, case.fixed.shape[:2]), indexing="ij"), axis=-1)
    away = (grid_to_image(pair, transform).map(grid) - case.positions) * case.scale
    return np.where(case.mask, np.nan_to_num(np.linalg.norm(away, axis=-1), nan=99.0), np.nan)


def measure(case: Case, model: Any, rng: np.random.Generator) -> Sample | None:
    """Register and measure one pair; None if it was left as it came."""
    run = Run()
    pair = prepare_pair(check_image(case.fixed, "fixed"), check_image(case.moving, "moving"))
    answer = model.predict(pair, run)
    found = refine(pair, answer.transform, run, global_part=answer.global_part)
    if not found.displacement(pair.shape).any():
        return None
    with torch.inference_mode():
        seen = certify.measure(pair, found, run, certify.own_scale(answer.error_scale))
        after, before = certify.result_features(seen), certify.input_features(seen)
    full = errors(case, pair, found), errors(case, pair, MatrixTransform.identity())
    error, error_before = F.interpolate(
        torch.from_numpy(np.stack(full))[None], size=seen.mask.shape, mode="nearest-exact"
    )[0]
    rows, cols = torch.nonzero(seen.mask & ~error.isnan(), as_tuple=True)
    chosen = rng.permutation(len(rows))[:PIXELS]
    rows, cols = rows[chosen], cols[chosen]
    return Sample(
        np.array(certify.failure_features(seen)),
        bool(np.nanmean(full[0]) > FAILED),
        after[:, rows, cols].T.double().numpy(),
        (error[rows, cols] > OFF).numpy(),
        before[:, rows, cols].T.double().numpy(),
        (error_before[rows, cols] > OFF).numpy(),
    )


def collect(split: str, name: str, per_modality: int, file: Path) -> list[Sample]:
    """Measure pairs under all protocols, or read what was measured before."""
    if not file.is_file():
        model, rng = load_model(name), np.random.default_rng(0)
        records = read_records(find_data(None), [split], commercial_only=False)
        samples = [
            measure(case, model, rng)
            for protocol in PROTOCOLS
            for case in runner.read_cases(
                runner.evenly(records, per_modality), Protocol.parse(protocol)
            )
        ]
        file.write_bytes(pickle.dumps([s for s in samples if s is not None]))
    found: list[Sample] = pickle.loads(file.read_bytes())
    return found


def fit(features: Rows, wrong: Truth) -> Rows:
    """Return the weights and the constant of a logistic regression, weakly regularised."""
    design = np.column_stack([features, np.ones(len(features))])
    sign = np.where(wrong, 1.0, -1.0)

    def loss(weights: Rows) -> tuple[float, Rows]:
        margin = sign * (design @ weights)
        slope = -sign / (1 + np.exp(margin))
        value = np.logaddexp(0, -margin).mean() + 1e-5 * weights[:-1] @ weights[:-1]
        penalty = 2e-5 * np.append(weights[:-1], 0.0)
        return float(value), design.T @ slope / len(design) + penalty

    return np.asarray(minimize(loss, np.zeros(design.shape[1]), jac=True).x)


def odds(features: Rows, weights: Rows) -> Rows:
    """Apply a logistic regression."""
    return np.asarray(features @ weights[:-1] + weights[-1])


def score(chance: Rows, wrong: Truth) -> tuple[float, float, float]:
    """Return AUROC, Brier score and expected calibration error (15 equal-width bins)."""
    ranks, positive = rankdata(chance), int(wrong.sum())
    area = (ranks[wrong].sum() - positive * (positive + 1) / 2) / (
        positive * (len(wrong) - positive)
    )
    bins = np.minimum((chance * 15).astype(int), 14)
    gaps = [
        abs(chance[bins == b].mean() - wrong[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(area), float(((chance - wrong) ** 2).mean()), float(sum(gaps))


def plot(chances: dict[str, tuple[Rows, Truth]], path: Path) -> None:
    """Draw the reliability of each probability."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", label="perfect")
    for name, (chance, wrong) in chances.items():
        bins = np.minimum((chance * 8).astype(int), 7)
        used = [b for b in range(8) if (bins == b).sum() >= 5]
        axes.plot(
            [chance[bins == b].mean() for b in used],
            [wrong[bins == b].mean() for b in used],
            marker="o",
            label=name,
        )
    axes.set(xlabel="probability given", ylabel="share that is wrong")
    axes.legend()
    figure.savefig(path, dpi=110)


Part = Callable[[Sample, Rows], tuple[Rows, Truth]]


def failures(sample: Sample, _: Rows) -> tuple[Rows, Truth]:
    """Return the case as one row."""
    return sample.failure[None], np.array([sample.failed])


def _failure(sample: Sample, weights: Rows) -> float:
    return certify.clamped(float(odds(sample.failure, weights)))


def results(sample: Sample, weights: Rows) -> tuple[Rows, Truth]:
    """Return pixels of the result, with the chance of failure that has just been fitted."""
    features = sample.after.copy()
    features[:, 3] = _failure(sample, weights)
    return features, sample.off


def inputs(sample: Sample, weights: Rows) -> tuple[Rows, Truth]:
    """Return pixels of the input, likewise."""
    features = sample.before.copy()
    features[:, 2] = _failure(sample, weights)
    features[:, 3] = features[:, 0] * features[:, 2]
    return features, sample.off_before


def stacked(samples: list[Sample], part: Part, weights: Rows) -> tuple[Rows, Truth]:
    """Return the rows of many samples, as many columns as the narrowest has."""
    parts = [part(sample, weights) for sample in samples]
    width = min(rows.shape[1] for rows, _ in parts)
    return np.concatenate([rows[:, :width] for rows, _ in parts]), np.concatenate(
        [wrong for _, wrong in parts]
    )


def main() -> None:
    """Fit on `train`, score on `val`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-modality", type=int, default=4)
    parser.add_argument(
        "--keep-failure",
        action="store_true",
        help="score the chance of failure as it is, fit the maps to it",
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    seen = {
        (split, name): collect(split, name, args.per_modality, args.folder / f"{split}-{name}.pkl")
        for split in ("train", "val")
        for name in PLAIN + OWN
    }
    plain, own, every = (
        tuple([s for name in names for s in seen[split, name]] for split in ("train", "val"))
        for names in (PLAIN, OWN, PLAIN + OWN)
    )
    train, held_out = every
    failure = np.array(certify.FAILURE)
    if not args.keep_failure:
        failure = fit(*stacked(train, failures, np.zeros(0)))
    tasks: dict[str, tuple[str, Part, tuple[list[Sample], list[Sample]]]] = {
        "failure of a registration": ("FAILURE", failures, every),
        "result, without the model's own scale": ("AFTER", results, plain),
        "result, with it": ("AFTER_OWN", results, own),
        "input": ("BEFORE", inputs, every),
    }
    chances, lines = {}, []
    for label, (name, part, (learn, check)) in tasks.items():
        weights = failure if part is failures else fit(*stacked(learn, part, failure))
        print(name, tuple(weights.round(3).tolist()))
        features, wrong = stacked(check, part, failure)
        chance = 1 / (1 + np.exp(-odds(features, weights)))
        chances[label] = chance, wrong
        area, brier, gap = score(chance, wrong)
        lines.append(
            f"| {label} | {len(wrong)} | {wrong.mean():.0%} | {area:.3f} | {brier:.3f} "
            f"| {gap:.3f} |\n"
        )
    (RESULTS / "calibration.md").write_text(
        "# What certificates say, against the truth\n\n"
        f"Logistic regressions fitted on {len(train)} registrations of `train` pairs, scored on "
        f"{len(held_out)} of `val` pairs ({args.per_modality} pairs a modality, models "
        f"{', '.join(PLAIN + OWN)}, protocols {', '.join(PROTOCOLS)}; pairs left as they came "
        f"do not count){'; the chance of failure is older' if args.keep_failure else ''}. "
        f"A registration failed if its mean error exceeds {FAILED:g} px at 256-px "
        f"scale; a pixel is wrong if it is off by more than {OFF:g} px. "
        "Written by `benchmarks/calibration.py`.\n\n"
        "| probability | scored | wrong | AUROC | Brier | calibration error |\n"
        "|---|---|---|---|---|---|\n"
        f"{''.join(lines)}\n![Reliability](calibration.png)\n",
        encoding="utf-8",
    )
    plot(chances, RESULTS / "calibration.png")


if __name__ == "__main__":
    main()
