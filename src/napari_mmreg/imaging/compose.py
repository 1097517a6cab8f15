"""Laying two images over each other: pure arrays, as fast as numpy slices go."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Mode = Literal["overlay", "blend", "curtain", "checkerboard", "flicker", "beside"]
Shown = NDArray[np.uint8]


def to_shown(
    image: NDArray[Any],
    limits: tuple[float, float] | None,
    valid: NDArray[np.bool_] | None = None,
) -> Shown:
    """Return an image as it is shown: uint8; black where it has no data.

    Parameters
    ----------
    image : ndarray of shape (h, w) or (h, w, C)
        Colour is kept; float colour is in [0, 1].
    limits : (float, float) or None
        Grey values that become black and white; the range of the data if None.
    valid : ndarray of bool, shape (h, w), optional

    Returns
    -------
    ndarray of uint8, shape (h, w) or (h, w, 3)
    """
    if image.ndim == 3:
        colour = image[..., :3]
        if colour.dtype != np.uint8:
            top = 1.0 if colour.dtype.kind == "f" else float(np.iinfo(colour.dtype).max)
            colour = _scaled(colour, 0.0, top)
        shown = np.array(colour, dtype=np.uint8)
    else:
        low, high = limits if limits is not None else _range(image)
        shown = _scaled(image, low, high)
    if valid is not None:
        shown[~valid] = 0
    return shown


def _range(image: NDArray[Any]) -> tuple[float, float]:
    finite = image[np.isfinite(image)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _scaled(values: NDArray[Any], low: float, high: float) -> Shown:
    largest = max(abs(low), abs(high))
    if low < high and not (max(1e-30, 1e-5 * largest) < high - low < 1e30):
        with np.errstate(all="ignore"):  # beyond float32, or too fine for it
            ends = values.astype(np.float64) / largest - low / largest
        low, high, values = 0.0, high / largest - low / largest, ends
    with np.errstate(over="ignore"):  # far beyond the limits is black or white
        grey = np.subtract(values, low, dtype=np.float32)
        grey *= 255 / (high - low if high > low else 1.0)
    np.nan_to_num(grey, copy=False, nan=0.0)
    return np.asarray(np.clip(grey, 0, 255, out=grey), dtype=np.uint8)


def to_grey(shown: Shown) -> Shown:
    """Return the luma of a shown image, uint8 (h, w)."""
    if shown.ndim == 2:
        return shown
    # Integer weights in 1/256 (BT.601): no float copy of the image.
    luma = shown[..., 0] * np.uint16(77)
    luma += shown[..., 1] * np.uint16(150)
    luma += shown[..., 2] * np.uint16(29)
    return np.asarray(luma >> 8, dtype=np.uint8)


def to_rgb(shown: Shown) -> Shown:
    """Return a shown image with three channels."""
    return np.repeat(shown[..., None], 3, axis=-1) if shown.ndim == 2 else shown


def compose(
    fixed: Shown, other: Shown, mode: Mode, amount: float, *, second: bool = False
) -> Shown:
    """Lay two images over each other.

    Parameters
    ----------
    fixed, other : ndarray of uint8, shape (h, w) or (h, w, 3)
    mode : str
        ``overlay``: fixed in green, other in magenta, grey where they agree; ``blend``: mixed;
        ``curtain``: fixed left of the line, other right of it; ``checkerboard``: tiles;
        ``flicker``: one or the other, see `second`; ``beside``: the fixed one, a gap, the other.
    amount : float
        Share of the other image for overlay (0.5: both full) and blend, place of the curtain,
        each in [0, 1]; side of a tile in pixels for the checkerboard.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        With ``beside`` as wide as both and the gap, or, of wide images, as high.
    """
    if mode == "overlay":
        return _overlay(to_grey(fixed), to_grey(other), amount)
    if fixed.ndim != other.ndim:
        fixed, other = to_rgb(fixed), to_rgb(other)
    return to_rgb(_mixed(fixed, other, mode, amount, second))


def _mixed(fixed: Shown, other: Shown, mode: Mode, amount: float, second: bool) -> Shown:
    if mode == "blend":
        share = round(amount * 256)
        mixed = fixed.astype(np.uint16) * (256 - share) + other.astype(np.uint16) * share
        return (mixed >> 8).astype(np.uint8)
    if mode == "curtain":
        return _curtain(fixed, other, amount)
    if mode == "checkerboard":
        return _checkerboard(fixed, other, max(round(amount), 1))
    if mode == "beside":
        return _beside(fixed, other)
    return other if second else fixed


def _overlay(fixed: Shown, other: Shown, amount: float) -> Shown:
    out = np.empty((*fixed.shape, 3), dtype=np.uint8)
    green, magenta = min(2 * (1 - amount), 1.0), min(2 * amount, 1.0)
    out[..., 1] = fixed if green == 1 else fixed * np.float32(green)
    out[..., 0] = other if magenta == 1 else other * np.float32(magenta)
    out[..., 2] = out[..., 0]
    return out


def _curtain(fixed: Shown, other: Shown, amount: float) -> Shown:
    width = fixed.shape[1]
    at = round(amount * width)
    out = other.copy()
    out[:, :at] = fixed[:, :at]
    if 0 < at < width:  # a line, thick enough to be seen when the image is shown smaller
        half = max(width // 800, 1)
        out[:, max(at - 2 * half, 0) : at + 2 * half] = 0  # its edges are seen on white
        out[:, max(at - half, 0) : at + half] = 255
    return out


def _beside(fixed: Shown, other: Shown) -> Shown:
    rows, cols = fixed.shape[:2]
    axis = 1 if cols <= 1.5 * rows else 0
    shape = list(fixed.shape)
    shape[axis] = max(round(0.02 * shape[axis]), 1)
    return np.concatenate([fixed, np.full(shape, 255, np.uint8), other], axis=axis)


def _checkerboard(fixed: Shown, other: Shown, tile: int) -> Shown:
    out = fixed.copy()
    rows, cols = out.shape[:2]
    for index, row in enumerate(range(0, rows, tile)):
        for col in range(tile * (index % 2), cols, 2 * tile):
            part = np.s_[row : row + tile, col : col + tile]
            out[part] = other[part]
    return out
