"""`Pair`: two images on one common working grid, ready for any model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mmreg.geometry import MatrixTransform, Transform


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Pair:
    """Fixed and moving image on one common working grid.

    The grid has isotropic pixels. It is the fixed frame, grown where the moving frame
    reaches beyond it under the initial transform, so that what lies outside the fixed
    frame is not lost. Where an image has no data its mask is False and its value is
    filled from the nearest valid pixel (a black border would be an edge).

    Attributes
    ----------
    fixed, moving : ndarray of float32, shape (h, w)
        Grey values, robustly scaled to [0, 1].
    fixed_mask, moving_mask : ndarray of bool, shape (h, w)
        True where the image has data that may be used.
    fixed_from_grid : MatrixTransform
        Working-grid pixels to fixed pixels.
    moving_from_grid : Transform
        Working-grid pixels to moving pixels: the initial transform after `fixed_from_grid`. A
        matrix unless the initial transform bends.
    fixed_excluded, moving_excluded : ndarray of bool, shape (h, w), or None
        What detection took out of the masks: outside a warped frame or an aperture, and content
        fixed to the frame. None if nothing was found.
    fixed_modality, moving_modality : str or None
        What the user said about the sensors, e.g. ``"visible"``, ``"infrared"``.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers. A model predicts a transform of
    this grid, fixed to moving (pull); `grid_to_image` turns it into one between image pixels.
    """

    fixed: NDArray[np.float32]
    moving: NDArray[np.float32]
    fixed_mask: NDArray[np.bool_]
    moving_mask: NDArray[np.bool_]
    fixed_from_grid: MatrixTransform
    moving_from_grid: Transform
    fixed_modality: str | None = None
    moving_modality: str | None = None
    fixed_excluded: NDArray[np.bool_] | None = None
    moving_excluded: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the working grid."""
        rows, cols = self.fixed.shape
        return rows, cols
