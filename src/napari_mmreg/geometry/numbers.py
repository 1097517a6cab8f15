"""Checks of arguments that must be numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from napari_mmreg.errors import InputError, RegistrationError


def as_numbers(
    values: ArrayLike,
    what: str,
    advice: str = "pass an array of numbers.",
    dtype: DTypeLike = np.float64,
    error: type[RegistrationError] = InputError,
) -> NDArray[Any]:
    """Return values as floating point numbers, of whatever shape.

    Parameters
    ----------
    values : array_like
        Text, missing values of tables, complex and masked numbers are no numbers.
    what : str
        What messages call them, in the plural.
    advice : str
        What messages say to do.
    dtype : dtype
        Not copied if they have it; numbers beyond its range become infinite.
    error : type
        Raised if they are no numbers.

    Returns
    -------
    ndarray of `dtype`
    """
    if isinstance(values, np.ma.MaskedArray):
        raise error(f"{what} are a masked array; {advice}")
    try:
        array = np.asarray(values)
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = array.astype(dtype, copy=False) if array.dtype.kind in "biufO" else None
    except Exception as reason:  # what objects raise that are asked for numbers
        raise error(f"{what} are not numbers; {advice}") from reason
    if numbers is None:
        raise error(f"{what} are {array.dtype}, not numbers; {advice}")
    return numbers
