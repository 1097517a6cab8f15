"""Transforms between physical points instead of pixels, as most files hold them.

*Convention*: ``(row, col)``; the images' first pixels lie at the physical origin without a
rotation, so that physical = spacing * index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, Transform
from napari_mmreg.geometry.units import check_spacing
from napari_mmreg.geometry.warp import check_shape, for_tiles, pixel_grid
from napari_mmreg.limits import check_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.geometry.units import Spacing


@dataclass(frozen=True, eq=False)
class PhysicalField:
    """A displacement field on a grid along the axes.

    Attributes
    ----------
    displacement : ndarray of float32, shape (h, w, 2)
        Physical, ``(row, col)``: moving point = fixed point + displacement.
    spacing, origin : (float, float)
        Of the grid, physical, ``(row, col)``.
    """

    displacement: NDArray[np.float32]
    spacing: Spacing
    origin: Spacing


def spacing_matrix(spacing: Spacing) -> MatrixTransform:
    """Return the scaling from pixels to physical units, ``(row, col)``.

    Raises
    ------
    InputError
        If the spacing is not two positive numbers.
    """
    check_spacing(spacing)
    return MatrixTransform(np.diag([*spacing, 1.0]))


def to_physical_matrix(
    transform: Transform, fixed_spacing: Spacing, moving_spacing: Spacing
) -> MatrixTransform | None:
    """Return an affine transform between physical points; None for all others."""
    simple = transform.compose(MatrixTransform.identity())  # a chain of one becomes that one
    if not (isinstance(simple, MatrixTransform) and simple.is_affine):
        return None
    to_fixed, to_moving = spacing_matrix(fixed_spacing), spacing_matrix(moving_spacing)
    return MatrixTransform(to_moving.matrix @ simple.matrix @ to_fixed.inverse().matrix)


def to_physical_field(
    transform: Transform,
    fixed_shape: tuple[int, ...] | None,
    fixed_spacing: Spacing,
    moving_spacing: Spacing,
) -> PhysicalField:
    """Sample a transform between physical points.

    Parameters
    ----------
    transform : Transform
        Fixed to moving pixels.
    fixed_shape : tuple of int, optional
        Rows and columns of the fixed image, whose pixels are the grid. Not needed for
        displacement fields, which bring their own grid.
    fixed_spacing, moving_spacing : (float, float)
        Physical size of a pixel, ``(row, col)``.

    Raises
    ------
    InputError
        If a grid is needed and not given, or larger than the limit for files.
    TransformError
        If the transform has no answer somewhere on the grid.
    """
    to_fixed, to_moving = spacing_matrix(fixed_spacing), spacing_matrix(moving_spacing)
    grid, (height, width) = _sampling_grid(transform, fixed_shape)
    check_bytes((height, width, 2), 4, "The displacement field")
    field = np.empty((height, width, 2), dtype=np.float32)

    def fill_tile(rows: slice, cols: slice) -> None:
        points = grid.map(pixel_grid(rows, cols))
        field[rows, cols] = to_moving.map(transform.map(points)) - to_fixed.map(points)

    for_tiles((height, width), fill_tile)
    unknown = np.isnan(field).any(axis=-1).mean()
    if unknown:
        raise TransformError(
            f"The transform has no answer on {100 * unknown:.3g} % of the grid, which such a file "
            "cannot store; save it as .npz, or give a smaller fixed_shape."
        )
    placed = to_fixed.matrix @ grid.matrix
    return PhysicalField(
        field,
        (float(placed[0, 0]), float(placed[1, 1])),
        (float(placed[0, 2]), float(placed[1, 2])),
    )


def from_physical(
    physical: Transform, fixed_spacing: Spacing, moving_spacing: Spacing
) -> Transform:
    """Return the transform between pixels for one between physical points."""
    to_fixed, to_moving = spacing_matrix(fixed_spacing), spacing_matrix(moving_spacing)
    if isinstance(physical, DisplacementTransform) and fixed_spacing == moving_spacing:
        grid = MatrixTransform(to_fixed.inverse().matrix @ physical.grid.matrix)
        with np.errstate(invalid="ignore"):  # signalling NaN, from damaged files
            field = physical.field / np.asarray(fixed_spacing, dtype=np.float32)
        return DisplacementTransform(field, grid)
    return to_moving.inverse().compose(physical.compose(to_fixed))


def _sampling_grid(
    transform: Transform, fixed_shape: tuple[int, ...] | None
) -> tuple[MatrixTransform, tuple[int, int]]:
    """Return where a field is sampled, in fixed pixels, and how many rows and columns it has."""
    if fixed_shape is not None:
        return MatrixTransform.identity(), check_shape(fixed_shape)
    if isinstance(transform, DisplacementTransform):
        linear = transform.grid.matrix[:2, :2]
        if np.array_equal(linear, np.diag(np.diag(linear))) and (np.diag(linear) > 0).all():
            return transform.grid, check_shape(transform.field.shape)
    raise InputError(
        "Such a file holds this transform as a displacement field; give the fixed image's shape "
        "(fixed_shape) to sample it on."
    )
