"""Known misalignments: a matrix after a smooth elastic field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    MatrixTransform,
    Transform,
    pixel_grid,
    warp_image,
)

_KNOTS_BEYOND = 2
"""Random knots outside the canvas on each side, so that splines have no border effect."""


@dataclass(frozen=True, slots=True)
class Misalignment:
    """How far the moving image of a sample is from the fixed one.

    Attributes
    ----------
    rotation_degrees : float
        About the frame's centre; positive turns the row axis towards the column axis.
    scale : float
        Moving pixels per fixed pixel.
    translation : (float, float)
        ``(row, col)`` in pixels.
    perspective : (float, float)
        Relative change of scale from the frame's centre to its border, along rows and columns.
    elastic : float
        Largest length of the elastic displacement, in pixels.
    wavelength : float
        Distance of the elastic field's random knots, in pixels.
    seed : int
        Fixes the elastic field.

    Notes
    -----
    *Convention*: fixed to moving, ``(row, col)`` pixels, pixel centres at integers. The elastic
    field comes first, on the fixed grid, then perspective, scale, rotation and shift.
    """

    rotation_degrees: float = 0.0
    scale: float = 1.0
    translation: tuple[float, float] = (0.0, 0.0)
    perspective: tuple[float, float] = (0.0, 0.0)
    elastic: float = 0.0
    wavelength: float = 100.0
    seed: int = 0

    def matrix(self, shape: tuple[int, int]) -> MatrixTransform:
        """Return the matrix part for a fixed frame of `shape`."""
        centre = (np.array(shape) - 1) / 2
        to_centre, back = np.eye(3), np.eye(3)
        to_centre[:2, 2], back[:2, 2] = -centre, centre
        tilt = np.eye(3)
        tilt[2, :2] = np.array(self.perspective) / centre
        turn = MatrixTransform.from_params(
            rotation_degrees=self.rotation_degrees, scale=self.scale, translation=self.translation
        )
        return MatrixTransform(back @ turn.matrix @ tilt @ to_centre)

    def transform(self, shape: tuple[int, int], margin: tuple[int, int] = (0, 0)) -> Transform:
        """Return the whole transform for a fixed frame of `shape`.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns of the fixed frame.
        margin : (int, int)
            Rows and columns around the frame in which the transform can be inverted too.
        """
        matrix = self.matrix(shape)
        if not self.elastic:
            return matrix
        height, width = shape[0] + 2 * margin[0], shape[1] + 2 * margin[1]
        field = smooth_field((height, width), self.elastic, self.wavelength, self.seed)
        placed = MatrixTransform.translation((-margin[0], -margin[1]))
        return CompositeTransform([DisplacementTransform(field, placed), matrix])


def smooth_field(
    shape: tuple[int, int], length: float, wavelength: float, seed: int
) -> NDArray[np.float32]:
    """Return a random field of cubic splines whose longest displacement is `length` pixels.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the field.
    length : float
        Length of the longest displacement, in pixels.
    wavelength : float
        Distance of the random knots, in pixels.
    seed : int
        The same seed gives the same field.

    Returns
    -------
    ndarray of float32, shape (H, W, 2)
        ``(row, col)`` displacements in pixels.
    """
    random = np.random.default_rng(seed)
    grid = pixel_grid(slice(0, shape[0]), slice(0, shape[1])) / wavelength + _KNOTS_BEYOND
    knots = np.ceil(grid.max(axis=(0, 1))).astype(int) + _KNOTS_BEYOND + 1
    positions = np.moveaxis(grid, -1, 0)
    field = np.stack(
        [ndimage.map_coordinates(random.standard_normal(knots), positions) for _ in range(2)],
        axis=-1,
    )
    field *= length / np.linalg.norm(field, axis=-1).max()
    return field.astype(np.float32)


def misalign(
    canvas: NDArray[Any], margin: tuple[int, int], truth: Transform, *, order: int = 3
) -> NDArray[Any]:
    """Take the moving image of a sample out of its aligned canvas.

    Parameters
    ----------
    canvas : ndarray of shape (H, W) or (H, W, C)
        The moving sensor's image, aligned with the fixed sensor's and larger than the frame
        by `margin` on every side, so that what the warp brings in at the border is real.
    margin : (int, int)
        Rows and columns of the canvas before the frame begins.
    truth : Transform
        Fixed to moving, in pixels of the frame.
    order : {1, 3}
        Linear or cubic interpolation.

    Returns
    -------
    ndarray of the frame's shape, in the canvas' dtype
        ``moving(truth(p)) = canvas(p + margin)``. What the canvas does not hold is NaN in
        floating-point images and zero in others.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, pixel centres at integers.
    """
    height, width = canvas.shape[0] - 2 * margin[0], canvas.shape[1] - 2 * margin[1]
    grid = pixel_grid(slice(0, height), slice(0, width))
    fill = np.nan if canvas.dtype.kind == "f" else None
    return warp_image(canvas, truth.inverse().map(grid) + margin, order=order, fill=fill)


def crop(canvas: NDArray[Any], margin: tuple[int, int]) -> NDArray[Any]:
    """Cut the frame out of a canvas that is larger by `margin` on every side."""
    rows, cols = margin
    return canvas[rows : canvas.shape[0] - rows, cols : canvas.shape[1] - cols].copy()
