"""``mmreg evaluate``: measure a transform's registration error at landmarks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli import landmarks
from napari_mmreg.cli.console import table

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.evaluation import LandmarkError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg evaluate``."""
    parser.add_argument("--transform", type=Path, metavar="FILE", help="fixed to moving")
    parser.add_argument(
        "--landmarks",
        type=Path,
        required=True,
        metavar="FILE",
        help="columns point,fixed_row,fixed_col,moving_row,moving_col, or BigWarp's CSV or JSON",
    )
    parser.add_argument(
        "--spacing",
        type=float,
        nargs=2,
        metavar=("ROW", "COL"),
        help="size of a moving pixel; errors are then in its unit",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file")
    landmarks.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure at landmarks."""
    return landmarks.run(arguments)


def error_table(errors: dict[str, LandmarkError]) -> None:
    """Say the error's mean, RMSE, median and maximum, a line each."""
    table(
        ["", "mean", "RMSE", "median", "max"],
        [
            [name, *(f"{value:.2f}" for value in (e.mean, e.rmse, e.median, e.max))]
            for name, e in errors.items()
        ],
    )
