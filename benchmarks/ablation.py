"""Train variants of a model for an equal small budget and compare them on `val`.

Every variant sees the same batches for the same number of steps. Short runs tell what learns
fast, not what is best in the end. Writes ``results/STUDY-ablation.md``; finished variants are
kept in FOLDER and not trained again.

Usage: python benchmarks/ablation.py STUDY PACK FOLDER [--steps 250] [--size 128]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_mmreg.models.fusionregister.prior import fused_prior
from napari_mmreg.models.weights import weights_folder
from napari_mmreg.nn.mixing import fit_mixture, mix
from napari_mmreg.nn.sampling import warp
from napari_mmreg.training.backbones import frozen_backbone
from napari_mmreg.training.batches import BatchGenerator
from napari_mmreg.training.command import predictor
from napari_mmreg.training.cross_rendering import CrossRenderer
from napari_mmreg.training.fusionregister_losses import aligned_fusion, edge_loss
from napari_mmreg.training.losses import masked_mean, masked_ncc
from napari_mmreg.training.pack import PackedPair, load_pairs
from napari_mmreg.training.recipe import get_recipe
from napari_mmreg.training.trainer import Trainer, TrainerConfig
from napari_mmreg.training.validation import ValidationConfig, Validator

RESULTS = Path(__file__).parent / "results"
PROTOCOLS = ("R192", "N192")


@dataclass(frozen=True)
class Variant:
    """What is changed: the constructor, the recipe, the share of cross-rendered samples."""

    constructor: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    cross: float = 0.0


Measure = Callable[[nn.Module, list[PackedPair], argparse.Namespace], dict[str, float]]


@dataclass(frozen=True)
class Study:
    """A recipe, its variants, and what is measured besides RE.

    `learned` is the part of the network that begins with the shipped weights, as far as it has
    them: what is compared does not show before that part works.
    """

    recipe: str
    variants: dict[str, Variant]
    measure: Measure | None = None
    remark: str = ""
    learned: str = ""


@torch.inference_mode()
def likeness(
    network: Any, held_out: list[PackedPair], args: argparse.Namespace
) -> dict[str, float]:
    """NCC with the fixed image after the true flow: of the moving image, and of its renderings."""
    config = replace(get_recipe("sasnet").batches, sizes=((args.size, args.size),), mono_share=0.0)
    batches = BatchGenerator(held_out, config, seed=1)
    found: dict[str, list[float]] = {"NCC as it is": [], "by the code": [], "mixed": []}
    for batch in (next(batches) for _ in range(12)):
        output = network(batch.fixed, batch.moving, batch.fixed_mask, batch.moving_mask)
        painting = network.rerender(output, batch.fixed, batch.fixed_mask)
        valid = batch.valid.float()
        every = warp(torch.cat([painting.channels, batch.moving], 1), batch.flow)
        pictures = (
            every[:, -1:],
            warp(painting.picture, batch.flow),
            mix(every, *fit_mixture(every, batch.fixed, valid)),
        )
        for name, picture in zip(found, pictures, strict=True):
            found[name] += masked_ncc(picture, batch.fixed, valid).tolist()
    return {name: float(np.mean(values)) for name, values in found.items()}


@torch.inference_mode()
def correction(
    network: Any, held_out: list[PackedPair], args: argparse.Namespace
) -> dict[str, float]:
    """How far fused images and the displacement are off, corrected and as a part of before."""
    config = replace(
        get_recipe("fusionregister").batches,
        sizes=((args.size, args.size),), mono_share=0.0, tiers={"mild": 1.0}, wide_share=0.0,
    )  # fmt: skip
    batches = BatchGenerator(held_out, config, seed=1)
    fuse = frozen_backbone("laplacian")
    found: dict[str, list[float]] = {"picture left": [], "edges left": [], "displacement left": []}
    found["spatial frequency"] = []
    for batch in (next(batches) for _ in range(12)):
        masks = (batch.fixed_mask, batch.moving_mask)
        fused = fused_prior(fuse, batch.fixed, batch.moving, *masks)
        target = aligned_fusion(fuse, batch)
        answer = network(batch.fixed, batch.moving, fused, *masks)
        for name, loss in (("picture left", picture_error), ("edges left", edge_loss)):
            parts = [float(loss(image, target, batch.valid)) for image in (answer.fused, fused)]
            found[name].append(parts[0] / parts[1])
        sharp = [spatial_frequency(image, batch.valid) for image in (answer.fused, target)]
        found["spatial frequency"].append(sharp[0] / sharp[1])
        left = (answer.flow - batch.flow, batch.flow)
        lengths = [float(masked_mean(f.norm(dim=1, keepdim=True), batch.valid)) for f in left]
        found["displacement left"].append(lengths[0] / lengths[1])
    return {name: float(np.mean(values)) for name, values in found.items()}


def picture_error(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference."""
    return masked_mean((image - target).abs(), mask)


def spatial_frequency(image: Tensor, mask: Tensor) -> float:
    """Root of the mean squared differences along both axes (SF of fusion), where valid."""
    total = 0.0
    for axis in (-1, -2):
        count = mask.shape[axis] - 1
        both = mask.narrow(axis, 1, count) & mask.narrow(axis, 0, count)
        total += float(masked_mean(image.diff(dim=axis).square(), both))
    return total**0.5


