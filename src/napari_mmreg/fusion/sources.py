"""An image to be fused, read part by part as robust luminance and colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.imaging.grey import find_range, grey_block
from napari_mmreg.imaging.normalise import PERCENTILES
from napari_mmreg.imaging.outliers import without_outliers

SAMPLE_PIXELS = 1_000_000
"""About so many pixels, evenly spread, say what becomes black and white."""

_GREY = 1e-3
"""Colour channels that differ by less, in parts of the image's range, show no colour."""

Part = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One of the two images.

    Attributes
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
        As `check_image` returns it; read part by part, never copied.
    valid : ndarray of bool, shape (H, W), or None
        Where it may be used.
    value_range : (number, number)
        Its least and greatest value.
    black, white : float
        Parts of this range that become 0 and 1; equal if the image is constant.
    coloured : bool
        Whether its channels differ anywhere that was looked at.
    """

    image: NDArray[Any]
    valid: NDArray[np.bool_] | None
    value_range: tuple[Any, Any]
    black: float
    white: float
    coloured: bool

    def luminance(self, part: Part) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a part as luma (BT.601) in [0, 1], and where it has data."""
        grey, known = grey_block(self.image[part], *self.value_range)
        if self.valid is not None:
            known = known & self.valid[part]
        return np.clip(self._scaled(grey), 0, 1), known

    def colour(self, part: Part) -> NDArray[np.float32]:
        """Return how far each channel lies from the luma: float32 (h, w, 3), not clipped.

        This is what the chroma of YCbCr holds, in another basis.
        """
        channels = np.stack(
            [grey_block(self.image[part][..., c], *self.value_range)[0] for c in range(3)], -1
        )
        luma = grey_block(self.image[part][..., :3], *self.value_range)[0]
        span = (self.white - self.black) or 1.0
        return np.asarray((channels - luma[..., None]) / np.float32(span), dtype=np.float32)

    def _scaled(self, grey: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.white == self.black:
            return np.full_like(grey, 0.5)  # nothing tells black from white
        span = np.float32(self.white - self.black)
        return (grey - np.float32(self.black)) / span


def measure_source(
    image: NDArray[Any],
    valid: NDArray[np.bool_] | None,
    name: str,
    check: Callable[[], None],
) -> Source:
    """Find an image's range, its black and white by percentiles, and whether it has colour.

    Parameters
    ----------
    image : ndarray
        As `check_image` returns it.
    valid : ndarray of bool, shape (H, W), or None
        Where it may be used.
    name : str
        What messages call it.
    check : callable
        Raises to stop.

    Raises
    ------
    InputError
        If none of its values is finite.
    """
    value_range = find_range(image, name, check)
    stride = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / SAMPLE_PIXELS)))
    sample = image[::stride, ::stride]
    grey, known = grey_block(sample, *value_range)
    if valid is not None:
        known = known & valid[::stride, ::stride]
    values = grey[known]
    if values.size:
        values = np.clip(values, *without_outliers(image, valid, value_range))
    black, white = (float(v) for v in np.percentile(values, PERCENTILES)) if values.size else (0, 0)
    if black == white and values.size:  # a few bright spots, or constant
        black, white = float(values.min()), float(values.max())
    return Source(image, valid, value_range, black, white, _has_colour(sample, value_range))


def _has_colour(sample: NDArray[Any], value_range: tuple[Any, Any]) -> bool:
    """Whether it is more than a grey image stored with three channels."""
    if sample.ndim == 2:
        return False
    red, green, blue = (grey_block(sample[..., c], *value_range)[0] for c in range(3))
    return bool(max(np.abs(red - green).max(), np.abs(blue - green).max()) > _GREY)
