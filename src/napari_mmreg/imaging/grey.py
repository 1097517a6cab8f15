"""Any image as grey values in [0, 1] with a mask of where it has data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.imaging.checks import check_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""

BLOCK_PIXELS = 4_000_000
"""How many pixels are converted at a time, so that a large image needs no second copy."""


def to_grey(
    image: ArrayLike, value_range: tuple[Any, Any] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Turn an image into grey values and a mask of where it has data.

    Parameters
    ----------
    image : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        Any real dtype. Colour becomes luma (BT.601).
    value_range : (low, high), optional
        Values that become 0 and 1; by default the least and greatest finite value.

    Returns
    -------
    grey : ndarray of float32, shape (H, W)
        In [0, 1] for values within the range; 0 where there is no data.
    mask : ndarray of bool, shape (H, W)
        False where a value is NaN or infinite, and where alpha is 0.

    Raises
    ------
    InputError
        If it is no image that can be registered, or none of its pixels has data.
    """
    array = check_image(image)
    low, high = find_range(array) if value_range is None else value_range
    grey = np.empty(array.shape[:2], dtype=np.float32)
    mask = np.empty(array.shape[:2], dtype=np.bool_)
    for rows in row_blocks(array.shape):
        grey[rows], mask[rows] = grey_block(array[rows], low, high)
    if not mask.any():
        raise InputError("The image is transparent everywhere. Pass its RGB channels only.")
    return grey, mask


def row_blocks(shape: tuple[int, ...], pixels: int = BLOCK_PIXELS) -> Iterator[slice]:
    """Yield slices of rows that hold about `pixels` pixels each."""
    height, width = shape[:2]
    step = max(1, pixels // max(width, 1))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def find_range(
    image: NDArray[Any], name: str = "image", check: Callable[[], None] | None = None
) -> tuple[Any, Any]:
    """Return the least and greatest finite value of the colours, as Python numbers.

    Parameters
    ----------
    image : ndarray
        As `check_image` returns it. Alpha is left out.
    name : str
        What messages call it.
    check : callable, optional
        Called once a block; raises to stop.

    Raises
    ------
    InputError
        If no value is finite.
    """
    lows, highs = [], []
    for rows in row_blocks(image.shape):
        if check is not None:
            check()
        block = _colours(image[rows])
        if block.dtype.kind == "f":
            block = block[np.isfinite(block)]
            if block.size == 0:
                continue
        lows.append(block.min().item())
        highs.append(block.max().item())
    if not lows:
        raise InputError(
            f"The {name} image holds only NaN or infinite values. Check the file it came from."
        )
    return min(lows), max(highs)


def grey_block(
    block: NDArray[Any], low: Any, high: Any
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Convert a block of rows; see `to_grey`."""
    colours = _colours(block)
    unit = _to_unit(colours, low, high)
    if unit.ndim == 3:
        # A channel that is not finite makes the sum not finite.
        with np.errstate(invalid="ignore"):
            unit = unit @ np.asarray(LUMA, dtype=np.float32)
    if block.dtype.kind == "f":
        mask: NDArray[np.bool_] = np.isfinite(unit)
    else:
        mask = np.ones(unit.shape, dtype=np.bool_)
    if block.ndim == 3 and block.shape[2] == 4:
        mask &= block[..., 3] > 0
    unit[~mask] = 0.0
    return unit, mask


def _colours(block: NDArray[Any]) -> NDArray[Any]:
    return block[..., :3] if block.ndim == 3 else block


def _to_unit(values: NDArray[Any], low: Any, high: Any) -> NDArray[np.float32]:
    """Map [low, high] to [0, 1] without losing small differences on a large offset."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    unit: NDArray[np.float32]
    if size <= 2:  # exact in float32
        unit = values.astype(np.float32)
        unit -= np.float32(low)
        unit /= np.float32((float(high) - float(low)) or 1.0)
    elif kind in "iu":
        # Unsigned arithmetic is exact modulo 2**n, and every difference fits.
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        unsigned = np.dtype(f"u{size}")
        offset = native.view(unsigned) - np.asarray(low, native.dtype).view(unsigned)
        unit = (offset.astype(np.float64) / max(high - low, 1)).astype(np.float32)
    else:
        # Halves, since the difference of two float64 may exceed the largest float64.
        half = float(low) / 2
        span = (float(high) / 2 - half) or 1.0
        with np.errstate(invalid="ignore"):  # infinite values stay so, and are masked
            unit = ((values.astype(np.float64) / 2 - half) / span).astype(np.float32)
    return unit
