"""Choosing a level of a multiscale image, such as napari's, by a pixel budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL_BUDGET = 4096 * 4096
"""Pixels that a level may have by default: registration reduces it further."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One level of a multiscale image.

    Attributes
    ----------
    data : array_like of shape (H, W) or (H, W, C)
        The level itself, not copied; may be lazy (dask, zarr).
    index : int
        Its place in the pyramid, 0 being the full resolution.
    scale : (float, float)
        Full-resolution pixels per pixel of this level, along rows and columns. The level's
        pixel spacing is the image's times this.
    """

    data: Any
    index: int
    scale: tuple[float, float]

    @property
    def full_from_level(self) -> MatrixTransform:
        """Level pixels to full-resolution pixels; the levels' frames coincide.

        Notes
        -----
        *Convention*: (row, col), pixel centres at integers, so ``full = (level + 0.5) * scale
        - 0.5``.
        """
        matrix = np.diag([*self.scale, 1.0])
        matrix[:2, 2] = (np.asarray(self.scale) - 1.0) / 2.0
        return MatrixTransform(matrix)


def pick_level(levels: Sequence[Any], budget: int = LEVEL_BUDGET) -> Level:
    """Return the finest level within a pixel budget, or the coarsest if none is.

    Parameters
    ----------
    levels : sequence of array_like
        From fine to coarse, each (H, W) or (H, W, C). Nothing is computed or copied.
    budget : int
        Rows times columns that the level may have.

    Raises
    ------
    InputError
        If there is no level, a level is not 2-D, or they do not go from fine to coarse.
    """
    if len(levels) == 0:
        raise InputError("The multiscale image has no levels. Pass at least one array.")
    shapes = [tuple(int(n) for n in level.shape[:2]) for level in levels]
    if any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise InputError(
            f"The levels have the shapes {[tuple(level.shape) for level in levels]}. Pass 2-D "
            "levels, (rows, columns) or RGB(A) with the channels last; of a stack, one slice."
        )
    sizes = [rows * cols for rows, cols in shapes]
    if sizes != sorted(sizes, reverse=True):
        raise InputError("The levels do not go from fine to coarse. Sort them by size.")
    within = [index for index, size in enumerate(sizes) if size <= budget]
    index = within[0] if within else len(levels) - 1
    full, shape = shapes[0], shapes[index]
    return Level(levels[index], index, (full[0] / shape[0], full[1] / shape[1]))
