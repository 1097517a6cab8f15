"""Bidirectional scans: an image whose lines were scanned to and fro, and its two directions.

The odd lines of such an image are shifted, bent and shown in other tones against the even ones:
the scanner lags, and the detector sees the sample from another side (OR-PAM, see Qin, SAS-Net,
arXiv 2602.09050; raster scanning microscopes in general). Each direction by itself is an image of
the whole field with half the lines, so that any model can register one against the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import pixel_grid, warp_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.geometry import Transform


def split_scan(image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Split an interlaced image into its two directions.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
        At least two rows; lines were scanned to and fro in turn.

    Returns
    -------
    forward, backward : ndarray of shape (ceil(H / 2), W), (H // 2, W), or with C channels
        Copies of rows 0, 2, 4 ... and 1, 3, 5 ... Row i of them is row 2 i, or 2 i + 1, of the
        image; see `napari_mmreg.geometry.scanlines`.

    Raises
    ------
    InputError
        If there are no two rows, or too many axes.
    """
    if image.ndim not in (2, 3) or image.shape[0] < 2:
        raise InputError(
            f"A bidirectional scan has the shape (H, W) or (H, W, C) and at least two rows; this "
            f"one is {image.shape}. Split a stack slice by slice."
        )
    return image[0::2].copy(), image[1::2].copy()


def merge_scan(
    forward: NDArray[Any], backward: NDArray[Any], backward_from_forward: Transform
) -> NDArray[Any]:
    """Interlace two directions again, the backward one where it belongs.

    Parameters
    ----------
    forward, backward : ndarray of shape (h, W) or (h, W, C)
        As of `split_scan`.
    backward_from_forward : Transform
        Forward to backward pixels, as registered with forward as the fixed image.

    Returns
    -------
    ndarray
        The image that was split, its odd rows sampled from the backward direction (linear) at
        the places that were found; where that has no data, from the forward one.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """
    count = len(forward) + len(backward)
    image = np.empty((count, *forward.shape[1:]), forward.dtype)
    image[0::2] = forward
    # An odd row lies half a row below a forward one.
    between = pixel_grid(slice(0, len(backward)), slice(0, forward.shape[1])) + np.array([0.5, 0.0])
    places = backward_from_forward.map(between)
    limit = np.array(backward.shape[:2]) - 1
    known = ((places >= 0) & (places <= limit)).all(axis=-1)
    found = warp_image(backward, places)
    lower = np.minimum(between, (len(forward) - 1, np.inf))
    image[1::2] = np.where(
        known.reshape(known.shape + (1,) * (found.ndim - 2)), found, warp_image(forward, lower)
    )
    return image
