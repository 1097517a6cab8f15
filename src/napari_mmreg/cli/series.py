"""``mmreg series``: align stacks and time series, plane by plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import interruptible, progress_bar, say, table, warn
from napari_mmreg.cli.engine import add_engine_arguments
from napari_mmreg.cli.planes import SideStack, add_plane_arguments, read_side_stack
from napari_mmreg.cli.register import FAILED
from napari_mmreg.cli.transforms import add_matrix_argument, read_transform

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.series import SeriesResult

MOST_ROWS = 40
"""Planes that are listed on the terminal; planes.csv holds all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg series``."""
    parser.epilog = (
        "Exit codes: 0 done (a doubtful result is reported), 2 bad input, 3 nothing could be "
        "registered, 130 cancelled."
    )
    parser.add_argument(
        "fixed",
        type=Path,
        help="stack that stays: TIFF, NPY, GIF, a folder of images, a video (MP4 and others, with "
        "the video extra); or one image for all planes",
    )
    parser.add_argument("moving", type=Path, help="stack, or one image, that is brought onto it")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the results: registered.tif (of a video: registered.mp4), transforms/, "
        "planes.csv, series.json",
    )
    parser.add_argument(
        "--mode",
        choices=("once", "each", "follow"),
        default="each",
        help="once: one transform for all planes, of a fixed rig; each: each plane on its own; "
        "follow: each starts from the one before, the motion is smoothed and gaps are filled "
        "(default: each)",
    )
    parser.add_argument(
        "--estimate-on",
        type=_estimate,
        default="best",
        metavar="WHAT",
        help="with --mode once: best (of up to five planes, what those that hold agree on), first, "
        "the number of a plane from 0, or the projection mean, median or max (default: best)",
    )
    parser.add_argument(
        "--smoothing",
        type=int,
        default=5,
        metavar="PLANES",
        help="with --mode follow: how many planes the motion is smoothed over; 0 does not",
    )
    add_plane_arguments(parser)
    add_engine_arguments(parser)
    parser.add_argument("--initial", type=Path, metavar="FILE", help="transform to start from")
    add_matrix_argument(parser)
    parser.add_argument(
        "--compare",
        choices=("overlay", "side"),
        help="of videos, also write compare.mp4: fixed in green and registered in magenta, or both "
        "side by side",
    )
    parser.add_argument("--order", type=int, choices=(0, 1, 3), help="as of 'mmreg register'")
    parser.add_argument("--force", action="store_true", help="replace results of an earlier run")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Read, register, write and summarise."""
    from napari_mmreg.io import check_folder
    from napari_mmreg.series.files import FILES, save_series
    from napari_mmreg.series.planes import planes_of

    check_folder(arguments.output, FILES, replace=arguments.force)
    fixed = read_side_stack(arguments, "fixed", arguments.fixed)
    moving = read_side_stack(arguments, "moving", arguments.moving)
    with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
        progress("Loading", 0.0)
        from napari_mmreg.series import register_series

        result = register_series(
            fixed.data,
            moving.data,
            arguments.mode,
            estimate_on=arguments.estimate_on,
            smoothing=arguments.smoothing,
            axis=(fixed.axis, moving.axis),
            at=(fixed.at, moving.at),
            rgb=(fixed.rgb, moving.rgb),
            model=arguments.model,
            budget=arguments.budget,
            device=arguments.device,
            refine=not arguments.no_refine,
            seed=arguments.seed,
            progress=progress,
            cancel=cancel,
            **_options(arguments, fixed, moving),
        )
    with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
        save_series(
            result,
            arguments.output,
            replace=arguments.force,
            progress=progress,
            cancel=cancel,
            axes=moving.axes or fixed.axes[fixed.axis],
            georeference=fixed.picture.georeference,
            fps=moving.fps,
            fixed=planes_of(fixed.data, "fixed", fixed.axis, fixed.at, fixed.rgb),
            compare=arguments.compare,
        )
    if not arguments.quiet:
        _summarise(result)
        say(f"Wrote {arguments.output}")
    if result.status != "ok":
        word = "error" if result.status == "failed" else "warning"
        warn(f"{word}: {' '.join(result.reasons)}")
    return FAILED if result.status == "failed" else 0


def _options(arguments: argparse.Namespace, fixed: SideStack, moving: SideStack) -> dict[str, Any]:
    film = moving.fps is not None  # no video holds labels: nothing is looked at to know
    options: dict[str, Any] = {
        "order": 1 if film and arguments.order is None else arguments.order,
        "nodata": (fixed.picture.nodata, moving.picture.nodata),
    }
    if arguments.initial:
        options["initial"] = read_transform(
            arguments.initial, arguments, fixed_shape=fixed.picture.image.shape
        )
    return options


def _summarise(result: SeriesResult) -> None:
    say(f"Status   {result.status}")
    for reason in result.reasons:
        say(f"         {reason}")
    rows = [
        [
            str(plane.index),
            plane.status,
            plane.source,
            *(f"{value:.2f}" for value in result.drift[plane.index]),
        ]
        for plane in result.planes[:MOST_ROWS]
    ]
    table(["plane", "status", "source", "drift row px", "drift col px"], rows)
    if len(result) > MOST_ROWS:
        say(f"… {len(result) - MOST_ROWS} more in planes.csv")


def _estimate(text: str) -> str | int:
    import argparse

    if text.isdigit():
        return int(text)
    if text not in ("best", "first", "mean", "median", "max"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither best, first, mean, median, max nor the number of a plane"
        )
    return text
