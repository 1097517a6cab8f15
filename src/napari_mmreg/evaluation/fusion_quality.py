"""How good a fused image is, by the usual measures.

*Convention*: grey images on one grid with values in [0, 255], as the common scripts have them.
`first` and `second` are the sources, `fused` is made of them. All take an optional mask.

References
----------
EN, SD, SF, AG: as collected by Ma, Ma & Li (2019), Infrared and visible image fusion methods and
applications: a survey, Information Fusion 45.
MI: Qu, Zhang & Yan (2002), Information measure for performance of image fusion, Electron. Lett. 38.
Q_abf: Xydeas & Petrovic (2000), Objective image fusion performance measure, Electron. Lett. 36.
PSNR: as in the survey of EN, against both sources at once.
Length of gradients: the term ``|grad I_f|_1`` of RFNet's L_def, eq. 9 (Xu et al. 2022, CVPR).
SCD: Aslantas & Bendes (2015), A new image quality metric for image fusion, AEU 69(12).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.similarity import ncc, ssim

Image = NDArray[np.float64]
Inside = NDArray[np.bool_]

_EDGE = (0.9994, -15.0, 0.5)
_ANGLE = (0.9879, -22.0, 0.8)
"""Gain, slope and centre of Q_abf's two sigmoids, as published."""


