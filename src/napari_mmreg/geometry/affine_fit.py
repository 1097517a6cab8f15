"""What of a displacement field no affine transform does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLES = 10_000
"""Places at most that the fit looks at."""


def beyond_affine(displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the least-squares affine transform leaves of a displacement field.

    Parameters
    ----------
    displacement : ndarray of float, shape (H, W, 2)
        (row, col) in pixels; not finite where it is unknown, which the fit leaves out.

    Returns
    -------
    ndarray of float32, shape (H, W, 2)
        The same where fewer than three places are known.
    """
    rows, cols = displacement.shape[:2]
    y, x = np.mgrid[:rows, :cols]
    design = np.stack([y.ravel(), x.ravel(), np.ones(rows * cols)], axis=1)
    flat = displacement.reshape(-1, 2)
    known = np.flatnonzero(np.isfinite(flat).all(axis=1))
    if len(known) < 3:
        return np.asarray(displacement, np.float32)
    chosen = known[:: max(1, len(known) // SAMPLES)]
    fit = np.linalg.lstsq(design[chosen], flat[chosen], rcond=None)[0]
    return np.asarray((flat - design @ fit).reshape(displacement.shape), np.float32)
