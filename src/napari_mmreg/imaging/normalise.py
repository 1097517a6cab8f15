"""Robust grey values in [0, 1], and something harmless where there is no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILES = (0.5, 99.5)
"""Which values become 0 and 1: a few hot or dead pixels must not set the contrast."""


def normalise(
    grey: NDArray[np.float32],
    mask: NDArray[np.bool_],
    name: str = "image",
    percentiles: tuple[float, float] = PERCENTILES,
) -> NDArray[np.float32]:
    """Scale grey values to [0, 1] by percentiles within the mask.

    Parameters
    ----------
    grey : ndarray of float32, shape (H, W)
        Any finite values.
    mask : ndarray of bool, shape (H, W)
        Where `grey` counts.
    name : str
        What messages call the image.
    percentiles : (float, float)
        Values below the first become 0, above the second 1. Where they coincide, as in a
        image of a few bright spots, the extremes take their place.

    Returns
    -------
    ndarray of float32, shape (H, W)

    Raises
    ------
    InputError
        If nothing is valid, or all valid pixels have one value.
    """
    values = grey[mask]
    if values.size == 0:
        raise InputError(f"No pixel of the {name} image is valid. Check the image and its mask.")
    low, high = (float(v) for v in np.percentile(values, percentiles))
    if low == high:
        low, high = float(values.min()), float(values.max())
    if low == high:
        raise InputError(
            f"The {name} image has the same value everywhere it is valid: there is nothing to "
            "align on. Choose another channel, or check the mask."
        )
    scaled = (grey.astype(np.float64) - low) / (high - low)
    return np.clip(scaled, 0.0, 1.0).astype(np.float32)


def fill_invalid(grey: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give every invalid pixel the value of the nearest valid one.

    Parameters
    ----------
    grey : ndarray of float32, shape (H, W)
    mask : ndarray of bool, shape (H, W)
        True where `grey` is valid; at least once.

    Returns
    -------
    ndarray of float32, shape (H, W)
        The input itself if all is valid.
    """
    if mask.all():
        return grey
    nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    filled: NDArray[np.float32] = grey[tuple(nearest)]
    return filled
