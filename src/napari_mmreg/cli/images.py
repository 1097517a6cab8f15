"""The two images of a command: read, chosen from stacks, and described in one way everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_mmreg.cli.console import warn
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from napari_mmreg.io import Picture

Side = Literal["fixed", "moving"]

COLOURS = 4
"""Channels that an image to be registered, fused or measured has at most."""


def add_choice_arguments(parser: argparse._ActionsContainer, short: tuple[Side, ...] = ()) -> None:
    """Declare which page and channel of the two files is meant.

    Parameters
    ----------
    parser : argparse parser or group
    short : tuple of str
        Sides whose options may be named ``--page`` and ``--channel`` as well.
    """
    for side in ("fixed", "moving"):
        for what, help_text in (
            ("page", f"page of a stack for the {side} image, from 0"),
            ("channel", f"use one channel of the {side} image, from 0"),
        ):
            flags = [f"--{side}-{what}", *([f"--{what}"] if side in short else [])]
            parser.add_argument(*flags, type=int, metavar="N", help=help_text)


def read_side(
    arguments: argparse.Namespace, side: Side, path: Path, *, colours: bool = True
) -> Picture:
    """Read one of the two images, with the page and channel asked for, and say what was done.

    Parameters
    ----------
    arguments : Namespace
        With the options of `add_choice_arguments`.
    side : {"fixed", "moving"}
    path : Path
    colours : bool
        Whether the image has to be grey or colour.

    Raises
    ------
    InputError
        As `read_picture`; the message names the option that helps.
    """
    from napari_mmreg.io import SeveralImagesError, read_picture

    page = getattr(arguments, f"{side}_page")
    channel = getattr(arguments, f"{side}_channel")
    try:
        picture = read_picture(path, page, channel)
    except SeveralImagesError as error:
        raise InputError(f"{error} Use --{side}-{error.choose} N.") from error
    shape = picture.image.shape
    if colours and len(shape) == 3 and shape[-1] > COLOURS:
        raise InputError(
            f"{path} has {shape[-1]} channels (shape {shape}), which is neither grey nor colour. "
            f"Choose one with --{side}-channel N, 0 to {shape[-1] - 1}."
        )
    for note in picture.notes:
        warn(note)
    return picture


def with_nan(picture: Picture) -> NDArray[Any]:
    """Return the image; where the file says that it has no data, as NaN in floating point."""
    image, valid = picture.image, picture.valid
    if valid is None or valid.all():
        return image
    import numpy as np

    floating = image.astype(np.result_type(image.dtype, np.float32))
    floating[~valid] = np.nan
    return floating
