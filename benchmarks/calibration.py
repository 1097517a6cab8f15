"""Fit and score what results say of their own error.

Registers pairs of known misalignment with every engine, measures what a certificate rests on, and
trains the two networks of ``registration/error_model.py``, or scores those that are shipped.
Trained on scenes of `train` that are set aside (the elastic stage has not seen them; the other
networks have), scored on `val`. Protocols are those of the accuracy benchmark, and ``X256``:
images of two scenes that do not belong together, ``M256``: one is mirrored, ``Q256``: turned by a
quarter, half or three quarters, ``P256``: of one image there is only a part. The pairs as they
came are measured too.

Usage:
MMREG_DATA=... python -m benchmarks.calibration aside FOLDER --fit
MMREG_DATA=... python -m benchmarks.calibration val FOLDER
FOLDER keeps what was measured; what lies there is not measured again.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging import Pair, check_image, grid_to_image, prepare_pair
from napari_mmreg.models import load_model
from napari_mmreg.models.elastic import load_elastic
from napari_mmreg.models.weights import PACKAGED, save_weights
from napari_mmreg.registration import error_model
from napari_mmreg.registration.candidate import find_candidate
from napari_mmreg.registration.certify import MAX_LIKELY_WRONG, WRONG
from napari_mmreg.registration.error_estimate import TOLERANCE, ErrorEstimate
from napari_mmreg.registration.measurements import measure
from napari_mmreg.registration.provenance import versions
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records
from napari_mmreg.training.set_aside import set_aside

ENGINES = ("rfnet", "hrnet", "classical", "regnetmamba2", "sasnet")
NOTHING = "as it came"
PLANS = {
    "aside": dict.fromkeys(("N256", "R256", "X256", "Z256"), 0)
    | dict.fromkeys(("P256",), 8)
    | dict.fromkeys(("H256", "T256"), 3)
    | dict.fromkeys(("M256", "Q256", "W256"), 2),
    "val": dict.fromkeys(("N256", "R256"), 2) | dict.fromkeys(("H256", "S256", "T256", "Z256"), 1),
}
"""Pairs of each modality by protocol; 0: all."""

HOPELESS = ("X", "M")
PARTS = (0.05, 0.1, 0.18, 0.3)
"""Of an image's area, in turn."""

FLAT = 5.0
"""Grey values that a part's spread has to exceed; else there is nothing to see."""

PIXELS = 80
"""Of each result."""

LARGEST = 40.0
"""Error in px that counts most in a sparsification curve."""

