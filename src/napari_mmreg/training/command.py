"""``mmreg train``: train a model on aligned pairs, on the CPU or a GPU.

Packs, contact sheets, validation and export: ``python -m napari_mmreg.training``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari_mmreg.errors import InputError
from napari_mmreg.training.set_aside import SHARE

if TYPE_CHECKING:
    import argparse

    from torch import Tensor, nn

    from napari_mmreg.training.recipe import FlowRecipe, Recipe
    from napari_mmreg.training.validation import ValidationConfig

_DATA_HELP = "a training pack (.npz), a folder with index.csv, or one with fixed/ and moving/"


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--data`` and ``--with-non-commercial``."""
    parser.add_argument("--data", help=f"{_DATA_HELP} (default: $MMREG_DATA)")
    parser.add_argument(
        "--with-non-commercial",
        action="store_true",
        help="also use sources whose terms forbid commercial use",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mmreg train``."""
    parser.add_argument("model", help="name of the recipe, such as hrnet")
    add_data_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--init", type=Path, metavar="WEIGHTS", help="begin with the weights in this folder"
    )
    parser.add_argument("--hours", type=float, help="stop after so many hours in all")
    parser.add_argument("--steps", type=int, help="stop after so many steps in all")
    parser.add_argument("--size", type=int, nargs="+", help="side of the square frames, in px")
    parser.add_argument("--batch", type=int, help="pairs per step")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set-aside",
        type=float,
        default=SHARE,
        metavar="SHARE",
        help="share of the training scenes kept unseen, to choose thresholds on (0.1)",
    )
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--rate", type=float, help="learning rate")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the model's constructor, such as width=24; may be repeated",
    )
    parser.add_argument(
        "--recipe",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a number of the recipe, such as jitter=6; may be repeated",
    )
    parser.add_argument("--checkpoint-minutes", type=float, default=10.0)
    parser.add_argument("--validate-minutes", type=float, default=20.0)
    parser.add_argument("--per-modality", type=int, default=6, help="validation pairs (6)")
    parser.add_argument(
        "--protocols", help="what is validated, comma-separated, such as S256,Z256 (all kinds)"
    )
    parser.add_argument("--no-amp", action="store_true", help="float32 on the GPU too")
    parser.add_argument(
        "--cross-render",
        type=Path,
        metavar="WEIGHTS",
        help="show some moving images in other samples' appearance, with these weights of sasnet",
    )
    parser.add_argument(
        "--cross-share", type=float, default=0.3, help="share of such samples (0.3)"
    )
    parser.add_argument("--prefetch", action="store_true", help="make batches in a second thread")


def run(args: argparse.Namespace) -> int:
    """Run ``mmreg train``; return the exit status."""
    import torch

    from napari_mmreg.models.weights import read_config
    from napari_mmreg.nn.device import choose_device
    from napari_mmreg.training.batches import BatchGenerator
    from napari_mmreg.training.cross_rendering import CrossRenderer
    from napari_mmreg.training.pack import load_pairs
    from napari_mmreg.training.recipe import get_recipe
    from napari_mmreg.training.run_folder import write_run
    from napari_mmreg.training.set_aside import set_aside
    from napari_mmreg.training.trainer import Trainer, TrainerConfig

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if args.threads:
        torch.set_num_threads(args.threads)
    recipe = _adapt(get_recipe(args.model), args)
    trained = read_config(args.init).constructor if args.init else {}
    constructor = {**recipe.constructor, **trained, **_parse_settings(args.set, "--set")}
    device = choose_device(args.device)
    if not args.resume and (args.out / "checkpoints").exists():
        raise InputError(f"{args.out} holds a run already; pass --resume, or another --out.")
    pairs = load_pairs(args.data, commercial_only=not args.with_non_commercial)
    train, aside = set_aside([pair for pair in pairs if pair.split == "train"], args.set_aside)
    held_out = [pair for pair in pairs if pair.split == "val"]
    change = None
    if args.cross_render:
        change = CrossRenderer.load(args.cross_render, args.cross_share, device)
    batches = BatchGenerator(train, recipe.batches, args.seed, device, change)
    config = TrainerConfig(
        out=args.out,
        steps=args.steps,
        hours=args.hours,
        seed=args.seed,
        device=device,
        amp=not args.no_amp,
        checkpoint_minutes=args.checkpoint_minutes,
        validate_minutes=args.validate_minutes,
        prefetch=args.prefetch,
    )
    validate = _validation(recipe, held_out, args, device) if held_out else None
    trainer = Trainer(recipe, constructor, batches, config, validate)
    if args.resume and trainer.resume():
        say(f"Going on from step {trainer.step}.")
    else:
        if args.init:
            trainer.start_from(args.init)
        write_run(args.out, recipe, constructor, train, {**vars(args), "device": device})
    count = sum(p.numel() for p in trainer.model.parameters())
    say(
        f"{recipe.name}: {count} parameters, {len(train)} pairs ({len(aside)} set aside), {device}."
    )
    outcome = trainer.run()
    say(f"{outcome.ending} at step {outcome.step} after {outcome.seconds / 3600:.2f} h.")
    return 0


def _adapt(recipe: Recipe, args: argparse.Namespace) -> Recipe:
    """Return a copy of the recipe with the command line's batch, sizes, rate and numbers."""
    batches, optimisation = recipe.batches, recipe.optimisation
    if args.batch:
        batches = replace(batches, batch=args.batch)
    if args.size:
        batches = replace(batches, sizes=tuple((s, s) for s in args.size))
    if args.rate is not None:
        optimisation = replace(optimisation, learning_rate=args.rate)
    numbers = _parse_settings(args.recipe, "--recipe")
    known = sorted(f.name for f in fields(cast("Any", recipe)) if f.type in ("float", "bool"))
    if unknown := sorted(set(numbers) - set(known)):
        raise InputError(f"The recipe has no numbers {unknown}; it has {known}.")
    if wrong := {k: v for k, v in numbers.items() if not isinstance(v, (int, float))}:
        raise InputError(f"--recipe takes numbers, not {wrong}.")
    changes = {"batches": batches, "optimisation": optimisation, **numbers}
    adapted: Recipe = replace(cast("Any", recipe), **changes)
    return adapted


def _parse_settings(settings: list[str], option: str) -> dict[str, Any]:
    """Read NAME=VALUE pairs; values are JSON, or else text."""
    import json

    found: dict[str, Any] = {}
    for setting in settings:
        name, sign, value = setting.partition("=")
        if not sign:
            raise InputError(f"{option} takes NAME=VALUE, not {setting!r}.")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def _validation(
    recipe: Recipe, pairs: list[Any], args: argparse.Namespace, device: str
) -> Callable[[nn.Module], dict[str, float]]:
    """Return the trainer's hook: score, and write the details into the run's folder."""
    scorer = recipe.scorer(pairs, validation_config(args), device)
    return lambda model: dict(scorer(model, args.out).watched)


def validation_config(args: argparse.Namespace) -> ValidationConfig:
    """Return what is validated, by ``--per-modality`` and ``--protocols``."""
    from napari_mmreg.training.validation import ValidationConfig

    config = ValidationConfig(per_modality=args.per_modality or None)
    if args.protocols:
        config = replace(config, protocols=tuple(args.protocols.split(",")))
    return config


def predictor(recipe: FlowRecipe, model: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what a `Validator` calls."""

    def predict(fixed: Tensor, moving: Tensor) -> Tensor:
        return recipe.predict_flow(model, fixed, moving)

    return predict
