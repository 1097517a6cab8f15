"""`DisplacementTransform`: a dense or coarse field of displacements."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import npz
from napari_mmreg.geometry.inversion import SmoothTransform
from napari_mmreg.geometry.matrix import MatrixTransform
from napari_mmreg.geometry.numbers import as_numbers
from napari_mmreg.geometry.transform import Transform
from napari_mmreg.geometry.warp import check_shape, inside

_ANCHORS = 48
"""Anchors along each side of the field for the inverse's first guess."""

_FEW = 16
"""Points that are looked at before all are."""


class DisplacementTransform(SmoothTransform):
    """A transform given by displacements on a grid, linear in between.

    Parameters
    ----------
    displacement : array_like of float, shape (H, W, 2)
        ``moving position = fixed position + displacement``, ``(row, col)`` in **fixed pixels**
        whatever the grid's spacing. Kept as float32 and not copied if it is that already; do
        not change it afterwards. NaN marks places without an answer.
    grid : MatrixTransform, optional
        Places the field's own indices in fixed pixels: ``fixed = grid(index)``. By default the
        field has one value per fixed pixel. A field with one value per ``s`` pixels has the
        grid ``(index + 0.5) * s - 0.5``, see `coarse`.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving, pixel centres at integers. Outside the
    field its border values are replicated, so `map` has an answer there; the inverse answers
    with NaN where it would leave the field.
    """

    kind = "displacement"

    def __init__(self, displacement: ArrayLike, grid: MatrixTransform | None = None) -> None:
        field = as_numbers(displacement, "Displacements", dtype=np.float32, error=TransformError)
        if field.ndim != 3 or field.shape[-1] != 2 or 0 in field.shape:
            raise TransformError(
                f"A displacement field needs the shape (rows, columns, 2), not {field.shape}."
            )
        if any(np.isinf(row).any() for row in field):  # no mask of a whole large field
            raise TransformError(
                "The displacement field has infinite values, or some beyond float32; mark "
                "them as NaN."
            )
        if grid is not None and not grid.is_affine:
            raise TransformError("The grid of a displacement field must be affine.")
        self._field = field.view()
        self._field.flags.writeable = False
        self._grid = MatrixTransform.identity() if grid is None else grid
        self._index_from_fixed = self._grid.inverse()

    def to_arrays(self) -> npz.Arrays:
        """Return the field and its grid's matrix."""
        return {"field": self._field, "grid": self._grid.matrix}

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> DisplacementTransform:
        """Make it from its field and its grid's matrix."""
        return cls(arrays["field"], MatrixTransform(arrays["grid"]))

    @classmethod
    def coarse(cls, displacement: ArrayLike, shape: tuple[int, ...]) -> DisplacementTransform:
        """Stretch a coarse field over a fixed frame of `shape`; values stay in fixed pixels.

        Notes
        -----
        *Convention*: the frames' borders coincide, as in `resize_displacement`:
        ``fixed = (index + 0.5) * s - 0.5`` with ``s`` the ratio of the sizes along each axis.
        """
        field = as_numbers(displacement, "Displacements", dtype=np.float32, error=TransformError)
        scale = np.array(check_shape(shape)) / np.array(check_shape(field.shape))
        matrix = np.diag([*scale, 1.0])
        matrix[:2, 2] = 0.5 * scale - 0.5
        return cls(field, MatrixTransform(matrix))

    @classmethod
    def from_transform(cls, transform: Transform, shape: tuple[int, ...]) -> DisplacementTransform:
        """Sample any transform at every pixel of a fixed grid of `shape`."""
        return cls(transform.displacement(shape))

    @property
    def field(self) -> NDArray[np.float32]:
        """The stored displacements, float32 (H, W, 2) in fixed pixels; read-only."""
        return self._field

    @property
    def grid(self) -> MatrixTransform:
        """Where the field's indices lie in fixed pixels."""
        return self._grid

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        index = points if self._grid.is_identity else self._index_from_fixed.map(points)
        known = np.isfinite(index[:, 0]) & np.isfinite(index[:, 1])
        where = np.where(known[:, None], index, 0.0).T
        mapped = points.copy()
        if _are_whole(where[:, :_FEW]) and _are_whole(where):  # the field's own places
            last = np.array(self._field.shape[:2])[:, None] - 1
            mapped += self._field[tuple(np.clip(where, 0, last).astype(np.intp))]
            mapped[~known] = np.nan
            return mapped
        for axis in range(2):
            mapped[:, axis] += ndimage.map_coordinates(
                self._field[..., axis], where, order=1, mode="nearest", output=np.float64
            )
        mapped[~known] = np.nan
        return mapped

    def displacement(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Sample on a fixed grid, see `Transform.displacement`; the field itself if it fits."""
        if self._grid.is_identity and check_shape(shape) == self._field.shape[:2]:
            return self._field.copy()
        return super().displacement(shape)

    def anchors(self) -> NDArray[np.float64]:
        """Return fixed points (n, 2) spread evenly over the field, its corners included."""
        rows, cols = (np.linspace(0, n - 1, min(n, _ANCHORS)) for n in self._field.shape[:2])
        index = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
        return self._grid.map(index)

    def in_domain(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which fixed points (n, 2) lie in the area that the field's pixels cover."""
        return inside(self._index_from_fixed.map(points), self._field.shape)

    def __repr__(self) -> str:
        height, width, _ = self._field.shape
        placed = "" if self._grid.is_identity else f", grid={self._grid!r}"
        return f"DisplacementTransform(<{height}x{width} field>{placed})"


def _are_whole(numbers: NDArray[np.float64]) -> bool:
    return np.array_equal(numbers, np.rint(numbers))
