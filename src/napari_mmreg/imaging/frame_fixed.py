"""Content that belongs to the frame and not to the scene: overlays and defective pixels.

A colour bar, text, a cross or a logo burnt into both images, or the hot pixels of one detector, are
at the same pixels in both with the same values, whatever the scene does: aligned on them, nothing
has ever moved. Two kinds are recognised, conservatively (thresholds are our own, made on `train`):

* *overlays*: sharp steps from one pixel to the next, as drawn and not as seen through a lens,
  that both images have at the same place between the same two values, or to the same black or
  white, many close together;
* *defective pixels*: single pixels far from all their neighbours, at the same places in both.

Where two images are alike everywhere, as an image and itself, nothing is recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_mmreg.imaging.grey import to_grey
from napari_mmreg.imaging.median import median_of_nine

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 1024 * 1024
"""Larger images are looked at on every second, third, ... pixel, which keeps values exact."""

STEP = 0.3
"""Of an image's range; what lenses show rarely changes as much from one pixel to the next."""

SAME = 0.03
"""Of the range; values that differ less are the same."""

CLOSE = 6
"""Pixels between steps of one overlay."""

MIN_STEPS = 24
"""Steps that an overlay has at least."""

MAX_AREA = 0.25
MAX_ALIKE = 0.4
"""Share of the pixels outside overlays that may have the same value in both images."""

MAX_SHARED_STEPS = 0.2
"""Share of the steps elsewhere, half as high, that both images may have: more, and the scene itself
lies at the same place in both."""

GROWTH = 40
"""Pixels by which an overlay's even parts reach beyond its steps."""

RIM = 2
"""Pixels around an overlay that compression may have changed."""

OUTLIER = 1.0
"""Distance of a defective pixel from the median about it, in ranges of the filtered image."""

MIN_DEFECTS, MAX_DEFECTS = 8, 0.1
"""Number, and share of the pixels."""

MIN_SHARED = 0.3
"""Share of the outliers of the image with fewer that the other image has too."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameFixed:
    """What two images have in common at fixed places of the frame.

    Attributes
    ----------
    overlay : ndarray of bool, shape (H, W)
        Where something is drawn into both images.
    defects : ndarray of bool, shape (H, W)
        Single defective pixels.
    """

    overlay: NDArray[np.bool_]
    defects: NDArray[np.bool_]


def find_frame_fixed(fixed: NDArray[Any], moving: NDArray[Any]) -> FrameFixed:
    """Find what is fixed to the frame in both of two images.

    Parameters
    ----------
    fixed, moving : ndarray of shape (H, W) or (H, W, C)
        As `check_image` returns them. Images of two sizes have nothing in common.

    Returns
    -------
    FrameFixed
        On the fixed image's pixels; all False if nothing was recognised.

    Notes
    -----
    *Convention*: (row, col), pixel by pixel.
    """
    shape = fixed.shape[:2]
    nothing = np.zeros(shape, dtype=np.bool_)
    if moving.shape[:2] != shape:
        return FrameFixed(nothing, nothing)
    stride = int(np.ceil(np.sqrt(shape[0] * shape[1] / MAX_PIXELS)))
    (one, one_known), (two, two_known) = (
        to_grey(image[::stride, ::stride]) for image in (fixed, moving)
    )
    known = one_known & two_known
    defects = nothing
    if stride == 1:
        defects = _defects(one, two) & known
        one, two = (_without(grey, defects) for grey in (one, two))
    overlay = _overlay(_unit(one), _unit(two), known)
    if stride > 1:
        overlay = overlay.repeat(stride, axis=0).repeat(stride, axis=1)[: shape[0], : shape[1]]
    return FrameFixed(overlay, defects)


def without_defects(image: NDArray[Any], defects: NDArray[np.bool_]) -> NDArray[Any]:
    """Return an image with the median of its neighbours in place of each defective pixel.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
    defects : ndarray of bool, shape (H, W)

    Returns
    -------
    ndarray
        A copy; the image itself if there are none.
    """
    if not defects.any():
        return image
    if image.ndim == 2:
        return _without(image, defects)
    return np.stack(
        [_without(image[..., index], defects) for index in range(image.shape[2])], axis=-1
    )


def _without(grey: NDArray[Any], defects: NDArray[np.bool_]) -> NDArray[Any]:
    if not defects.any():
        return grey
    mended = grey.copy()
    padded = np.pad(np.where(defects, np.nan, grey.astype(np.float64)), 1, mode="edge")
    rows, cols = np.nonzero(defects)
    around = np.stack([padded[rows + dy, cols + dx] for dy in range(3) for dx in range(3)])
    enough = np.isfinite(around).any(axis=0)
    middle = np.nanmedian(around[:, enough], axis=0)
    mended[rows[enough], cols[enough]] = middle.astype(grey.dtype)
    return mended


def _defects(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where both images have an outlier of the same sign that stands alone."""
    above, below = zip(*(_outliers(grey) for grey in (one, two)), strict=True)
    found = (above[0] & above[1]) | (below[0] & below[1])
    fewer = min(int((up | down).sum()) for up, down in zip(above, below, strict=True))
    count = int(found.sum())
    if count < max(MIN_DEFECTS, MIN_SHARED * fewer) or found.mean() > MAX_DEFECTS:
        return np.zeros_like(found)
    return np.asarray(found)


