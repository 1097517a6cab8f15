"""How much a file may ask for: checked before anything is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable

from napari_mmreg.errors import InputError

LIMIT_VARIABLE = "MMREG_MAX_GIGABYTES"
"""Environment variable that sets how much one file may take up in memory."""

DEFAULT_GIGABYTES = 16.0
"""A colour image of 30,000 x 30,000 pixels in float32 has 11."""

WORKING_VARIABLE = "MMREG_WORKING_GIGABYTES"
"""Environment variable that sets how much memory work on large images may take."""

WORKING_GIGABYTES = 4.0

_BASE = 1.5e9
"""Bytes that Python, torch, a network and what it computes take up, whatever the images."""

_WHOLE = 0.1
"""Share of the rest that an image that is read whole may take up: copies of it come on top."""


def byte_limit() -> float:
    """Return how many bytes one file may take up in memory.

    Raises
    ------
    InputError
        If the environment variable is set to something else than a positive number.
    """
    return _gigabytes(LIMIT_VARIABLE, DEFAULT_GIGABYTES) * 1e9


def tile_bytes() -> float:
    """Return how many bytes the tiles in work may take up together; at least 100 MB.

    Raises
    ------
    InputError
        If the environment variable is set to something else than a positive number.
    """
    return max(_gigabytes(WORKING_VARIABLE, WORKING_GIGABYTES) * 1e9 - _BASE, 1e8)


def is_large(shape: Iterable[int], itemsize: int) -> bool:
    """Return whether an image is read and written in parts rather than as a whole."""
    return math.prod(int(size) for size in shape) * itemsize > _WHOLE * tile_bytes()


def _gigabytes(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    try:
        gigabytes = float(text) if text else default
    except ValueError:
        gigabytes = math.nan
    if not gigabytes > 0:
        raise InputError(f"{variable} is {text!r}; set it to a number of gigabytes above 0.")
    return gigabytes


def check_bytes(shape: Iterable[int], itemsize: int, what: str) -> None:
    """Raise `InputError` if an array of this shape would be larger than `byte_limit`.

    Parameters
    ----------
    shape : iterable of int
        As the file claims it.
    itemsize : int
        Bytes of one value.
    what : str
        What messages call the file.
    """
    sizes = [int(size) for size in shape]
    claimed = math.prod(sizes) * itemsize
    if min(sizes, default=1) < 0 or claimed > byte_limit():
        raise InputError(
            f"{what} claims {' x '.join(map(str, sizes))} values, {claimed / 1e9:.3g} GB, more "
            f"than the {byte_limit() / 1e9:g} GB that a file may take up here. It may be damaged; "
            f"if it is not, set the environment variable {LIMIT_VARIABLE} higher."
        )
