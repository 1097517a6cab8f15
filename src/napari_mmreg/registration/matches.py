"""A model's single matches, brought from its grid to the pixels of the two images (ours)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import Transform, inside

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair

AGREEING = 5.0
"""Median distance, in pixels at 256-px scale, up to which an answer is that of the matches; beyond
it, `certify` calls a registration wrong."""


def matches_to_images(
    pair: Pair, matches: Any, fixed_shape: tuple[int, ...], moving_shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Turn matches on the working grid into matches between the images' own pixels.

    Parameters
    ----------
    pair : Pair
        On whose grid they were found.
    matches : array_like of shape (N, 5)
        Fixed row and column, moving row and column, probability.
    fixed_shape, moving_shape : tuple of int
        Rows and columns of the two images. The grid can reach beyond both of them; matches
        there, or where the initial transform has no answer, are left out.

    Returns
    -------
    ndarray of float32, shape (M, 5)

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers. As for `imaging.grid_to_image`, the
    grid of the moving side includes the initial transform.
    """
    values = np.asarray(matches, dtype=np.float64).reshape(-1, 5)
    fixed = pair.fixed_from_grid.map(values[:, :2])
    moving = pair.moving_from_grid.map(values[:, 2:4])
    seen = inside(fixed, fixed_shape) & inside(moving, moving_shape)
    lifted: NDArray[np.float32] = np.hstack([fixed, moving, values[:, 4:]])[seen].astype(np.float32)
    return lifted


def agree(
    matches: NDArray[np.float32], transform: Transform, moving_shape: tuple[int, ...]
) -> bool:
    """Whether a transform is what the matches say; refinement may have turned that down.

    Parameters
    ----------
    matches : ndarray of float32, shape (N, 5)
        In pixels of the images.
    transform : Transform
        Fixed to moving pixels; what is handed back.
    moving_shape : tuple of int
    """
    apart = np.linalg.norm(transform.map(matches[:, :2]) - matches[:, 2:4], axis=1)
    apart = apart[np.isfinite(apart)]
    return not apart.size or float(np.median(apart)) * 256 / max(moving_shape[:2]) <= AGREEING