def _outliers(grey: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    calm = median_of_nine(grey)
    low, high = (float(value) for value in np.percentile(calm, (0.5, 99.5)))
    limit = OUTLIER * max(high - low, 1e-6)
    return grey - calm > limit, calm - grey > limit


def _unit(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = float(grey.min()), float(grey.max())
    return (grey - low) / max(high - low, 1e-12)


def _overlay(
    one: NDArray[np.float32], two: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    nothing = np.zeros(one.shape, dtype=np.bool_)
    same = (np.abs(one - two) <= SAME) & known
    # A thin line is drawn over two different scenes, but in black or white in both.
    extreme = same & ((np.minimum(one, two) >= 1 - SAME) | (np.maximum(one, two) <= SAME))
    steps = nothing.copy()
    for axis in (0, 1):
        head, tail = np.s_[:-1], np.s_[1:]
        before, after = (head, tail) if axis == 0 else ((np.s_[:], head), (np.s_[:], tail))
        ahead, other = np.diff(one, axis=axis), np.diff(two, axis=axis)
        high, low = (of(np.abs(ahead), np.abs(other)) for of in (np.maximum, np.minimum))
        sharp = (high >= STEP) & (low >= STEP / 3) & (ahead * other > 0)
        between = sharp & same[before] & same[after]
        steps[before] |= between | (sharp & extreme[before])
        steps[after] |= between | (sharp & extreme[after])
    if steps.sum() < MIN_STEPS:
        return nothing
    labels, count = ndimage.label(ndimage.distance_transform_edt(~steps) <= CLOSE)
    sizes = np.bincount(labels[steps], minlength=count + 1)
    kept = steps & (sizes >= MIN_STEPS)[labels]
    if not kept.any():
        return nothing
    within = ndimage.distance_transform_edt(~kept) <= GROWTH
    grown = ndimage.binary_propagation(kept, mask=same & within)
    area = ndimage.binary_closing(np.pad(grown, CLOSE), iterations=CLOSE // 2)
    area = ndimage.binary_fill_holes(area)[CLOSE:-CLOSE, CLOSE:-CLOSE]
    area = np.asarray(ndimage.binary_dilation(area, iterations=RIM))
    outside = known & ~area
    if area.mean() > MAX_AREA or not outside.any() or same[outside].mean() > MAX_ALIKE:
        return nothing
    return nothing if _shared_steps(one, two, outside) > MAX_SHARED_STEPS else area


def _shared_steps(
    one: NDArray[np.float32], two: NDArray[np.float32], where: NDArray[np.bool_]
) -> float:
    """Return which share of the sharp steps of either image the other has at the same place."""
    both = either = 0
    for axis in (0, 1):
        use = where[:-1] & where[1:] if axis == 0 else where[:, :-1] & where[:, 1:]
        first, second = (np.abs(np.diff(image, axis=axis)) >= STEP / 2 for image in (one, two))
        both += int((first & second & use).sum())
        either += min(int((first & use).sum()), int((second & use).sum()))
    return both / either if either >= MIN_STEPS else 0.0
