"""Images that segmenters look at and reports show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.imaging.compose import Shown, compose, to_grey, to_rgb, to_shown
from napari_mmreg.imaging.flow import flow_colour, magnitude

Inside = NDArray[np.bool_]

_PERCENTILES = (0.5, 99.5)
_RISK = ((0.0, (0, 0, 4)), (0.35, (120, 28, 109)), (0.65, (237, 105, 37)), (1.0, (252, 255, 164)))
"""From dark to bright, after matplotlib's inferno."""


def as_picture(image: NDArray[Any], valid: Inside) -> Shown:
    """Return an image as uint8, contrast by percentiles, holes filled from their surroundings.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
    valid : ndarray of bool, shape (H, W)
        Where it has data; elsewhere it takes the nearest value, so that no edge appears.

    Returns
    -------
    ndarray of uint8, shape (H, W) or (H, W, 3)
    """
    colour = image[..., :3] if image.ndim == 3 else image
    known = valid & np.isfinite(colour).reshape(*valid.shape, -1).all(axis=-1)
    if not known.any():
        return np.zeros(colour.shape, dtype=np.uint8)
    low, high = np.percentile(colour[known].astype(np.float64), _PERCENTILES)
    if low == high:
        low, high = float(colour[known].min()), float(colour[known].max())
    shown = _stretched(colour, float(low), float(high))
    if not known.all():
        nearest = ndimage.distance_transform_edt(
            ~known, return_distances=False, return_indices=True
        )
        shown = shown[tuple(nearest)]
    return shown


def _stretched(image: NDArray[Any], low: float, high: float) -> Shown:
    if image.ndim == 2:
        return to_shown(image, (low, high))
    return np.stack([to_shown(image[..., c], (low, high)) for c in range(image.shape[2])], axis=-1)


def overlay(fixed: Shown, other: Shown, valid: Inside) -> Shown:
    """Return fixed in green and the other in magenta; outside `valid` only fixed."""
    shown = to_grey(other).copy()
    shown[~valid] = 0
    return compose(fixed, shown, "overlay", 0.5)


def checkerboard(fixed: Shown, other: Shown) -> Shown:
    """Return both in turn, eight tiles along the longer side."""
    return compose(fixed, other, "checkerboard", max(fixed.shape[:2]) / 8)


def flow_picture(displacement: NDArray[np.float32]) -> tuple[Shown, float]:
    """Return the flow as colours, and the length in pixels that is fully saturated."""
    length = magnitude(displacement)
    known = length[np.isfinite(length)]
    full = max(float(np.percentile(known, 99)), 0.1) if known.size else 1.0
    return flow_colour(displacement, full), full


def risk_picture(probability: NDArray[Any]) -> Shown:
    """Return probabilities as colours from black over red to yellow."""
    places = [place for place, _ in _RISK]
    values = np.clip(np.nan_to_num(probability), 0, 1)
    channels = [np.interp(values, places, [colour[c] for _, colour in _RISK]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def masks_picture(picture: Shown, labels: NDArray[Any], other: NDArray[Any] | None = None) -> Shown:
    """Return an image with objects tinted by their id, and others' outlines in white."""
    shown = to_rgb(to_grey(picture)).astype(np.float32) * 0.75
    for number in np.unique(labels[labels > 0]):
        shown[labels == number] = 0.45 * shown[labels == number] + 0.55 * np.array(colour(number))
    if other is not None:
        edge = (ndimage.grey_erosion(other, size=(3, 3)) != other) & (other > 0)
        shown[edge] = 255
    return shown.astype(np.uint8)


def colour(number: int) -> tuple[int, int, int]:
    """Return an object's colour, bright, and far from those of its neighbours' ids."""
    import colorsys

    hue = (int(number) * 0.61803398875) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
