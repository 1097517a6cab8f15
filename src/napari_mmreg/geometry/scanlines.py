"""Where the lines of the two directions of a bidirectional scan lie."""

from __future__ import annotations

import numpy as np

from napari_mmreg.geometry.matrix import MatrixTransform

LINES = (2, 1)
"""Image rows and columns per row and column of a direction."""


def direction_grid(direction: int) -> MatrixTransform:
    """Return where the pixels of a direction lie in the interlaced image.

    Parameters
    ----------
    direction : {0, 1}
        Forward or backward.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers: (i, j) is at (2 i + direction, j).
    """
    return MatrixTransform(np.array([[2.0, 0.0, direction], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))


def same_place() -> MatrixTransform:
    """Return forward to backward pixels at the same place of the image: half a row up."""
    return MatrixTransform.translation((-1 / LINES[0], 0.0))
