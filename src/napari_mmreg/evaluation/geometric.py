"""The IoU that a perfect segmenter would give: no image takes part.

Masks of the fixed image are moved by the truth and brought back by what was found.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.evaluation.alignment import Alignment, Grid
from napari_mmreg.evaluation.segmentation.protocol import Mask
from napari_mmreg.geometry import Transform, pixel_grid, warp_labels

FINER = 2
"""Samples per pixel and axis: on whole pixels, errors below half a pixel would cost nothing."""


def geometric_iou(
    reference: Mapping[int, Mask], found: Transform, alignment: Alignment, grid: Grid
) -> dict[int, float]:
    """Return the IoU from geometry alone, by the objects' ids.

    Parameters
    ----------
    reference : mapping of int to ndarray of bool, shape (h, w)
        Masks on the fixed image, on the evaluation's grid.
    found : Transform
        The registration, fixed to moving, in full pixels.
    alignment : Alignment
        Knows the truth; without one, nothing is returned.
    grid : Grid

    Returns
    -------
    dict of int to float
        NaN for objects outside what both images show.

    Notes
    -----
    *Convention*: the moved mask at ``q`` is the mask at ``truth⁻¹(q)``; brought back it is the
    mask at ``truth⁻¹(found(p))``. Sampled once, by nearest neighbours, `FINER` times a pixel.
    """
    if alignment.truth is None:
        return {}
    places = pixel_grid(slice(0, grid.shape[0]), slice(0, grid.shape[1]))
    mapped = alignment.on(found, grid.stride).map(places)
    positions = alignment.truth.inverse().map(mapped) / grid.stride
    away = np.abs(positions - places)
    reach = int(np.ceil(np.nanmax(away))) + 1 if np.isfinite(away).any() else 1
    fine = _finer(_finer(positions, 0), 1)
    return {
        number: _iou(mask, fine, grid.common, reach) if mask.any() else float("nan")
        for number, mask in reference.items()
    }


def _iou(mask: Mask, fine: NDArray[np.float64], common: Mask, reach: int) -> float:
    """Score one mask where it, or what becomes of it, can be."""
    (extent,) = ndimage.find_objects(mask.astype(np.int8))
    part = tuple(
        slice(max(side.start - reach, 0), min(side.stop + reach, size))
        for side, size in zip(extent, mask.shape, strict=True)
    )
    rows, cols = (slice(FINER * side.start, FINER * side.stop) for side in part)
    inside = _repeated(common[part])
    one = _repeated(mask[part]) & inside
    other = (warp_labels(mask.astype(np.uint8), fine[rows, cols]) > 0) & inside
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else float("nan")


def _repeated(mask: Mask) -> Mask:
    return np.repeat(np.repeat(mask, FINER, axis=0), FINER, axis=1)


def _finer(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Put `FINER` samples into every pixel along an axis, linearly, also beyond the last centre."""
    size = values.shape[axis]
    places = (np.arange(FINER * size) + 0.5) / FINER - 0.5
    first = np.clip(np.floor(places).astype(np.intp), 0, max(size - 2, 0))
    second = np.minimum(first + 1, size - 1)
    weight = np.expand_dims(places - first, tuple(a for a in range(values.ndim) if a != axis))
    return np.asarray((1 - weight) * values.take(first, axis) + weight * values.take(second, axis))