def entropy(fused: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return EN: the Shannon entropy of the 256-bin histogram, in bits."""
    (image,), inside = _prepare(mask, fused)
    return _entropy(np.bincount(_levels(image[inside]), minlength=256))


def standard_deviation(fused: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return SD: the contrast, in grey levels."""
    (image,), inside = _prepare(mask, fused)
    return float(image[inside].std())


def spatial_frequency(fused: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return SF: the root of the mean squared first differences along rows and columns."""
    (image,), inside = _prepare(mask, fused)
    total = 0.0
    for axis in range(2):
        both = _pairs(inside, axis)
        difference = np.diff(image, axis=axis)[both]
        total += float(np.square(difference).mean()) if difference.size else 0.0
    return float(np.sqrt(total))


def average_gradient(fused: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return AG: the mean of ``sqrt((gx^2 + gy^2) / 2)`` with central differences."""
    (image,), inside = _prepare(mask, fused)
    gradient = np.sqrt(sum(np.square(g) for g in np.gradient(image)) / 2)
    whole = ndimage.binary_erosion(inside, np.ones((3, 3), np.bool_), border_value=1)
    return float(np.asarray(gradient)[whole].mean()) if whole.any() else float("nan")


def gradient_length(fused: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the mean of ``|gx| + |gy|``, first differences, in grey levels per pixel."""
    (image,), inside = _prepare(mask, fused)
    steps = [np.abs(np.diff(image, axis=axis))[_pairs(inside, axis)] for axis in range(2)]
    return float(sum(step.mean() for step in steps if step.size))


def ghosting(before: ArrayLike, after: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return how much of `before`'s gradients `after` still has: below 1, edges coincide better.

    An edge that two misaligned images show twice is there once when they are aligned (RFNet,
    eq. 9). Only two fusions of the same two images by one method may be compared,
    within the area where both have data: other methods, sources or areas have other gradients.
    A fused image that is merely blurred has less of them too.

    Parameters
    ----------
    before, after : array_like of shape (H, W)
        Grey, of one value range.
    mask : array_like of bool, shape (H, W), optional
        Where both images were fused, before and after.

    Returns
    -------
    float
        A ratio of `gradient_length`; NaN if `before` is constant.
    """
    (one, other), inside = _prepare(mask, before, after)
    length = gradient_length(one, inside)
    return gradient_length(other, inside) / length if length > 0 else float("nan")


def fusion_psnr(
    first: ArrayLike, second: ArrayLike, fused: ArrayLike, mask: ArrayLike | None = None
) -> float:
    """Return PSNR in dB: 255 squared against the mean of the squared errors with both sources."""
    (one, other, image), inside = _prepare(mask, first, second, fused)
    errors = [np.square(image - source)[inside].mean() for source in (one, other)]
    error = float(np.mean(errors))
    return float(10 * np.log10(255**2 / error)) if error > 0 else float("inf")


def mutual_information(
    first: ArrayLike, second: ArrayLike, fused: ArrayLike, mask: ArrayLike | None = None
) -> float:
    """Return MI: what `fused` tells about each source, summed, in bits; 256 bins."""
    (one, other, image), inside = _prepare(mask, first, second, fused)
    levels = [_levels(picture[inside]) for picture in (one, other, image)]
    return _information(levels[0], levels[2]) + _information(levels[1], levels[2])


def scd(
    first: ArrayLike, second: ArrayLike, fused: ArrayLike, mask: ArrayLike | None = None
) -> float:
    """Return SCD, [-2, 2]: correlation of each source with what the other one did not give."""
    (one, other, image), inside = _prepare(mask, first, second, fused)
    return ncc(image - other, one, inside) + ncc(image - one, other, inside)


def q_abf(
    first: ArrayLike, second: ArrayLike, fused: ArrayLike, mask: ArrayLike | None = None
) -> float:
    """Return Q_abf, [0, 1]: how much of the sources' edges, strength and angle, is preserved.

    Edges by Sobel; each source's edges count by their strength. NaN if no source has an edge.
    """
    (one, other, image), inside = _prepare(mask, first, second, fused)
    inside = ndimage.binary_erosion(inside, np.ones((3, 3), np.bool_), border_value=1)
    strength, angle = zip(*(_edges(picture) for picture in (one, other, image)), strict=True)
    weighted, total = 0.0, 0.0
    for source in range(2):
        kept = _preserved(strength[source], angle[source], strength[2], angle[2])
        weighted += float((kept * strength[source])[inside].sum())
        total += float(strength[source][inside].sum())
    return weighted / total if total > 0 else float("nan")


def fusion_ssim(
    first: ArrayLike, second: ArrayLike, fused: ArrayLike, mask: ArrayLike | None = None
) -> float:
    """Return the mean of the SSIM of `fused` with each source, [-1, 1]."""
    (one, other, image), inside = _prepare(mask, first, second, fused)
    return (ssim(one, image, inside, 255) + ssim(other, image, inside, 255)) / 2


def fusion_measures(
    first: ArrayLike, second: ArrayLike, fused: ArrayLike, mask: ArrayLike | None = None
) -> dict[str, float]:
    """Return all of the above by their keys in `measures`."""
    return {
        "fusion_en": entropy(fused, mask),
        "fusion_sd": standard_deviation(fused, mask),
        "fusion_sf": spatial_frequency(fused, mask),
        "fusion_ag": average_gradient(fused, mask),
        "fusion_psnr": fusion_psnr(first, second, fused, mask),
        "fusion_mi": mutual_information(first, second, fused, mask),
        "fusion_scd": scd(first, second, fused, mask),
        "fusion_qabf": q_abf(first, second, fused, mask),
        "fusion_ssim": fusion_ssim(first, second, fused, mask),
    }


def _prepare(mask: ArrayLike | None, *images: ArrayLike) -> tuple[list[Image], Inside]:
    arrays = [np.asarray(image, dtype=np.float64) for image in images]
    if arrays[0].ndim != 2 or any(a.shape != arrays[0].shape for a in arrays):
        raise InputError(
            f"Fusion measures need grey images of one shape, not {[a.shape for a in arrays]}. "
            "Bring the sources and the fused image onto one grid."
        )
    inside = np.all([np.isfinite(a) for a in arrays], axis=0)
    if mask is not None:
        wanted = np.asarray(mask, dtype=bool)
        if wanted.shape != inside.shape:
            raise InputError(f"The mask has the shape {wanted.shape}, the images {inside.shape}.")
        inside &= wanted
    if not inside.any():
        raise InputError("The images have no pixel in common where all of them have data.")
    return [np.where(inside, a, 0.0) for a in arrays], inside


def _levels(values: Image) -> NDArray[np.intp]:
    return np.clip(np.rint(values), 0, 255).astype(np.intp)


def _entropy(counts: NDArray[np.intp]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def _information(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    joint = np.bincount(one * 256 + other, minlength=65536)
    table = joint.reshape(256, 256)
    return _entropy(table.sum(axis=1)) + _entropy(table.sum(axis=0)) - _entropy(joint)


def _pairs(inside: Inside, axis: int) -> Inside:
    size = inside.shape[axis]
    return np.take(inside, range(size - 1), axis) & np.take(inside, range(1, size), axis)


def _edges(image: Image) -> tuple[Image, Image]:
    row, col = (ndimage.sobel(image, axis, mode="nearest") for axis in range(2))
    return np.hypot(row, col), np.arctan(row / np.where(col == 0, 1e-12, col))


def _preserved(strength: Image, angle: Image, fused_strength: Image, fused_angle: Image) -> Image:
    larger = np.maximum(strength, fused_strength)
    ratio = np.minimum(strength, fused_strength) / np.where(larger > 0, larger, 1.0)
    ratio = np.where(larger > 0, ratio, 1.0)
    turned = 1 - np.abs(angle - fused_angle) / (np.pi / 2)
    return _sigmoid(ratio, *_EDGE) * _sigmoid(turned, *_ANGLE)


def _sigmoid(value: Image, gain: float, slope: float, centre: float) -> Image:
    return np.asarray(gain / (1 + np.exp(slope * (value - centre))))
