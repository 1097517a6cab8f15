"""`ThinPlateTransform`: the smoothest bend through landmark pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import npz
from napari_mmreg.geometry.inversion import SmoothTransform
from napari_mmreg.geometry.numbers import as_numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MAX_POINTS = 5000
"""Landmarks of a spline that is read from a file: solving for them takes n cubed steps."""

_ANCHORS = 16
"""Anchors along each side of the landmarks' bounding box, for the inverse's first guess."""


class ThinPlateTransform(SmoothTransform):
    """A thin-plate spline from fixed to moving landmarks.

    Build it with `fit_landmarks`, which explains what is wrong with unusable landmarks.

    Parameters
    ----------
    fixed_points, moving_points : array_like of float, shape (n, 2)
        Pairs, ``(row, col)`` in pixels; at least 3 that do not lie on a line.
    smoothing : float
        0 passes through every pair; larger values bend less, towards an affine map. It does
        not depend on the images' resolution: coordinates are scaled to the landmarks' spread.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving, pixel centres at integers. Defined
    everywhere, but far from the landmarks only as good as their affine trend.
    """

    kind = "thin-plate"

    def __init__(
        self, fixed_points: ArrayLike, moving_points: ArrayLike, smoothing: float = 0.0
    ) -> None:
        from scipy.interpolate import RBFInterpolator

        fixed = as_numbers(fixed_points, "Fixed landmarks", error=TransformError).copy()
        moving = as_numbers(moving_points, "Moving landmarks", error=TransformError).copy()
        if fixed.ndim != 2 or fixed.shape[1] != 2 or fixed.shape != moving.shape:
            raise TransformError(
                "A thin-plate spline needs as many moving as fixed landmarks, both of shape "
                f"(n, 2), not {fixed.shape} and {moving.shape}."
            )
        if not (np.isfinite(fixed).all() and np.isfinite(moving).all()):
            raise TransformError("Landmarks must be finite numbers; remove the pairs that are not.")
        if not (smoothing >= 0 and np.isfinite(smoothing)):
            raise TransformError(f"The smoothing must be 0 or more, not {smoothing}.")
        self.fixed_points, self.moving_points = fixed, moving
        self.smoothing = float(smoothing)
        for points in (fixed, moving):
            points.flags.writeable = False
        self._center = fixed.mean(axis=0)
        self._spread = float(np.sqrt(np.square(fixed - self._center).sum(axis=1).mean())) or 1.0
        try:
            self._spline = RBFInterpolator(
                self._scaled(fixed),
                moving - fixed,
                kernel="thin_plate_spline",
                smoothing=self.smoothing,
                degree=1,
            )
        except (ValueError, np.linalg.LinAlgError) as error:
            raise TransformError(
                "The landmarks do not determine a thin-plate spline: at least 3 pairs are needed, "
                "at different places and not on one line."
            ) from error

    def to_arrays(self) -> npz.Arrays:
        """Return the landmarks and the smoothing."""
        return {
            "fixed": self.fixed_points,
            "moving": self.moving_points,
            "smoothing": np.array(self.smoothing),
        }

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> ThinPlateTransform:
        """Make it from its landmarks and its smoothing."""
        if len(arrays["fixed"]) > MAX_POINTS:
            raise TransformError(f"A spline in a file may have {MAX_POINTS} landmarks at most.")
        return cls(arrays["fixed"], arrays["moving"], float(arrays["smoothing"]))

    def _scaled(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (points - self._center) / self._spread
        return scaled

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        mapped = np.full(points.shape, np.nan)
        known = np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])
        if known.any():
            mapped[known] = points[known] + self._spline(self._scaled(points[known]))
        return mapped

    def anchors(self) -> NDArray[np.float64]:
        """Return fixed points (n, 2): the landmarks and a grid over their bounding box."""
        low, high = self.fixed_points.min(axis=0), self.fixed_points.max(axis=0)
        axes = [np.linspace(low[axis], high[axis], _ANCHORS) for axis in range(2)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        return np.concatenate([self.fixed_points, grid])

    def in_domain(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True for all finite points: a spline is defined everywhere."""
        return np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])

    def __repr__(self) -> str:
        return f"ThinPlateTransform(<{len(self.fixed_points)} pairs>, smoothing={self.smoothing:g})"
