"""Train variants of RFNet for an equal small budget and compare them on `val`.

TransNet and the fusion are trained once, then AffineNet per variant, then the deformation block
of the complete variant with and without the true field. Every variant sees the same batches for
the same number of steps: short runs tell what learns fast, not what is best in the end. Writes
``results/rfnet-ablation.md``; what is finished is kept in FOLDER and not trained again.

Usage: python benchmarks/rfnet_ablation.py PACK FOLDER [--early 150] [--steps 250] [--size 112]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_mmreg.models.rfnet.affine import QUARTER
from napari_mmreg.models.rfnet.network import composed
from napari_mmreg.nn.global_affine import affine_flow
from napari_mmreg.nn.sampling import upsample_flow, warp
from napari_mmreg.training.batches import BatchGenerator
from napari_mmreg.training.command import predictor
from napari_mmreg.training.losses import masked_mean
from napari_mmreg.training.pack import PackedPair, load_pairs
from napari_mmreg.training.recipe import get_recipe
from napari_mmreg.training.rfnet_losses import gradients
from napari_mmreg.training.starts import jittered_truth
from napari_mmreg.training.trainer import Trainer, TrainerConfig
from napari_mmreg.training.validation import ValidationConfig, Validator

COARSE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "complete: correlation head, NCC and supervised": ({}, {}),
    "regression head (the paper's), NCC and supervised": ({"head": "regression"}, {}),
    "correlation head, NCC alone": ({}, {"supervised": False}),
    "regression head, NCC alone (the paper's)": ({"head": "regression"}, {"supervised": False}),
    "no translation": ({"translate": False}, {}),
    "no deformable sampling": ({"deformable": False}, {}),
    "L1 instead of NCC": ({}, {"similarity": "l1"}),
    "translated images alone (the paper's)": ({"structure": False}, {}),
}
"""Changes of the constructor and of the recipe."""

FINE: dict[str, dict[str, Any]] = {
    "unsupervised (the paper's)": {"supervised_field": False},
    "with the true field": {},
}
PROTOCOLS = ("R192", "N192")
TABLE = Path(__file__).parent / "results" / "rfnet-ablation.md"


def train(
    constructor: dict[str, Any],
    changes: dict[str, Any],
    start: nn.Module | None,
    folder: Path,
    args: argparse.Namespace,
    steps: int,
) -> Trainer:
    """Train by the changed recipe, from another network's weights where they fit."""
    recipe = replace(get_recipe("rfnet"), **changes)  # type: ignore[type-var]
    batches = replace(recipe.batches, sizes=((args.size, args.size),))
    pairs = [p for p in load_pairs(args.pack) if p.split == "train"]
    trainer = Trainer(
        recipe,
        {**recipe.constructor, **constructor},
        BatchGenerator(pairs, batches, seed=0),
        TrainerConfig(out=folder, steps=steps, checkpoint_minutes=1e9),
    )
    if start is not None:
        for model in (trainer.model, trainer.average):
            own = model.state_dict()
            given = start.state_dict()
            model.load_state_dict(
                {k: given[k] if k in given and given[k].shape == v.shape else v
                 for k, v in own.items()}
            )  # fmt: skip
    if trainer.run().ending == "stopped":
        raise SystemExit(1)
    trainer.average.eval()
    return trainer


