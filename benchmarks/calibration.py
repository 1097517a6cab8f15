"""Fit and score the misregistration map that a certificate gives.

Registers synthetically misaligned pairs, measures what `registration.certify` measures, and
compares with the known truth per pixel (off by more than 2 px at 256-px scale). Logistic
regressions are fitted on every second pair of `val` and scored on the others: a trained network
is surer of its training pairs than of new ones. Prints the constants for `certify.py`; writes
``results/calibration-MODEL.md`` and ``.png``.

Usage: MMREG_DATA=... python benchmarks/calibration.py hrnet [--per-modality 8]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize

from napari_mmreg.bench import runner
from napari_mmreg.bench.protocols import Case, Protocol
from napari_mmreg.imaging import check_image, lift, prepare_pair
from napari_mmreg.models import load_model
from napari_mmreg.registration import certify
from napari_mmreg.registration.refine import refine
from napari_mmreg.run import Run
from napari_mmreg.training.data import PairRecord, find_data, read_records

RESULTS = Path(__file__).parent / "results"
PROTOCOLS = ("R256", "N256", "H256", "Z256")
PIXELS = 400
"""Pixels of each case that are used."""

Rows = NDArray[np.float64]


def measure(case: Case, model: Any, rng: np.random.Generator) -> tuple[Rows, NDArray[np.bool_]]:
    """Return the features of some pixels of one registered pair, and whether they are off."""
    run = Run()
    pair = prepare_pair(check_image(case.fixed, "fixed"), check_image(case.moving, "moving"))
    answer = model.predict(pair, run)
    found = refine(pair, answer.transform, run, global_part=answer.global_part)
    with torch.inference_mode():
        measured = certify.measure(pair, found, run, certify.own_scale(answer.error_scale))
        features = certify.pixel_features(measured)
    grid = np.stack(np.meshgrid(*map(np.arange, case.fixed.shape[:2]), indexing="ij"), axis=-1)
    away = np.linalg.norm((lift(pair, found).map(grid) - case.positions) * case.scale, axis=-1)
    away = np.where(case.mask, np.nan_to_num(away, nan=99.0), np.nan)
    error = F.interpolate(
        torch.from_numpy(away)[None, None], size=measured.mask.shape, mode="nearest-exact"
    )[0, 0]
    rows, cols = torch.nonzero(measured.mask & ~error.isnan(), as_tuple=True)
    chosen = rng.permutation(len(rows))[:PIXELS]
    rows, cols = rows[chosen], cols[chosen]
    return features[:, rows, cols].T.double().numpy(), (error[rows, cols] > 2).numpy()


def collect(chosen: Sequence[PairRecord], name: str) -> tuple[Rows, NDArray[np.bool_]]:
    """Measure pairs under all protocols."""
    model, rng = load_model(name), np.random.default_rng(0)
    parts = [
        measure(case, model, rng)
        for protocol in PROTOCOLS
        for case in runner.read_cases(chosen, Protocol.parse(protocol))
    ]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def fit(features: Rows, wrong: NDArray[np.bool_]) -> Rows:
    """Return the weights and the constant of a logistic regression, weakly regularised."""
    design = np.column_stack([features, np.ones(len(features))])
    sign = np.where(wrong, 1.0, -1.0)

    def loss(weights: Rows) -> tuple[float, Rows]:
        margin = sign * (design @ weights)
        slope = -sign / (1 + np.exp(margin))
        value = np.logaddexp(0, -margin).mean() + 1e-4 * weights @ weights
        return float(value), design.T @ slope / len(design) + 2e-4 * weights

    return np.asarray(minimize(loss, np.zeros(design.shape[1]), jac=True).x)


def probability(features: Rows, weights: Rows) -> Rows:
    """Apply a logistic regression."""
    return np.asarray(1 / (1 + np.exp(-(features @ weights[:-1] + weights[-1]))))


def score(chance: Rows, wrong: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return AUROC, Brier score and expected calibration error (15 equal-width bins)."""
    from scipy.stats import rankdata

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


def plot(chances: dict[str, Rows], wrong: NDArray[np.bool_], path: Path) -> None:
    """Draw the reliability of each probability."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", label="perfect")
    for name, chance in chances.items():
        bins = np.minimum((chance * 10).astype(int), 9)
        used = [b for b in range(10) if (bins == b).sum() > 50]
        axes.plot(
            [chance[bins == b].mean() for b in used],
            [wrong[bins == b].mean() for b in used],
            marker="o",
            label=name,
        )
    axes.set(xlabel="probability given", ylabel="share of pixels off by more than 2 px")
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Fit on one half, score on the other."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--per-modality", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    records = read_records(find_data(None), ["val"], commercial_only=False)
    chosen = runner.evenly(records, args.per_modality)
    features, wrong = collect(chosen[::2], args.model)
    held_features, held_wrong = collect(chosen[1::2], args.model)
    names = certify.FEATURES[: features.shape[1]]
    chances, lines = {}, []
    common = certify.FEATURES[:4]
    for label, used in {"without the model's own scale": common, "with it": names}.items():
        if label == "with it" and names == common:
            break
        columns = [names.index(n) for n in used]
        weights = fit(features[:, columns], wrong)
        print(label, dict(zip((*used, "constant"), weights.round(3).tolist(), strict=True)))
        chances[label] = probability(held_features[:, columns], weights)
        lines.append((label, *score(chances[label], held_wrong)))
    table = "".join(f"| {n} | {a:.3f} | {b:.3f} | {c:.3f} |\n" for n, a, b, c in lines)
    (RESULTS / f"calibration-{args.model}.md").write_text(
        f"# Misregistration map of `{args.model}`, after registration\n\n"
        f"Fitted on {len(wrong)} pixels of every second pair of `val`, scored on "
        f"{len(held_wrong)} pixels of the others ({held_wrong.mean():.0%} are off by more than "
        f"2 px at 256-px scale), protocols {', '.join(PROTOCOLS)}. "
        "Written by `benchmarks/calibration.py`.\n\n"
        "| logistic regression | AUROC | Brier | calibration error |\n|---|---|---|---|\n"
        f"{table}\n![Reliability](calibration-{args.model}.png)\n",
        encoding="utf-8",
    )
    plot(chances, held_wrong, RESULTS / f"calibration-{args.model}.png")


if __name__ == "__main__":
    main()
