"""``mmreg evaluate``: measure a transform's registration error at landmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli.console import say, table

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.evaluation import LandmarkError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg evaluate``."""
    parser.add_argument("--transform", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--landmarks",
        type=Path,
        required=True,
        metavar="CSV",
        help="columns point,fixed_row,fixed_col,moving_row,moving_col",
    )
    parser.add_argument(
        "--spacing",
        type=float,
        nargs=2,
        metavar=("ROW", "COL"),
        help="size of a moving pixel; errors are then in its unit",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file")


def run(arguments: argparse.Namespace) -> int:
    """Read, measure with and without the transform, say both."""
    from napari_mmreg.evaluation import landmark_error
    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.io.landmarks import read_landmarks
    from napari_mmreg.io.transforms import load_transform

    transform = load_transform(arguments.transform)
    pairs = read_landmarks(arguments.landmarks)
    spacing = tuple(arguments.spacing) if arguments.spacing else None
    errors = {
        "as loaded": landmark_error(MatrixTransform.identity(), pairs.fixed, pairs.moving, spacing),
        "registered": landmark_error(transform, pairs.fixed, pairs.moving, spacing),
    }
    unit = "pixels of the moving image" if spacing is None else "the unit of the spacing"
    say(f"Registration error at {len(pairs.names)} landmarks, in {unit}")
    error_table(errors)
    if arguments.json:
        numbers = {name: error.summary() for name, error in errors.items()}
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


def error_table(errors: dict[str, LandmarkError]) -> None:
    """Say the error's mean, RMSE, median and maximum, a line each."""
    table(
        ["", "mean", "RMSE", "median", "max"],
        [
            [name, *(f"{value:.2f}" for value in (e.mean, e.rmse, e.median, e.max))]
            for name, e in errors.items()
        ],
    )
