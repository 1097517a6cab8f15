"""``mmreg batch``: register many pairs, here or on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli.console import interruptible, progress_bar, say, table, warn
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.batch import BatchParameters, BatchSummary, ImagePair

NOT_ALL = 3
"""Exit code if a pair could not be registered."""

SHOWN = 5
"""Pairs without a partner, and pairs that went wrong, that are named one by one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg batch``."""
    parser.epilog = (
        "Running a command again registers only what is missing or has changed. Exit codes: 0 all "
        "pairs registered (doubtful ones are said), 2 bad input, 3 a pair failed, 130 cancelled."
    )
    parser.add_argument(
        "table",
        type=Path,
        nargs="?",
        help="CSV or Excel table with the columns fixed and moving (and id, fixed_mask, "
        "moving_mask, initial, fixed_page, moving_page, fixed_channel, moving_channel)",
    )
    parser.add_argument(
        "--fixed",
        metavar="PATTERN",
        help="instead of a table: a folder, or a pattern such as 'scans/*_vis.png', quoted",
    )
    parser.add_argument(
        "--moving", metavar="PATTERN", help="its partners: what * stands for is the same"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the batch"
    )
    parser.add_argument(
        "--parameters", type=Path, metavar="YAML", help="batch.yaml of an earlier batch"
    )
    parser.add_argument("--model", help="see 'mmreg models' (default auto)")
    parser.add_argument(
        "--budget", help="fast, balanced or best: time for the model auto (default balanced)"
    )
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--no-refine", action="store_true", help="leave out the local refinement")
    parser.add_argument("--seed", type=int)
    for side in ("fixed", "moving"):
        parser.add_argument(f"--{side}-spacing", type=float, nargs=2, metavar=("ROW", "COL"))
        parser.add_argument(f"--{side}-modality", metavar="NAME")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes on this machine (default 1)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="use a running dask scheduler: tcp://host:8786"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say which images belong together"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Match, register, write and summarise."""
    pairs = _pairs(arguments)
    parameters = _parameters(arguments)
    if arguments.dry_run:
        table(("id", "fixed", "moving"), [(p.id, str(p.fixed), str(p.moving)) for p in pairs])
        return 0
    from napari_mmreg.batch import run_batch

    with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
        summary = run_batch(
            pairs,
            arguments.output,
            parameters,
            workers=arguments.workers,
            scheduler=arguments.scheduler,
            progress=progress,
            cancel=cancel,
        )
    _tell(summary, quiet=arguments.quiet)
    return NOT_ALL if summary.count("failed") + summary.count("error") else 0


def _pairs(arguments: argparse.Namespace) -> tuple[ImagePair, ...]:
    from napari_mmreg.batch import match_folders, read_table

    patterns = arguments.fixed, arguments.moving
    if arguments.table is not None:
        if any(patterns):
            raise InputError("Name a table, or --fixed and --moving, not both.")
        return read_table(arguments.table)
    if not all(patterns):
        raise InputError("Name a table of pairs, or both --fixed and --moving.")
    matched = match_folders(*patterns)
    for side, left in (("fixed", matched.fixed_only), ("moving", matched.moving_only)):
        if left:
            named = ", ".join(path.name for path in left[:SHOWN])
            more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
            warn(f"{len(left)} {side} images have no partner and are left out: {named}{more}")
    return matched.pairs


def _parameters(arguments: argparse.Namespace) -> BatchParameters:
    """Return the parameters of the file, with what the command line says besides."""
    from dataclasses import replace

    from napari_mmreg.batch import BatchParameters

    parameters = BatchParameters()
    if arguments.parameters:
        parameters = BatchParameters.load(arguments.parameters)
    given = {
        name: value
        for name in (
            "model", "budget", "device", "seed", "fixed_spacing", "moving_spacing",
            "fixed_modality", "moving_modality",
        )
        if (value := getattr(arguments, name)) is not None
    }  # fmt: skip
    if arguments.no_refine:
        given["refine"] = False
    return replace(parameters, **given)


def _tell(summary: BatchSummary, *, quiet: bool) -> None:
    """Say what became of the batch; what went wrong also if it shall be quiet."""
    from napari_mmreg.batch.summary import PAGE

    if not quiet:
        reused = sum(outcome.reused for outcome in summary.outcomes)
        counts = ", ".join(
            f"{number} {status}"
            for status in ("ok", "doubtful", "failed", "error")
            if (number := summary.count(status))
        )
        earlier = f" ({reused} from an earlier run)" if reused else ""
        say(f"{len(summary.outcomes)} pairs: {counts}{earlier}")
        say(f"Wrote {summary.folder / PAGE}")
    wrong = [each for each in summary.outcomes if each.status in ("failed", "error")]
    for outcome in wrong[:SHOWN]:
        warn(f"{outcome.id}: {' '.join(outcome.reasons)}")
    if len(wrong) > SHOWN:
        warn(f"{len(wrong) - SHOWN} more went wrong; see {summary.folder / PAGE}")
