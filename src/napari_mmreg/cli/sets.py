"""``mmreg set``: lay several images, channels or sections onto one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import interruptible, progress_bar, say, table, warn
from napari_mmreg.cli.engine import add_engine_arguments
from napari_mmreg.cli.register import FAILED
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg set``."""
    parser.epilog = (
        "Exit codes: 0 done (doubtful members are said), 2 bad input, 3 nothing could be "
        "registered, 130 cancelled."
    )
    parser.add_argument(
        "images",
        type=Path,
        nargs="+",
        help="two images or more; or one stack or folder, whose planes or channels are the images",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the results: registered/, transforms/, members.csv, set.json",
    )
    parser.add_argument(
        "--reference",
        type=_reference,
        default=0,
        metavar="N",
        help="the image that stays, from 0, or 'middle' (default: the first)",
    )
    parser.add_argument(
        "--way",
        choices=("direct", "chain"),
        default="direct",
        help="each to the reference, or each to its neighbour on the side of the reference "
        "(default: direct)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="go both ways, and say how far they lie apart; takes twice as long",
    )
    add_engine_arguments(parser)
    parser.add_argument("--force", action="store_true", help="replace results of an earlier run")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Read, register, write and summarise."""
    from napari_mmreg.io import check_folder
    from napari_mmreg.series.set_result import FILES

    check_folder(arguments.output, FILES, replace=arguments.force)
    images, names = _read(arguments.images)
    with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
        progress("Loading", 0.0)
        from napari_mmreg.series import register_set

        result = register_set(
            images,
            arguments.reference,
            arguments.way,
            check=arguments.check,
            names=names,
            model=arguments.model,
            budget=arguments.budget,
            device=arguments.device,
            refine=not arguments.no_refine,
            seed=arguments.seed,
            progress=progress,
            cancel=cancel,
        )
    result.save(arguments.output, replace=arguments.force)
    if not arguments.quiet:
        rows = [
            [
                str(member.index),
                member.name,
                member.status,
                "" if member.neighbour is None else str(member.neighbour),
                "" if member.apart_px is None else f"{member.apart_px:.2f}",
            ]
            for member in result
        ]
        table(["image", "name", "status", "registered to", "apart px"], rows)
        say(f"Wrote {arguments.output}")
    for member in result:
        if member.status != "ok":
            warn(f"image {member.index} ({member.name}) {member.status}: {member.reasons[-1]}")
    return FAILED if result.status == "failed" else 0


def _read(paths: Sequence[Path]) -> tuple[Any, list[str]]:
    """Return the images of several files, or the planes of one, and what they are called."""
    from napari_mmreg.io import FolderStack, read_image, read_stack

    if len(paths) > 1:
        return [read_image(path) for path in paths], [path.stem for path in paths]
    (path,) = paths
    if path.is_dir():
        folder = FolderStack(path)
        return folder, [each.stem for each in folder.paths]
    stack = read_stack(path)
    if len(stack.shape) > 1:
        raise InputError(
            f"{path} has several axes ({', '.join(stack.axes)}); a set is the planes of one. "
            "“mmreg series” registers stacks of more axes."
        )
    return stack.pages, [str(n) for n in range(len(stack.pages))]


def _reference(text: str) -> int | str:
    import argparse

    if text == "middle":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor 'middle'") from error
