"""`MatrixTransform`: an affine map or a homography."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import npz
from napari_mmreg.geometry.numbers import as_numbers
from napari_mmreg.geometry.transform import ALGEBRA, Transform


class MatrixTransform(Transform):
    """An affine map or a homography.

    Parameters
    ----------
    matrix : array_like of shape (3, 3)
        Homogeneous matrix acting on ``(row, col, 1)``, fixed to moving.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving, pixel centres at integers. Points
    with a homogeneous coordinate ``w <= 0`` lie behind the horizon of a homography and map
    to NaN, so the sign of a homography's matrix matters.
    """

    kind = "matrix"

    def __init__(self, matrix: ArrayLike) -> None:
        array = as_numbers(matrix, "A matrix's values", error=TransformError).copy()
        if array.shape != (3, 3):
            raise TransformError(
                f"A matrix transform needs a 3x3 matrix on (row, col, 1), not {array.shape}."
            )
        if not np.isfinite(array).all():
            raise TransformError("The matrix has values that are not finite; estimate it again.")
        if not array[2].any():
            raise TransformError("The matrix has an empty last row; it should be (0, 0, 1).")
        if not array[2, :2].any():
            array /= array[2, 2]
        elif abs(array[2, 2]) > 1e-9 * np.abs(array[2]).max():
            array /= abs(array[2, 2])
        array.flags.writeable = False
        self._matrix = array

    def to_arrays(self) -> npz.Arrays:
        """Return the matrix."""
        return {"matrix": self._matrix}

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> MatrixTransform:
        """Make it from its matrix."""
        return cls(arrays["matrix"])

    @classmethod
    def identity(cls) -> MatrixTransform:
        """Return the transform that moves nothing."""
        return cls(np.eye(3))

    @classmethod
    def translation(cls, offset: ArrayLike) -> MatrixTransform:
        """Return the shift by `offset`, ``(row, col)`` in pixels: moving = fixed + offset."""
        matrix = np.eye(3)
        matrix[:2, 2] = offset
        return cls(matrix)

    @classmethod
    def from_params(
        cls,
        *,
        rotation_degrees: float = 0.0,
        scale: float | tuple[float, float] = 1.0,
        shear: float = 0.0,
        translation: tuple[float, float] = (0.0, 0.0),
        center: tuple[float, float] = (0.0, 0.0),
    ) -> MatrixTransform:
        """Build an affine map: shear, then scale, then rotate about `center`, then shift.

        Parameters
        ----------
        rotation_degrees : float
            Positive turns the row axis towards the column axis.
        scale : float or (float, float)
            Moving pixels per fixed pixel, along rows and columns.
        shear : float
            Adds ``shear * col`` to the row.
        translation, center : (float, float)
            ``(row, col)`` in pixels.

        Notes
        -----
        *Convention*: ``(row, col)``, fixed to moving, pixel centres at integers.
        """
        angle = np.deg2rad(rotation_degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(np.broadcast_to(scale, 2))
        linear = linear @ np.array([[1.0, shear], [0.0, 1.0]])
        about = np.asarray(center, dtype=np.float64)
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        matrix[:2, 2] = about - linear @ about + np.asarray(translation)
        return cls(matrix)

    @classmethod
    def from_xy(cls, matrix: ArrayLike) -> MatrixTransform:
        """Build from a 3x3 matrix on ``(x, y, 1)``, as OpenCV and scikit-image use."""
        return cls(cls(matrix).matrix_xy)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 3x3 matrix on ``(row, col, 1)``, fixed to moving; read-only."""
        return self._matrix

    @property
    def matrix_xy(self) -> NDArray[np.float64]:
        """The same matrix on ``(x, y, 1)``."""
        return np.asarray(self._matrix[np.ix_([1, 0, 2], [1, 0, 2])])

    @property
    def is_affine(self) -> bool:
        """Whether the last row is (0, 0, 1)."""
        return not self._matrix[2, :2].any()

    @property
    def is_identity(self) -> bool:
        """Whether nothing moves at all."""
        return bool(np.array_equal(self._matrix, np.eye(3)))

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        mapped: NDArray[np.float64] = points @ self._matrix[:2, :2].T + self._matrix[:2, 2]
        if self.is_affine:
            return mapped
        weight = points @ self._matrix[2, :2] + self._matrix[2, 2]
        weight[weight <= 0] = np.nan
        mapped /= weight[:, None]
        return mapped

    def inverse(self) -> MatrixTransform:
        """Return the exact inverse; raise `TransformError` if the matrix is singular."""
        # Rows and columns differ by orders of magnitude (1/px against px), so the test for
        # singularity is the inverse itself, not the matrix's condition number.
        try:
            inverse = np.linalg.inv(self._matrix)
        except np.linalg.LinAlgError:
            inverse = np.full((3, 3), np.nan)
        scale = np.abs(inverse) @ np.abs(self._matrix)
        if not np.isfinite(scale).all() or scale.max() > 1e14:
            raise TransformError(
                "The matrix is singular: it flattens the image to a line or a point and has no "
                "inverse. Check the landmarks or the initial transform it came from."
            )
        return cast("MatrixTransform", self._swapped(MatrixTransform(inverse)))

    def __repr__(self) -> str:
        return f"MatrixTransform({np.array2string(self._matrix, precision=6, separator=', ')})"


def resizing(scale: tuple[float, float]) -> MatrixTransform:
    """Return the map to the same frame with `scale` times as many pixels along each axis."""
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = 0.5 * np.array(scale) - 0.5
    return MatrixTransform(matrix)


ALGEBRA.resizing = resizing
