"""Where a transform folds the image over itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.numbers import as_numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


_BLOCK = 256
"""Rows processed at a time; the five arrays of derivatives never cover a whole large field."""


def jacobian_determinant(displacement: ArrayLike) -> NDArray[np.float32]:
    """Return how many moving pixels one fixed pixel covers, by central differences.

    Parameters
    ----------
    displacement : array_like of float, shape (H, W, 2)
        As `Transform.displacement` gives it, one value per fixed pixel, H and W at least 2.

    Returns
    -------
    ndarray of float32, shape (H, W)
        1 where nothing changes, above 1 where the moving image is shrunk onto the fixed one,
        0 or below where the transform folds; NaN next to places without a displacement.

    Raises
    ------
    InputError
        If the field's shape is wrong or the grid too small.

    Notes
    -----
    *Convention*: determinant of d(moving row, col)/d(fixed row, col), unit pixel on both sides.
    """
    field = as_numbers(displacement, "Displacements", dtype=np.float32)
    if field.ndim != 3 or field.shape[-1] != 2 or min(field.shape[:2]) < 2:
        raise InputError(
            "The Jacobian needs a displacement field of shape (H, W, 2) with at least 2 rows and "
            f"columns, not {field.shape}."
        )
    determinant = np.empty(field.shape[:2], dtype=np.float32)
    height = field.shape[0]
    for start in range(0, height, _BLOCK):
        stop = min(start + _BLOCK, height)
        low, high = max(start - 1, 0), min(stop + 1, height)
        block = _determinant(field[low:high])
        determinant[start:stop] = block[start - low : stop - low]
    return determinant


def folding_fraction(displacement: ArrayLike, mask: NDArray[np.bool_] | None = None) -> float:
    """Return the share of pixels, in [0, 1], where the transform folds or reflects.

    Parameters
    ----------
    displacement : array_like of float, shape (H, W, 2)
        As `Transform.displacement` gives it. Pixels without an answer (NaN) do not count.
    mask : ndarray of bool, shape (H, W), optional
        Pixels to look at, for example `Transform.valid`.

    Returns
    -------
    float
        NaN if no pixel is left to look at.

    Notes
    -----
    *Convention*: a pixel folds where `jacobian_determinant` is 0 or below.
    """
    determinant = jacobian_determinant(displacement)
    known = np.isfinite(determinant)
    if mask is not None:
        if mask.shape != determinant.shape:
            raise InputError(
                f"The mask has the shape {mask.shape}, but the field {determinant.shape}."
            )
        known &= mask
    counted = np.count_nonzero(known)
    return float(np.count_nonzero(determinant[known] <= 0) / counted) if counted else float("nan")


def _determinant(field: NDArray[np.float32]) -> NDArray[np.float32]:
    (row_by_row, row_by_col), (col_by_row, col_by_col) = (
        np.gradient(field[..., axis]) for axis in range(2)
    )
    return np.asarray((1 + row_by_row) * (1 + col_by_col) - row_by_col * col_by_row)
