"""Transforms that commands are given, in any format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.geometry import Transform


def add_matrix_argument(parser: argparse._ActionsContainer) -> None:
    """Declare how a plain matrix is to be read."""
    parser.add_argument(
        "--matrix-order",
        choices=("xy", "rowcol"),
        help="what a plain 3x3 matrix from fixed to moving pixels acts on: (x, y, 1) or "
        "(row, col, 1)",
    )


def read_transform(path: Path, arguments: argparse.Namespace, **options: Any) -> Transform:
    """Read a transform; see `napari_mmreg.io.load_transform` for the options."""
    from napari_mmreg.io import load_transform

    return load_transform(path, matrix_order=arguments.matrix_order, **options)
