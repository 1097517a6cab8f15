"""``mmreg transforms``: list the kinds of transform files, or convert one into another.

*Convention*: all map fixed to moving; ``--inverse`` swaps the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli.console import say, table
from napari_mmreg.cli.transforms import add_matrix_argument
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg transforms``."""
    parser.add_argument(
        "input", type=Path, nargs="?", help="a transform file; without one, the kinds are listed"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="its name says the kind")
    parser.add_argument("--from", dest="source", metavar="KIND", help="if the name does not say it")
    parser.add_argument("--to", metavar="KIND", help="if the name of the output does not say it")
    parser.add_argument("--inverse", action="store_true", help="write moving to fixed instead")
    parser.add_argument(
        "--fixed-shape",
        type=int,
        nargs=2,
        metavar=("ROWS", "COLS"),
        help="the fixed image's size, for what has to be sampled; default: what the file says",
    )
    for side in ("fixed", "moving"):
        parser.add_argument(
            f"--{side}-spacing",
            type=float,
            nargs=2,
            metavar=("ROW", "COL"),
            help=f"size of a pixel of the {side} image; default: what the file says, else 1",
        )
    parser.add_argument("--unit", help="of the spacings, and of lengths in the output: mm, µm ...")
    add_matrix_argument(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(arguments: argparse.Namespace) -> int:
    """List, or convert."""
    if arguments.input is None:
        return _list()
    if arguments.output is None:
        raise InputError("Say where to write the transform: -o FILE.")
    if arguments.output.exists() and not arguments.force:
        raise InputError(f"{arguments.output} already exists. Replace it with --force.")
    from napari_mmreg.io import load_transform, save_transform

    images = {
        name: value if value is None else tuple(value)
        for name in ("fixed_shape", "fixed_spacing", "moving_spacing")
        for value in [getattr(arguments, name)]
    }
    transform = load_transform(
        arguments.input,
        kind=arguments.source,
        unit=arguments.unit,
        matrix_order=arguments.matrix_order,
        **images,
    )
    if arguments.inverse:
        transform = transform.inverse()
        # What was said describes the images before they changed places.
        shape = transform.fixed_frame.shape if transform.fixed_frame else None
        fixed = images["moving_spacing"] or images["fixed_spacing"]
        images = {
            "fixed_shape": shape,
            "fixed_spacing": fixed,
            "moving_spacing": images["fixed_spacing"],
        }
    save_transform(arguments.output, transform, kind=arguments.to, unit=arguments.unit, **images)
    say(f"Wrote {arguments.output}")
    return 0


def _list() -> int:
    from napari_mmreg.io import file_kinds

    rows = []
    for kind in file_kinds():
        ways = [way for way, can in (("read", kind.can_read), ("write", kind.can_write)) if can]
        names = " ".join(kind.save_patterns or kind.patterns)
        rows.append([kind.name, names, ", ".join(ways), kind.extra or "-", kind.convention])
    table(["kind", "names", "can be", "extra", "convention"], rows)
    return 0
