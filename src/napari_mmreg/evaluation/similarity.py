"""How alike two images are, within a mask.

Similarity does not certify geometry. A method that copies content, smears or shrinks the
overlap can look more similar while every landmark is worse (RFNet's own table shows one), and
two sensors may differ where they are perfectly aligned. Report these numbers beside the
registration error at landmarks, on the valid overlap only, never instead of it.

All functions take two grey images of one shape, real values, and an optional mask of the
pixels that count. They return NaN where the measure is undefined (no pixel, or no contrast).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.imaging import fill_invalid

Image = NDArray[np.float64]

_MIND_REACH = 6
"""Neighbours at a distance of 2 pixels, and patches that reach 4 further."""


def ncc(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the zero-mean normalised cross-correlation, in [-1, 1].

    For images of one sensor; between sensors its sign may turn round. See `gradient_ncc`.

    Parameters
    ----------
    first, second : array_like of shape (H, W)
    mask : array_like of bool, shape (H, W), optional
        The pixels that count.
    """
    one, other, inside = _prepare(first, second, mask)
    return _correlation(one[inside], other[inside])


def gradient_ncc(
    first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None, sigma: float = 1.0
) -> float:
    """Return the NCC of the gradients' magnitudes: whether edges lie on edges, in [-1, 1].

    Less dependent on the sensor than `ncc`: an inverted image has the same edges.

    Parameters
    ----------
    first, second : array_like of shape (H, W)
    mask : array_like of bool, shape (H, W), optional
        The pixels that count; those whose gradient looks outside it do not.
    sigma : float
        Scale of the Gaussian derivative, in pixels.
    """
    one, other, inside = _prepare(first, second, mask)
    reach = int(4.0 * sigma + 0.5)
    inside = ndimage.minimum_filter(inside, 2 * reach + 1, mode="nearest")
    edges = [
        ndimage.gaussian_gradient_magnitude(image, sigma, mode="nearest") for image in (one, other)
    ]
    return _correlation(edges[0][inside], edges[1][inside])


def nmi(
    first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None, bins: int = 64
) -> float:
    """Return Studholme's normalised mutual information, in [1, 2].

    ``(H(a) + H(b)) / H(a, b)``: 1 for independent images, 2 if one determines the other,
    whatever the grey values mean.

    Parameters
    ----------
    first, second : array_like of shape (H, W)
    mask : array_like of bool, shape (H, W), optional
        The pixels that count.
    bins : int
        Histogram bins per image.
    """
    one, other, inside = _prepare(first, second, mask)
    if not inside.any() or np.ptp(one[inside]) == 0 or np.ptp(other[inside]) == 0:
        return float("nan")
    joint = np.histogram2d(one[inside], other[inside], bins=bins)[0]
    joint /= joint.sum()
    marginals = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return marginals / _entropy(joint)


def psnr(
    first: ArrayLike,
    second: ArrayLike,
    mask: ArrayLike | None = None,
    data_range: float | None = None,
) -> float:
    """Return the peak signal-to-noise ratio in decibels; infinite for equal images.

    For images of one sensor only.

    Parameters
    ----------
    first, second : array_like of shape (H, W)
    mask : array_like of bool, shape (H, W), optional
        The pixels that count.
    data_range : float, optional
        Greatest possible minus least possible value, for instance 255; by default what the
        two images span within the mask.
    """
    one, other, inside = _prepare(first, second, mask)
    peak = _data_range(one, other, inside, data_range)
    if not inside.any() or peak == 0:
        return float("nan")
    error = float(np.square(one[inside] - other[inside]).mean())
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def ssim(
    first: ArrayLike,
    second: ArrayLike,
    mask: ArrayLike | None = None,
    data_range: float | None = None,
) -> float:
    """Return the structural similarity, in [-1, 1].

    The common definition: 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03. Only
    windows that lie entirely in the mask count. For images of one sensor.

    Parameters
    ----------
    first, second : array_like of shape (H, W)
    mask : array_like of bool, shape (H, W), optional
        The pixels that count.
    data_range : float, optional
        See `psnr`.

    References
    ----------
    Wang, Z. et al. (2004), Image quality assessment: from error visibility to structural
    similarity, IEEE Trans. Image Process. 13(4).
    """
    from skimage.metrics import structural_similarity

    one, other, inside = _prepare(first, second, mask)
    peak = _data_range(one, other, inside, data_range)
    whole = ndimage.minimum_filter(inside, 11, mode="constant", cval=0)
    if not whole.any() or peak == 0:
        return float("nan")
    _, similarity = structural_similarity(
        np.where(inside, one, 0.0),
        np.where(inside, other, 0.0),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=peak,
        full=True,
    )
    return float(similarity[whole].mean())


def mind_distance(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the mean absolute difference of the MIND-SSC descriptors, in [0, 1].

    0 for images of the same local structure, whatever their grey values. Needs torch.

    Parameters
    ----------
    first, second : array_like of shape (H, W)
    mask : array_like of bool, shape (H, W), optional
        The pixels that count; those whose descriptor looks outside it do not.
    """
    import torch

    from napari_mmreg.nn.mind import mind_ssc

    one, other, inside = _prepare(first, second, mask)
    if not inside.any():
        return float("nan")
    # The descriptor knows the image's mean contrast: a step to zeros would raise it.
    filled = [fill_invalid(image.astype(np.float32), inside) for image in (one, other)]
    inside = ndimage.minimum_filter(inside, 2 * _MIND_REACH + 1, mode="nearest")
    if not inside.any():
        return float("nan")
    with torch.inference_mode():
        descriptors = [
            mind_ssc(torch.from_numpy(np.ascontiguousarray(image))[None, None])[0]
            for image in filled
        ]
        difference = (descriptors[0] - descriptors[1]).abs().mean(dim=0).numpy()
    return float(difference[inside].mean())


def _prepare(
    first: ArrayLike, second: ArrayLike, mask: ArrayLike | None
) -> tuple[Image, Image, NDArray[np.bool_]]:
    """Check shapes; what is not finite is taken out of the mask and set to zero."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 2 or one.shape != other.shape:
        raise InputError(
            f"Two grey images of one shape are needed, not {one.shape} and {other.shape}. Compare "
            "on one grid, and colour images channel by channel or as grey (imaging.to_grey)."
        )
    inside = np.isfinite(one) & np.isfinite(other)
    if mask is not None:
        wanted = np.asarray(mask, dtype=bool)
        if wanted.shape != one.shape:
            raise InputError(f"The mask has the shape {wanted.shape}, the images {one.shape}.")
        inside &= wanted
    return np.where(inside, one, 0.0), np.where(inside, other, 0.0), inside


def _correlation(one: Image, other: Image) -> float:
    if one.size == 0 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    one, other = one - one.mean(), other - other.mean()
    norm = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float((one * other).sum() / norm) if norm > 0 else float("nan")


def _data_range(one: Image, other: Image, inside: NDArray[np.bool_], given: float | None) -> float:
    if given is not None:
        if not np.isfinite(given) or given <= 0:
            raise InputError(f"The data range {given} is not a positive number.")
        return float(given)
    if not inside.any():
        return 0.0
    low = min(one[inside].min(), other[inside].min())
    return float(max(one[inside].max(), other[inside].max()) - low)


def _entropy(probabilities: Image) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())
