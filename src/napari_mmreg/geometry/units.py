"""Lengths in one unit as lengths in another."""

from __future__ import annotations

import numpy as np

from napari_mmreg.errors import InputError

Spacing = tuple[float, float]

PIXEL = "pixel"
"""What napari calls the unit of an image that nobody has calibrated."""


def check_spacing(spacing: Spacing) -> None:
    """Raise `InputError` if a pixel's size is not two positive numbers, ``(row, col)``."""
    try:
        values = np.asarray(spacing, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (2,) or not (np.isfinite(values).all() and (values > 0).all()):
        raise InputError(f"A pixel spacing needs two positive numbers (row, col), not {spacing}.")


def length_factor(source: str, target: str) -> float:
    """Return by what a length in `source` is multiplied to be one in `target`.

    Parameters
    ----------
    source, target : str
        Units as pint knows them: ``"mm"``, ``"micrometer"``, ``"µm"``, ``"pixel"``.

    Raises
    ------
    InputError
        If one of them is no unit, or they measure different things.
    """
    if source == target:
        return 1.0
    import pint

    try:
        quantity = pint.get_application_registry().Quantity  # type: ignore[no-untyped-call]
        return float(quantity(1.0, source).to(target).magnitude)
    except (pint.PintError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"A length in {source!r} cannot be given in {target!r}; use units of length that "
            "belong together, such as 'mm' and 'µm', or give the pixels' sizes yourself."
        ) from error


def convert_spacing(spacing: Spacing, source: str | None, target: str | None) -> Spacing:
    """Return the size of a pixel in another unit; as it is where a unit is not known."""
    if source is None or target is None:
        return spacing
    factor = length_factor(source, target)
    return spacing[0] * factor, spacing[1] * factor
