"""From a working grid to the images' own pixels, and to a coarser grid of the same pair."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging.checks import MIN_SIDE
from napari_mmreg.imaging.normalise import fill_invalid, normalise
from napari_mmreg.imaging.reduce import reduce_area

if TYPE_CHECKING:
    from napari_mmreg.imaging.pair import Pair


def grid_to_image(pair: Pair, transform: Transform) -> Transform:
    """Turn a transform of the working grid into one between the images' own pixels.

    Parameters
    ----------
    pair : Pair
    transform : Transform
        Working-grid pixels, fixed to moving.

    Returns
    -------
    Transform
        Fixed pixels to moving pixels.

    Notes
    -----
    *Convention*: ``moving_from_grid o transform o inverse(fixed_from_grid)``; (row, col),
    pixel centres at integers, fixed to moving (pull).
    """
    inner = transform.compose(pair.fixed_from_grid.inverse())
    return pair.moving_from_grid.compose(inner)


def image_to_grid(pair: Pair, transform: Transform) -> Transform:
    """Turn a transform between the images' own pixels into one of the working grid.

    Undoes `grid_to_image`.

    Parameters
    ----------
    pair : Pair
        Whose initial transform is a matrix.
    transform : Transform
        Fixed pixels to moving pixels.

    Returns
    -------
    Transform
        Working-grid pixels, fixed to moving.

    Notes
    -----
    *Convention*: ``inverse(moving_from_grid) o transform o fixed_from_grid``; (row, col), pixel
    centres at integers, fixed to moving (pull).
    """
    return pair.moving_from_grid.inverse().compose(transform.compose(pair.fixed_from_grid))


def change_grid(transform: Transform, source: Pair, target: Pair) -> Transform:
    """Carry a transform from one working grid to another of the same two images.

    Parameters
    ----------
    transform : Transform
        On the grid of `source`, fixed to moving.
    source, target : Pair
        Prepared from the same images, spacings and initial transform, with other budgets.

    Returns
    -------
    Transform
        On the grid of `target`; `grid_to_image` of either is the same transform.

    Raises
    ------
    TransformError
        If the two pairs do not start from the same initial transform.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving. Both grids include
    the same initial transform, so only the fixed frame's matrices are needed.
    """
    source_from_target = source.fixed_from_grid.inverse().compose(target.fixed_from_grid)
    middle = np.array(target.shape) / 2
    expected = source.moving_from_grid.map(source_from_target.map(middle))
    if not np.allclose(expected, target.moving_from_grid.map(middle), atol=1e-3, equal_nan=True):
        raise TransformError(
            "The two working grids do not belong to the same images and initial transform. "
            "Prepare both pairs from the same input."
        )
    inner = transform.compose(source_from_target)
    return source_from_target.inverse().compose(inner)


def downsample(pair: Pair, budget: int) -> Pair:
    """Return the pair on a coarser grid of at most `budget` pixels, by averaging areas.

    Parameters
    ----------
    pair : Pair
    budget : int
        Pixels that the grid may have; only ever exceeded to keep 16 rows and columns.

    Returns
    -------
    Pair
        The pair itself if it is within the budget.

    Notes
    -----
    *Convention*: coarse pixel ``i`` has its centre at ``(i + 0.5) * factor - 0.5``; (row, col).
    """
    size = np.array(pair.shape)
    if size.prod() <= budget:
        return pair
    factor = float(np.sqrt(size.prod() / budget))
    while np.ceil(size / factor - 0.5).prod() > budget:
        factor *= 1.001  # rounding up went over the budget
    factor = max(1.0, min(factor, size.min() / MIN_SIDE))
    fixed, fixed_mask = _downsample_image(pair.fixed, pair.fixed_mask, factor, "fixed")
    moving, moving_mask = _downsample_image(pair.moving, pair.moving_mask, factor, "moving")
    matrix = np.diag([factor, factor, 1.0])
    matrix[:2, 2] = (factor - 1) / 2
    fine_from_coarse = MatrixTransform(matrix)
    return replace(
        pair,
        fixed=fixed,
        moving=moving,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        fixed_from_grid=MatrixTransform(pair.fixed_from_grid.matrix @ matrix),
        moving_from_grid=pair.moving_from_grid.compose(fine_from_coarse),
    )


def _downsample_image(
    grey: NDArray[np.float32], mask: NDArray[np.bool_], factor: float, name: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    reduced = reduce_area(grey, mask, (factor, factor), name)
    return fill_invalid(normalise(reduced.grey, reduced.mask, name), reduced.mask), reduced.mask
