"""Train variants of HRNet for an equal small budget and compare them on `val`.

Every variant sees the same batches for the same number of steps. Short runs tell what learns
fast, not what is best in the end. Writes ``results/hrnet-ablation.md``; finished variants are
kept in FOLDER and not trained again.

Usage: python benchmarks/hrnet_ablation.py PACK FOLDER [--steps 250] [--size 128]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_mmreg.training.batches import BatchGenerator
from napari_mmreg.training.pack import load_pairs
from napari_mmreg.training.recipe import get_recipe
from napari_mmreg.training.tools import predictor
from napari_mmreg.training.trainer import Trainer, TrainerConfig
from napari_mmreg.training.validation import ValidationConfig, Validator

VARIANTS: dict[str, dict[str, Any]] = {
    "complete": {},
    "no batch normalisation per modality (MSBN)": {"modality_norm": False},
    "no CDAP": {"disentangle": False, "gate": False, "project": False},
    "no gate": {"gate": False},
    "no projection": {"project": False},
    "global step from pooled features (the paper's)": {"rigid": "pooled"},
    "global step only": {"nonrigid": False},
    "increments only": {"rigid": "none"},
    "increments added (the paper's)": {"accumulate": "add"},
    "selective scan (the paper's)": {"core": "selective_scan"},
}
PROTOCOLS = ("R192", "N192")
TABLE = Path(__file__).parent / "results" / "hrnet-ablation.md"


def train(change: dict[str, Any], folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """Train and score one variant."""
    recipe = get_recipe("hrnet")
    batches = replace(recipe.batches, sizes=((args.size, args.size),))
    pairs = load_pairs(args.pack)
    trainer = Trainer(
        recipe,
        {**recipe.constructor, **change},
        BatchGenerator([p for p in pairs if p.split == "train"], batches, seed=0),
        TrainerConfig(out=folder, steps=args.steps, checkpoint_minutes=1e9),
    )
    trainer.run()
    model = trainer.average.eval()
    held_out = [p for p in pairs if p.split == "val"]
    config = ValidationConfig(protocols=PROTOCOLS, per_modality=args.per_modality)
    with torch.inference_mode():
        scores = Validator(held_out, config, "cpu").run(predictor(recipe, model))
    found = {"parameters": sum(p.numel() for p in model.parameters()), "seconds": trainer.seconds}
    for protocol in PROTOCOLS:
        errors = np.array([s.re for s in scores if s.protocol == protocol])
        found[protocol] = float(np.median(errors))
        found[f"{protocol} under 5 px"] = float((errors < 5).mean())
    return found


def table(rows: dict[str, dict[str, float]], args: argparse.Namespace) -> str:
    """Return the results as Markdown."""
    head = (
        f"# Variants of HRNet after {args.steps} steps of 4 pairs at {args.size} px\n\n"
        "Bare network; RE in px at 256 scale, median and share under 5 px over "
        f"`val` pairs ({args.per_modality} a modality). {len(rows)} of {len(VARIANTS)} variants "
        "are trained. Written by `benchmarks/hrnet_ablation.py`.\n\n"
        "| variant | parameters | CPU min | R192 median | < 5 px | N192 median | < 5 px |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {name} | {row['parameters'] / 1e6:.2f} M | {row['seconds'] / 60:.1f} "
        + "".join(f"| {row[p]:.2f} | {row[f'{p} under 5 px']:.0%} " for p in PROTOCOLS)
        + "|\n"
        for name, row in rows.items()
    ]
    return head + "".join(lines)


def main() -> None:
    """Train what is missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--per-modality", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    for number, (name, change) in enumerate(VARIANTS.items()):
        result = args.folder / f"{number:02d}.json"
        if not result.is_file():
            found = train(change, args.folder / f"{number:02d}", args)
            result.write_text(json.dumps(found), encoding="utf-8")
        rows[name] = json.loads(result.read_text(encoding="utf-8"))
        TABLE.write_text(table(rows, args), encoding="utf-8")


if __name__ == "__main__":
    main()