STUDIES = {
    "hrnet": Study(
        "hrnet",
        {
            "complete": Variant(),
            "no batch normalisation per modality (MSBN)": Variant({"modality_norm": False}),
            "no CDAP": Variant({"disentangle": False, "gate": False, "project": False}),
            "no gate": Variant({"gate": False}),
            "no projection": Variant({"project": False}),
            "global step from pooled features (the paper's)": Variant({"rigid": "pooled"}),
            "global step only": Variant({"nonrigid": False}),
            "increments only": Variant({"rigid": "none"}),
            "increments added (the paper's)": Variant({"accumulate": "add"}),
            "selective scan (the paper's)": Variant({"core": "selective_scan"}),
        },
    ),
    "sasnet": Study(
        "sasnet",
        {
            "complete": Variant(),
            "no alignment": Variant(recipe={"alignment": False}),
            "no scene consistency": Variant(recipe={"scene": False}),
            "no cycle": Variant(recipe={"cycle": False}),
        },
        likeness,
        "NCC compares pictures inside the overlap after the true flow, over 48 held-out pairs; "
        "it is no measure of registration.",
    ),
    "fusionregister": Study(
        "fusionregister",
        {
            "complete": Variant(),
            "no modality retention block": Variant({"retention": False}),
            "warped with the field alone": Variant({"warping": "one"}),
            "the paper's blend of both directions": Variant({"warping": "both"}),
            "two scales": Variant({"strides": (4, 2), "radii": (3, 2)}),
            "the paper's losses alone": Variant(recipe={"field_free": True}),
        },
        correction,
        "The localisation begins with the shipped weights (with two scales, what fits of them). "
        "What is left, as a part of before, over 48 held-out mildly misaligned pairs fused by the "
        "Laplacian pyramid: mean absolute difference from the fusion of the aligned pair, the same "
        "of the differences of Gaussians, length of the displacement; spatial frequency as a part "
        "of the aligned fusion's. RE of these protocols is beyond what the model is made for.",
        learned="localisation.",
    ),
    "cross-rendering": Study(
        "hrnet",
        {
            "plain": Variant(),
            "30 % of the moving images in another sample's appearance": Variant(cross=0.3),
        },
        remark="Rendered by the shipped weights of SAS-Net.",
    ),
}


def train(study: Study, variant: Variant, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train and score one variant."""
    recipe = replace(get_recipe(study.recipe), **variant.recipe)  # type: ignore[type-var]
    batches = replace(recipe.batches, sizes=((args.size, args.size),))
    pairs = load_pairs(args.pack)
    change = None
    if variant.cross:
        change = CrossRenderer.load(weights_folder("sasnet"), variant.cross, "cpu")
    trainer = Trainer(
        recipe,
        {**recipe.constructor, **variant.constructor},
        BatchGenerator([p for p in pairs if p.split == "train"], batches, seed=0, change=change),
        TrainerConfig(out=folder, steps=args.steps, checkpoint_minutes=1e9),
    )
    if study.learned:
        begin(trainer, study)
    if trainer.run().ending == "stopped":
        raise SystemExit(1)
    model = trainer.average.eval()
    held_out = [p for p in pairs if p.split == "val"]
    config = ValidationConfig(protocols=PROTOCOLS, per_modality=args.per_modality)
    with torch.inference_mode():
        scores = Validator(held_out, config, "cpu").run(predictor(recipe, model))
    found = {
        "parameters": sum(p.numel() for p in model.parameters()) / 1e6,
        "CPU min": trainer.seconds / 60,
    }
    for protocol in PROTOCOLS:
        errors = np.array([s.re for s in scores if s.protocol == protocol])
        found[f"{protocol} median"] = float(np.median(errors))
        found[f"{protocol} < 5 px"] = float((errors < 5).mean())
    if study.measure:
        found |= study.measure(model, held_out, args)
    return found


def begin(trainer: Trainer, study: Study) -> None:
    """Give a part of the network the shipped weights."""
    shipped = load_file(weights_folder(study.recipe) / "model.safetensors")
    for network in (trainer.model, trainer.average):
        own = network.state_dict()
        known = {
            name: values
            for name, values in shipped.items()
            if name.startswith(study.learned) and name in own and own[name].shape == values.shape
        }
        network.load_state_dict(known, strict=False)


def table(study: Study, rows: dict[str, dict[str, float]], args: argparse.Namespace) -> str:
    """Return the results as Markdown."""
    names = list(next(iter(rows.values())))
    text = (
        f"# Variants of `{study.recipe}` after {args.steps} steps of 4 pairs at {args.size} px\n\n"
        "Bare network; parameters in millions, RE in px at 256 scale, median and share under "
        f"5 px over `val` pairs ({args.per_modality} a modality). {len(rows)} of "
        f"{len(study.variants)} variants are trained. {study.remark} Written by "
        "`benchmarks/ablation.py`.\n\n"
        f"| variant | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n"
    )
    for variant, row in rows.items():
        cells = (f"{v:.0%}" if "<" in name else f"{v:.2f}" for name, v in row.items())
        text += f"| {variant} | {' | '.join(cells)} |\n"
    return text


def main() -> None:
    """Train what is missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--per-modality", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    study, rows = STUDIES[args.study], {}
    for number, (name, variant) in enumerate(study.variants.items()):
        result = args.folder / f"{number:02d}.json"
        if not result.is_file():
            found = train(study, variant, args.folder / f"{number:02d}", args)
            result.write_text(json.dumps(found), encoding="utf-8")
        rows[name] = json.loads(result.read_text(encoding="utf-8"))
        path = RESULTS / f"{args.study}-ablation.md"
        path.write_text(table(study, rows, args), encoding="utf-8")


if __name__ == "__main__":
    main()