def early(args: argparse.Namespace) -> nn.Module:
    """Return a network whose TransNet and fusion are trained."""
    path = args.folder / "early.pt"
    model = get_recipe("rfnet").build_model(get_recipe("rfnet").constructor)
    if not path.is_file():
        trainer = train({}, {"coarse_from": 1.1}, None, args.folder / "early", args, args.early)
        torch.save(trainer.average.state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def score_coarse(
    trainer: Trainer, held_out: list[PackedPair], args: argparse.Namespace
) -> dict[str, float]:
    """Return the registration errors of a variant."""
    config = ValidationConfig(protocols=PROTOCOLS, per_modality=args.per_modality)
    with torch.inference_mode():
        scores = Validator(held_out, config).run(predictor(trainer.recipe, trainer.average))
    found = {"seconds": trainer.seconds}
    for protocol in PROTOCOLS:
        errors = np.array([s.re for s in scores if s.protocol == protocol])
        found[protocol] = float(np.median(errors))
        found[f"{protocol} under 5 px"] = float((errors < 5).mean())
    return found


def score_fine(model: Any, args: argparse.Namespace) -> dict[str, float]:
    """Error in px before and after the fine field on held-out batches near the truth.

    Also the sparsity of the fused image's gradients, relative to fusing without the fine field.
    """
    recipe = get_recipe("rfnet")
    held_out = [p for p in load_pairs(args.pack) if p.split == "val"]
    found: dict[str, float] = {}
    for name, tiers, jitter in (
        ("elastic", {"hard": 1.0}, 3.0),
        ("aligned", {"identity": 1.0}, 0.0),
    ):
        config = replace(
            recipe.batches,
            sizes=((args.size, args.size),), mono_share=0.0, swap_share=0.0,
            tiers=tiers, elastic_share=1.0, wide_share=0.0,
        )  # fmt: skip
        batches = BatchGenerator(held_out, config, seed=1)
        numbers = [_measure(model, next(batches), jitter, i) for i in range(args.batches)]
        for key in numbers[0]:
            found[f"{name} {key}"] = float(np.mean([n[key] for n in numbers]))
    return found


@torch.inference_mode()
def _measure(model: Any, batch: Any, jitter: float, seed: int) -> dict[str, float]:
    affine = jittered_truth(batch, jitter, torch.Generator().manual_seed(seed))
    masks = (batch.fixed_mask, batch.moving_mask)
    _, coarse = model.register_coarsely(batch.fixed, batch.moving, masks, affine)
    fine = model.register_finely(batch.fixed, batch.moving, masks, coarse, affine)
    size = batch.fixed.shape[-2:]
    field = upsample_flow(fine.field / QUARTER, (size[0], size[1]), QUARTER)

    def error(flow: Tensor) -> float:
        return float(masked_mean((flow - batch.flow).square().sum(1, keepdim=True).sqrt(),
                                 batch.valid))  # fmt: skip

    before = affine_flow(affine, *size, 1)
    registered = warp(batch.moving, before)
    fused = [model.f2m.fuse(batch.fixed, registered, f) for f in (torch.zeros_like(field), field)]
    dense = [float(masked_mean(gradients(f).abs(), batch.valid)) for f in fused]
    return {
        "before": error(before),
        "after": error(composed(affine, field)),
        "gradients": dense[1] / dense[0],
    }


def cached(path: Path, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return what was measured before, or measure it."""
    if not path.is_file():
        path.write_text(json.dumps(make()), encoding="utf-8")
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(
    coarse: dict[str, dict[str, float]],
    fine: dict[str, dict[str, float]],
    args: argparse.Namespace,
) -> None:
    """Write the results as Markdown."""
    lines = [
        f"# Variants of RFNet after {args.early} + {args.steps} steps of 4 pairs at "
        f"{args.size} px\n\n"
        f"TransNet was trained for {args.early} steps, the same for all; AffineNet for "
        f"{args.steps}. Bare network without its fine stage; RE in px at 256 scale, median and "
        f"share under 5 px over `val` pairs ({args.per_modality} a modality). Written by "
        "`benchmarks/rfnet_ablation.py`.\n\n"
        "| variant | min | R192 median | < 5 px | N192 median | < 5 px |\n"
        "|---|---|---|---|---|---|\n"
    ]
    for name, row in coarse.items():
        cells = "".join(f"| {row[p]:.2f} | {row[f'{p} under 5 px']:.0%} " for p in PROTOCOLS)
        lines.append(f"| {name} | {row['seconds'] / 60:.1f} {cells}|\n")
    if fine:
        lines.append(
            f"\n## The fine stage, after {args.steps} more steps\n\n"
            f"Mean error in px at {args.size} px over {4 * args.batches} held-out pairs, started "
            "from the true global step with its corners moved by up to 3 px (elastic pairs) and "
            "from the truth (aligned pairs); density of the fused image's gradients, against "
            "fusing without the fine field.\n\n"
            "| loss | elastic before | after | gradients | aligned, after | gradients |\n"
            "|---|---|---|---|---|---|\n"
        )
        for name, row in fine.items():
            lines.append(
                f"| {name} | {row['elastic before']:.2f} | {row['elastic after']:.2f} "
                f"| {row['elastic gradients']:.3f} | {row['aligned after']:.2f} "
                f"| {row['aligned gradients']:.3f} |\n"
            )
    TABLE.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Train what is missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--early", type=int, default=150)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--per-modality", type=int, default=6)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--variants", type=int, nargs="*", help="numbers of the coarse variants")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    held_out = [p for p in load_pairs(args.pack) if p.split == "val"]
    start = early(args)
    coarse: dict[str, dict[str, float]] = {}
    fine: dict[str, dict[str, float]] = {}
    for number, (name, (constructor, changes)) in enumerate(COARSE.items()):
        if args.variants and number not in args.variants:
            continue

        def run(
            number: int = number,
            constructor: dict[str, Any] = constructor,
            changes: dict[str, Any] = changes,
        ) -> dict[str, float]:
            changes = {**changes, "coarse_from": 0.0, "fine_from": 1.1}
            folder = args.folder / f"{number:02d}"
            trainer = train(constructor, changes, start, folder, args, args.steps)
            torch.save(trainer.average.state_dict(), args.folder / f"{number:02d}.pt")
            return score_coarse(trainer, held_out, args)

        coarse[name] = cached(args.folder / f"{number:02d}.json", run)
        write(coarse, fine, args)
    start.load_state_dict(torch.load(args.folder / "00.pt", weights_only=True))
    for number, (name, changes) in enumerate(FINE.items()):

        def finish(number: int = number, changes: dict[str, Any] = changes) -> dict[str, float]:
            changes = {**changes, "coarse_from": 0.0, "fine_from": 0.0}
            folder = args.folder / f"fine{number}"
            trainer = train({}, changes, start, folder, args, args.steps)
            torch.save(trainer.average.state_dict(), args.folder / f"fine{number}.pt")
            return score_fine(trainer.average, args)

        fine[name] = cached(args.folder / f"fine{number}.json", finish)
        write(coarse, fine, args)


if __name__ == "__main__":
    main()