LEARNING_RATE, WEIGHT_DECAY, BATCH = 3e-3, 0.05, 4096


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    steps : int
    largest : float
        Error in px above which it only counts that it is large.
    tolerances : tuple of float
        In px at 256-px scale: probabilities are taught to be right there, where one stands more
        often the more so.
    """

    steps: int
    largest: float
    tolerances: tuple[float, ...]


OF_WHOLE = Recipe(600, 150.0, (2.0, 3.0, 5.0))
OF_PIXELS = Recipe(1200, 40.0, (1.5, 2.0, 2.0, 2.0, 2.7))
"""These, the sizes of the networks and `error_model.LIMIT` are chosen with pairs, and with whole
modalities, left out in turn."""

TEXTURE = 7
"""Which of the features of a pixel is the logarithm of its texture."""

RESULTS = Path(__file__).parent / "results" / "calibration.md"
Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """What was measured of one transform of one pair, some of its pixels, and the truth."""

    protocol: str
    name: str
    group: str
    engine: str
    whole: Rows  # whole_features
    mean: float  # px at 256-px scale
    pixels: Rows  # (9, n), pixel_features
    error: Rows
    error_before: Rows
    displacement: Rows


def cases(records: Sequence[Any], protocol: str) -> Iterator[Case]:
    """Read pairs under a protocol of the benchmark, or one of those that are ours here."""
    if protocol[0] not in "XMQP":
        yield from runner.read_cases(records, Protocol.parse(protocol))
        return
    usual = list(runner.read_cases(records, Protocol.parse("R" + protocol[1:])))
    for number, case in enumerate(usual):
        if protocol[0] == "X":
            same = [other for other in usual if other.group == case.group and other is not case]
            stranger = (same or usual)[number * 7 % len(same or usual)]
            nowhere = np.full_like(case.positions, 1e4)
            everywhere = np.ones_like(case.mask)
            yield replace(case, moving=stranger.moving, positions=nowhere, mask=everywhere)
            continue
        if protocol[0] == "P":
            part = part_of(case, number)
            if min(part.fixed.std(), part.moving.std()) > FLAT:
                yield part
            continue
        positions, moving = case.positions, case.moving
        if protocol[0] == "M":
            moving = moving[:, ::-1]
            flipped = moving.shape[1] - 1 - positions[..., 1]
            positions = np.stack([positions[..., 0], flipped], axis=-1)
        for _ in range(1 + number % 3 if protocol[0] == "Q" else 0):
            positions = np.stack(
                [moving.shape[1] - 1 - positions[..., 1], positions[..., 0]], axis=-1
            )
            moving = np.rot90(moving)
        yield replace(case, moving=np.ascontiguousarray(moving), positions=positions)


def part_of(case: Case, number: int) -> Case:
    """Leave a part of the moving image only, or of the fixed one."""
    of_moving = number // len(PARTS) % 2 == 0
    whole = case.moving if of_moving else case.fixed
    size = np.array([round(side * PARTS[number % len(PARTS)] ** 0.5) for side in whole.shape[:2]])
    first = np.random.default_rng(number).integers(0, np.array(whole.shape[:2]) - size + 1)
    window = tuple(slice(int(a), int(a + n)) for a, n in zip(first, size, strict=True))
    if of_moving:
        positions = case.positions - first
        inside = ((positions >= 0) & (positions <= size - 1)).all(axis=-1)
        return replace(
            case, moving=case.moving[window], positions=positions, mask=case.mask & inside
        )
    return replace(
        case,
        fixed=case.fixed[window],
        positions=case.positions[window],
        mask=case.mask[window],
        scale=np.full(2, 256 / size.max()),
    )


def errors(case: Case, pair: Pair, transform: Transform) -> Rows:
    """Return the error of each pixel, (H, W), px at 256-px scale; NaN where there is no truth."""
    grid = np.stack(np.meshgrid(*map(np.arange, case.fixed.shape[:2]), indexing="ij"), axis=-1)
    away = (grid_to_image(pair, transform).map(grid) - case.positions) * case.scale
    length = np.nan_to_num(np.linalg.norm(away, axis=-1), nan=200.0)
    return np.where(case.mask, np.minimum(length, 200.0), np.nan)


def samples_of(case: Case, protocol: str, engines: dict[str, Any], elastic: Any) -> list[Sample]:
    """Register one pair with every engine, and measure the answers and the pair as it came."""
    images = check_image(case.fixed, "fixed"), check_image(case.moving, "moving")
    spacing = (1.0, 1.0) if protocol[0] == "P" else None  # else frames are scaled to each other
    pair = prepare_pair(*images, moving_spacing=spacing)
    found: dict[str, Transform] = {NOTHING: MatrixTransform.identity()}
    for name, model in engines.items():
        answer = find_candidate(
            model,
            pair,
            pair,
            Run(),
            refine=True,
            elastic=elastic,
            bend=model.info.needs_weights,
        )
        found[name] = answer.transform
    before = errors(case, pair, found[NOTHING])
    return [
        _sample(case, protocol, name, pair, transform, before, elastic)
        for name, transform in found.items()
    ]


def _sample(
    case: Case,
    protocol: str,
    name: str,
    pair: Pair,
    transform: Transform,
    before: Rows,
    elastic: Any,
) -> Sample:
    with torch.inference_mode():
        seen = measure(pair, transform, Run(), elastic)
        features = error_model.pixel_features(seen)
    error = errors(case, pair, transform)
    both = torch.from_numpy(np.stack([error, before]))[None]
    off, off_before = F.interpolate(both, size=seen.mask.shape, mode="nearest-exact")[0].numpy()
    known = np.argwhere(seen.mask.cpu().numpy() & ~np.isnan(off))
    rows, cols = np.random.default_rng(len(known)).permutation(known)[:PIXELS].T
    return Sample(
        protocol,
        case.name,
        case.group,
        name,
        error_model.whole_features(seen),
        float(np.nanmean(error)) if np.isfinite(error).any() else np.nan,
        features[:, rows, cols],
        off[rows, cols],
        off_before[rows, cols],
        seen.displacement.double().cpu().numpy()[rows, cols],
    )


def collect(split: str, folder: Path) -> list[Sample]:
    """Measure all pairs of a split, or read what was measured before."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    records = read_records(
        find_data(None), ["train" if split == "aside" else split], commercial_only=split == "aside"
    )
    if split == "aside":
        records = set_aside(records)[1]
    engines = {name: load_model(name) for name in ENGINES}
    elastic, found = load_elastic(), []
    for protocol, number in PLANS[split].items():
        for case in cases(runner.evenly(records, number), protocol):
            file = folder / f"{protocol}-{case.group}-{case.name}.pkl".replace("/", "_")
            if not file.is_file():
                file.write_bytes(pickle.dumps(samples_of(case, protocol, engines, elastic)))
            found += pickle.loads(file.read_bytes())
    return [sample for sample in found if len(sample.error) > 20]


