"""Correct a bidirectional scan: split, register one direction against the other, interlace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from napari_mmreg.geometry.scanlines import LINES, same_place
from napari_mmreg.imaging.interlaced import merge_scan, split_scan
from napari_mmreg.registration.register import register

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.registration.result import RegistrationResult


def correct_scan(
    image: ArrayLike, model: str = "auto", **options: Any
) -> tuple[NDArray[Any], RegistrationResult]:
    """Undo what separates the two directions of a bidirectional scan.

    Parameters
    ----------
    image : array_like of shape (H, W) or (H, W, C)
        Its even rows were scanned forward and its odd ones backward; at least 32 rows.
    model : str
        As of `register`.
    **options
        Further arguments of `register`, without masks, spacings and the initial transform.

    Returns
    -------
    corrected : ndarray of the image's shape and dtype
        Odd rows are where they belong and keep their own tones; even rows are untouched. A copy
        of the image if the registration failed.
    result : RegistrationResult
        Of the forward rows, fixed, and the backward rows, moving, each an image of its own.

    Raises
    ------
    InputError, ModelError, DeviceError, Cancelled
        As of `register`.
    """
    whole = np.asarray(image)
    forward, backward = split_scan(whole)
    # Rows lie two pixels apart; both directions begin in the same world.
    result = register(
        forward, backward, model=model, initial=same_place(), fixed_spacing=LINES, **options
    )
    if result.status == "failed":
        return whole.copy(), result
    return merge_scan(forward, backward, result.transform), result
