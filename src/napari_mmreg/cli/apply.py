"""``mmreg apply``: bring another image, or labels, through a transform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli.console import say
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg apply``."""
    parser.add_argument("transform", type=Path, help=".npz, or ITK's .tfm, .h5 with the itk extra")
    parser.add_argument("image", type=Path, help="image in the moving image's pixels")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    grid = parser.add_mutually_exclusive_group(required=True)
    grid.add_argument("--like", type=Path, metavar="FIXED", help="take the fixed image's size")
    grid.add_argument("--shape", type=int, nargs=2, metavar=("ROWS", "COLS"))
    parser.add_argument(
        "--order",
        type=int,
        choices=(0, 1, 3),
        default=1,
        help="interpolation: 0 nearest (labels), 1 linear (default), 3 cubic",
    )
    parser.add_argument("--page", type=int, metavar="N", help="page of a stack, from 0")
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(arguments: argparse.Namespace) -> int:
    """Read, resample, write."""
    if arguments.output.exists() and not arguments.force:
        raise InputError(f"{arguments.output} already exists. Replace it with --force.")
    from napari_mmreg.io.images import read_image, write_image
    from napari_mmreg.io.transforms import load_transform

    rows, cols = arguments.shape or read_image(arguments.like).shape[:2]
    if min(rows, cols) < 1:
        raise InputError(f"{rows} x {cols} is no size; pass rows and columns, at least 1.")
    shape = (rows, cols)
    transform = load_transform(arguments.transform, fixed_shape=shape)
    image = read_image(arguments.image, arguments.page)
    # Where a picture in floating point has no data, NaN says so; zero would be a value.
    fill = float("nan") if image.dtype.kind == "f" else None
    write_image(arguments.output, transform.resample(image, shape, arguments.order, fill))
    share = 100 * transform.valid(shape, image.shape).mean()
    say(f"Wrote {arguments.output}, {rows} x {cols} pixels, {share:.1f} % with data")
    return 0