def train(
    network: error_model.ErrorNetwork,
    features: Rows,
    error: Rows,
    weight: Rows,
    recipe: Recipe,
) -> None:
    """Train the members of a network on (rows, n) features.

    By likelihood, errors above the largest censored, and by the probabilities at some tolerances.
    """
    measured = torch.from_numpy(features).float()
    network.centre.copy_(measured.mean(0))
    network.deviation.copy_(measured.std(0) + 1e-3)
    known = network.standardised(measured)
    target = torch.from_numpy(np.log(np.clip(error, 0.05, 1.5 * recipe.largest))).float()
    share = torch.from_numpy(weight / weight.mean()).float()
    for seed, member in enumerate(network.members):
        generator = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.AdamW(
            member.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
        for _ in range(recipe.steps):
            chosen = torch.randint(len(known), (BATCH,), generator=generator)
            answers = error_model.bounded(member(known[chosen]))
            loss = _surprise(answers, target[chosen], recipe)
            optimiser.zero_grad()
            (loss * share[chosen]).mean().backward()
            optimiser.step()
            schedule.step()


def _surprise(answers: Tensor, target: Tensor, recipe: Recipe) -> Tensor:
    """Return what each logarithm of an error costs under the distribution given for it."""
    median, spread = answers[:, 0], answers[:, 1].exp()
    z = (target - median) / spread
    exact = z + 2 * F.softplus(-z) + spread.log()
    largest = float(np.log(recipe.largest))
    cost = torch.where(target > largest, F.softplus((largest - median) / spread), exact)
    for tolerance in map(float, np.log(recipe.tolerances)):
        odds, above = (median - tolerance) / spread, (target > tolerance).float()
        cost = cost + F.binary_cross_entropy_with_logits(odds, above, reduction="none")
    return cost


def fit_model(samples: Sequence[Sample]) -> error_model.ErrorModel:
    """Fit everything."""
    torch.manual_seed(0)
    model = error_model.ErrorModel()
    known = [sample for sample in samples if np.isfinite(sample.mean)]
    train(
        model.whole,
        np.stack([sample.whole for sample in known]),
        np.array([sample.mean for sample in known]),
        np.ones(len(known)),
        OF_WHOLE,
    )
    train(
        model.pixel,
        np.vstack([pixel_rows(sample) for sample in samples]),
        np.concatenate([sample.error for sample in samples]),
        np.concatenate([np.full(len(s.error), 1 / len(s.error)) for s in samples]),
        OF_PIXELS,
    )
    model.eval().requires_grad_(requires_grad=False)
    _fit_moved(model, samples)
    return model


def pixel_rows(sample: Sample) -> Rows:
    """Return what the network of pixels is given of a sample, (n, 27)."""
    return np.hstack([sample.pixels.T, np.tile(sample.whole, (len(sample.error), 1))])


def said_of(model: error_model.ErrorModel, samples: Sequence[Sample]) -> ErrorEstimate:
    """Return the estimates of all pixels of samples, one after the other."""
    parts = [model.of_pixels(sample.pixels, sample.whole) for sample in samples]
    median, spread = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("median", "spread")
    )
    return ErrorEstimate(median, spread)


def parts_of(samples: Sequence[Sample], parts: int = 5) -> NDArray[np.int_]:
    """Deal pairs to parts at random: the part of each sample."""
    names = sorted({sample.name for sample in samples})
    part = dict(zip(names, np.random.default_rng(0).permutation(len(names)) % parts, strict=True))
    return np.array([part[sample.name] for sample in samples])


