"""The tools around training: packs, contact sheets, scores and exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.training.command import add_data_arguments, say, validation_config

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.training.scores import Scores


def add_tools(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands pack, sheet, validate and export; each sets ``run``."""
    tools = parser.add_subparsers(dest="tool", required=True)

    pack = tools.add_parser("pack", help="write all pairs, small, into one file")
    add_data_arguments(pack)
    pack.add_argument("--out", type=Path, default=Path("data/pack/pairs.npz"))
    pack.add_argument("--long-side", type=int, default=448, help="px (448)")
    pack.add_argument("--quality", type=int, default=85, help="of the JPEG pictures (85)")
    pack.set_defaults(run=run_pack)

    sheet = tools.add_parser("sheet", help="write a picture of what networks see")
    add_data_arguments(sheet)
    sheet.add_argument("--out", type=Path, default=Path("runs/sheet.png"))
    sheet.add_argument("--count", type=int, default=9)
    sheet.add_argument("--size", type=int, default=192)
    sheet.add_argument("--seed", type=int, default=0)
    sheet.set_defaults(run=run_sheet)

    for name, text in (
        ("validate", "score a run's weights on held-out pairs"),
        ("export", "score a run's weights and write them with their card"),
    ):
        tool = tools.add_parser(name, help=text)
        add_data_arguments(tool)
        tool.add_argument("folder", type=Path, help="folder of the run")
        tool.add_argument("--which", choices=("best", "last"), default="best")
        tool.add_argument("--per-modality", type=int, default=0, help="0: all pairs")
        tool.add_argument("--protocols", help="comma-separated, such as R256,N192c")
        tool.add_argument("--device", default="auto")
        if name == "export":
            tool.add_argument("--out", type=Path, help="default: weights/<model>")
        tool.set_defaults(run=run_validate if name == "validate" else run_export)


def run_pack(args: argparse.Namespace) -> int:
    """Write a training pack."""
    from napari_mmreg.training.data import find_data, read_records
    from napari_mmreg.training.pack import write_pack

    records = read_records(find_data(args.data), commercial_only=not args.with_non_commercial)
    size = write_pack(records, args.out, long_side=args.long_side, quality=args.quality)
    say(f"{len(records)} pairs, {size / 1e6:.1f} MB: {args.out}")
    return 0


def run_sheet(args: argparse.Namespace) -> int:
    """Write a contact sheet of one batch."""
    from napari_mmreg.training.batches import BatchConfig, BatchGenerator
    from napari_mmreg.training.pack import load_pairs
    from napari_mmreg.training.sheet import batch_rows, write_sheet

    pairs = load_pairs(args.data, ("train",), commercial_only=not args.with_non_commercial)
    config = BatchConfig(batch=args.count, sizes=((args.size, args.size),))
    batch = next(BatchGenerator(pairs, config, args.seed))
    path = write_sheet(batch_rows(batch), args.out)
    for i, (modality, tier) in enumerate(zip(batch.modalities, batch.tiers, strict=True)):
        say(f"row {i + 1}: {modality}, {tier}{', one picture' if batch.mono[i] else ''}")
    say(f"columns: fixed, moving, both, both aligned, aligned moving, flow, masks: {path}")
    return 0


def _score_run(args: argparse.Namespace) -> Scores:
    import torch

    from napari_mmreg.nn.device import choose_device
    from napari_mmreg.training.export import load_result
    from napari_mmreg.training.pack import load_pairs
    from napari_mmreg.training.recipe import get_recipe
    from napari_mmreg.training.run_folder import read_run

    entries = read_run(args.folder)
    recipe, device = get_recipe(entries["recipe"]), choose_device(args.device)
    model = recipe.build_model(entries["constructor"])
    model.load_state_dict(load_result(args.folder, args.which).average, strict=True)
    model.to(device).eval()
    pairs = load_pairs(args.data, ("val",), commercial_only=not args.with_non_commercial)
    with torch.inference_mode():
        return recipe.scorer(pairs, validation_config(args), device)(model, args.folder)


def run_validate(args: argparse.Namespace) -> int:
    """Score a run's weights."""
    say(_score_run(args).table)
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Score a run's weights and write them with their card."""
    from napari_mmreg.training.export import export
    from napari_mmreg.training.run_folder import read_run

    folder = args.out or Path("weights") / read_run(args.folder)["recipe"]
    config = export(args.folder, folder, _score_run(args), which=args.which)
    say(f"{folder}: sha256 {config.sha256}")
    return 0
