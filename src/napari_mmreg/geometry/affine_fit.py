"""What of a displacement field no affine transform does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FITTED_PIXELS = 100_000
"""About so many say which affine map fits best; more would say the same."""


def beyond_affine(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a field does beyond the affine map that fits it best: what bends.

    The map is fitted to all finite vectors alike by least squares. The split is ours.

    Parameters
    ----------
    field : ndarray of float32, shape (h, w, 2)
        (row, col); NaN where undefined, and so is the answer.
    """
    rows, cols = np.nonzero(np.isfinite(field).all(axis=-1))
    if not len(rows):
        return field
    step = max(1, len(rows) // _FITTED_PIXELS)
    rows, cols = rows[::step], cols[::step]
    # Centred and scaled: squares of thousands of pixels would cost digits.
    size = float(max(field.shape[:2]))
    terms = np.column_stack([np.ones(len(rows)), rows / size, cols / size])
    fitted, *_ = np.linalg.lstsq(terms, field[rows, cols].astype(np.float64), rcond=None)
    at_row = np.arange(field.shape[0])[:, None, None] / size
    at_col = np.arange(field.shape[1])[None, :, None] / size
    return np.asarray(field - (fitted[0] + at_row * fitted[1] + at_col * fitted[2]), np.float32)