def _fit_moved(model: error_model.ErrorModel, samples: Sequence[Sample]) -> None:
    moved = [sample for sample in samples if sample.displacement.any()]
    said = said_of(model, moved)
    median, spread = (torch.from_numpy(part).double().log() for part in (said.median, said.spread))
    shift = torch.from_numpy(np.concatenate([sample.displacement for sample in moved]))
    truth = torch.from_numpy(np.concatenate([sample.error_before for sample in moved]))
    ratio = 0.5 * torch.log1p((shift / median.exp()) ** 2)
    above = (truth > TOLERANCE).double()
    factors = torch.tensor([-0.5, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([factors], lr=0.02)
    for _ in range(300):
        b, c = factors
        narrowed = (spread + (b * ratio + c * ratio**2).clamp(max=0)).exp()
        odds = (median + ratio - np.log(TOLERANCE)) / narrowed
        loss = F.binary_cross_entropy_with_logits(odds, above)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.moved.copy_(factors.detach())


def auroc(score: Rows, wrong: NDArray[np.bool_]) -> float:
    """Return the area under the curve; NaN if all are of one kind."""
    positive = int(wrong.sum())
    if not 0 < positive < len(wrong):
        return float("nan")
    ranks = rankdata(score)[wrong].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * (len(wrong) - positive)))


def calibration_error(score: Rows, wrong: NDArray[np.bool_], bins: int = 15) -> float:
    """Return the expected calibration error over bins of equal mass."""
    parts = np.array_split(np.argsort(score), bins)
    gaps = [abs(score[p].mean() - wrong[p].mean()) * len(p) for p in parts if len(p)]
    return float(sum(gaps) / len(score))


def average_precision(score: Rows, wrong: NDArray[np.bool_]) -> float:
    """Return the area under the curve of precision and recall; NaN if nothing is wrong."""
    hits = wrong[np.argsort(-score, kind="stable")]
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def sparsification(score: Rows, error: Rows) -> float:
    """Return the area between the sparsification curve and the best possible one (AUSE).

    The curve is the mean error of what is left when the pixels of the highest score are taken out,
    as a share of the mean of all; errors count as `LARGEST` at most.
    """
    error = np.minimum(error, LARGEST)

    def left(order: NDArray[np.int_]) -> Rows:
        return np.asarray(np.cumsum(error[order]) / np.arange(1, len(order) + 1))

    gap = left(np.argsort(score, kind="stable")) - left(np.argsort(error, kind="stable"))
    return float(gap.mean() / error.mean())


def plot(model: error_model.ErrorModel, samples: Sequence[Sample], path: Path) -> None:
    """Draw how often pixels are off that are called off with a probability."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", label="perfect")
    said = said_of(model, samples)
    was = model.before(said, np.concatenate([s.displacement for s in samples]))
    truths = [np.concatenate([getattr(s, n) for s in samples]) for n in ("error", "error_before")]
    for name, estimate, truth in zip(("result", "input"), (said, was), truths, strict=True):
        chance = estimate.exceeds()
        parts = np.array_split(np.argsort(chance), 15)
        axes.plot(
            [chance[part].mean() for part in parts],
            [(truth[part] > TOLERANCE).mean() for part in parts],
            marker="o",
            label=name,
        )
    axes.set(xlabel="probability given", ylabel="share that is off by more than 2 px")
    axes.legend()
    figure.savefig(path, dpi=110)


def score(model: error_model.ErrorModel, samples: Sequence[Sample]) -> list[str]:
    """Return a table: all results, each protocol, each modality."""
    groups = {"all": samples}
    for kind in ("protocol", "group", "engine"):
        for name in sorted({getattr(sample, kind) for sample in samples}):
            groups[name] = [sample for sample in samples if getattr(sample, kind) == name]
    lines = [
        "| | results | more than 2 px off | AUROC | AUPRC | ECE | Brier | AUSE | AUSE of texture "
        "| under the 90 % quantile | before: AUROC | ECE | mean above 5 px: AUROC "
        "| mean under its 90 % quantile |",
        "| --- " * 14 + "|",
    ]
    for name, members in groups.items():
        said = said_of(model, members)
        truth = np.concatenate([s.error for s in members])
        chance, wrong = said.exceeds().astype(float), truth > TOLERANCE
        shift = np.concatenate([s.displacement for s in members])
        was = model.before(said, shift).exceeds().astype(float)
        was_wrong = np.concatenate([s.error_before for s in members]) > TOLERANCE
        whole = model.of_whole(np.stack([s.whole for s in members]))
        mean = np.array([s.mean for s in members])
        flat = -np.concatenate([s.pixels[TEXTURE] for s in members])
        lines.append(
            f"| {name} | {len(members)} | {wrong.mean():.0%} | {auroc(chance, wrong):.3f} "
            f"| {average_precision(chance, wrong):.3f} | {calibration_error(chance, wrong):.3f} "
            f"| {np.square(chance - wrong).mean():.3f} | {sparsification(chance, truth):.3f} "
            f"| {sparsification(flat, truth):.3f} | {(truth <= said.quantile(0.9)).mean():.0%} "
            f"| {auroc(was, was_wrong):.3f} | {calibration_error(was, was_wrong):.3f} "
            f"| {auroc(whole.exceeds(WRONG).astype(float), mean > WRONG):.3f} "
            f"| {(mean <= whole.quantile(0.9)).mean():.0%} |"
        )
    return lines


def operating_points(model: error_model.ErrorModel, samples: Sequence[Sample]) -> list[str]:
    """Return how many hopeless and right answers pass each threshold of the chance of failure.

    With more than `MAX_LIKELY_WRONG` of their pixels more likely wrong than right they do not pass.
    """
    answers = [s for s in samples if s.engine != NOTHING and np.isfinite(s.mean)]
    chance = model.of_whole(np.stack([s.whole for s in answers])).exceeds(WRONG)
    likely = [model.of_pixels(s.pixels, s.whole).exceeds() > 0.5 for s in answers]
    believable = np.array([pixels.mean() <= MAX_LIKELY_WRONG for pixels in likely])
    hopeless = np.array([s.protocol[0] in HOPELESS for s in answers])
    right = np.array([s.mean < 3 for s in answers]) & ~hopeless
    lines = [
        "| chance of more than 5 px below | hopeless | right (under 3 px) |",
        "| --- " * 3 + "|",
    ]
    for limit in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5):
        passing = (chance < limit) & believable
        passed = [
            f"{passing[kind].mean():.1%}" if kind.any() else "-" for kind in (hopeless, right)
        ]
        lines.append(f"| {limit} | {passed[0]} | {passed[1]} |")
    return lines


def cross_validated(samples: Sequence[Sample], parts: int = 5) -> list[str]:
    """Fit on four fifths of the pairs and score the last one, in turn; return the mean figures."""
    part, lines = parts_of(samples, parts), []
    for number in range(parts):
        model = fit_model([s for s, p in zip(samples, part, strict=True) if p != number])
        held_out = [s for s, p in zip(samples, part, strict=True) if p == number]
        lines += [f"Part {number + 1}", "", *score(model, held_out)[:3], ""]
        lines += [*operating_points(model, held_out), ""]
    return lines


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", choices=list(PLANS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fit", action="store_true", help="write the shipped weights")
    parser.add_argument("--cross-validate", action="store_true")
    args = parser.parse_args()
    samples = collect(args.split, args.folder)
    if args.cross_validate:
        print("\n".join(cross_validated(samples)))
    if args.fit:
        model = fit_model(samples)
        settings = asdict(error_model.ErrorModelConfig())
        extra = {"results": len(samples), "versions": versions(), "licence": "BSD-3-Clause"}
        folder = PACKAGED / error_model.NAME
        save_weights(folder, error_model.NAME, model.state_dict(), settings, extra)
    else:
        model = error_model.load_error_model()
    text = "\n".join([*score(model, samples), "", *operating_points(model, samples), ""])
    print(text)
    if args.split == "val":
        plot(model, samples, RESULTS.with_suffix(".png"))
        command = "python -m benchmarks.calibration val FOLDER"
        RESULTS.write_text(
            "# What results say of their own error, against the truth\n\n"
            f"`{command}`; pairs of `val`, errors in px at 256-px scale.\n\n{text}\n"
            "![Reliability](calibration.png)\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
