"""Registration error at points, on the whole grid and at the corners.

These definitions are used everywhere: by the dock, the command line, training and benchmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Transform
from napari_mmreg.geometry.landmarks import as_points
from napari_mmreg.imaging import check_spacing


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkError:
    """How far mapped landmarks are from where they should be.

    Attributes
    ----------
    errors : ndarray of float64, shape (n,)
        Distance per landmark pair; infinite where the transform has no answer.
    unit : {"px", "physical"}
        Pixels of the moving image, or the unit of the spacing that was given.

    Notes
    -----
    RFNet (CVPR 2022) calls `rmse`, `max` and `median` RMSE, "MAE" and "MEE".
    """

    errors: NDArray[np.float64]
    unit: Literal["px", "physical"] = "px"

    @property
    def mean(self) -> float:
        """Mean error."""
        with np.errstate(over="ignore"):
            return float(self.errors.mean())

    @property
    def rmse(self) -> float:
        """Root of the mean squared error."""
        with np.errstate(over="ignore"):
            return float(np.sqrt(np.square(self.errors).mean()))

    @property
    def median(self) -> float:
        """Median error (RFNet's "MEE"); robust against a misplaced landmark."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.median(self.errors))

    @property
    def max(self) -> float:
        """Largest error (RFNet's "MAE")."""
        return float(self.errors.max())

    def summary(self) -> dict[str, Any]:
        """Return the numbers as a dict, for reports."""
        return {
            "count": int(self.errors.size),
            "unit": self.unit,
            "mean": self.mean,
            "rmse": self.rmse,
            "median": self.median,
            "max": self.max,
        }


def landmark_error(
    transform: Transform,
    fixed_points: ArrayLike,
    moving_points: ArrayLike,
    spacing: float | tuple[float, float] | None = None,
) -> LandmarkError:
    """Compare the mapped fixed landmarks with the moving ones.

    Parameters
    ----------
    transform : Transform
        Fixed to moving.
    fixed_points, moving_points : array_like of shape (n, 2)
        Corresponding points, ``(row, col)`` in pixels of the fixed and the moving image.
    spacing : float or (float, float), optional
        Size of a *moving* pixel along rows and columns. With it the errors are physical.

    Returns
    -------
    LandmarkError

    Raises
    ------
    InputError
        If there are no points, or they are not finite pairs.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers. The error of a pair is
    ``|transform.map(fixed) - moving|``, measured in the moving image. Use landmarks that the
    transform was not fitted on: its own inliers are always good.
    """
    fixed = _points(fixed_points, "fixed")
    moving = _points(moving_points, "moving")
    if fixed.shape != moving.shape:
        raise InputError(
            f"There are {len(fixed)} fixed but {len(moving)} moving landmarks. Each needs its "
            "partner, in the same order."
        )
    if not isinstance(transform, Transform):
        raise InputError(
            f"The transform is a {type(transform).__name__}; pass a Transform, for example "
            "napari_mmreg.Transform.load(path), or a result's `transform`."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        offsets = transform.map(fixed) - moving
        if spacing is not None:
            offsets = offsets * check_spacing(spacing, "moving")
    return LandmarkError(_length(offsets), "px" if spacing is None else "physical")


def endpoint_error(found: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    """Return the distance between two displacement fields: float64 (H, W).

    Parameters
    ----------
    found, true : array_like of shape (H, W, 2)
        Displacements in pixels on one grid, as `Transform.displacement` gives them. Where
        `found` is NaN the error is infinite: no answer is a wrong answer.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    one, other = np.asarray(found, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 3 or one.shape[-1] != 2:
        raise InputError(
            f"Displacement fields of one shape (H, W, 2) are needed, not {one.shape} and "
            f"{other.shape}."
        )
    return _length(one - other)


def grid_error(found: ArrayLike, true: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the mean endpoint error over the pixels of a mask: RE on the grid, in pixels.

    Parameters
    ----------
    found, true : array_like of shape (H, W, 2)
        See `endpoint_error`.
    mask : array_like of bool, shape (H, W), optional
        The pixels that count, usually where the true position lies in the moving frame.

    Raises
    ------
    InputError
        If the shapes differ or the mask is empty.
    """
    errors = endpoint_error(found, true)
    if mask is None:
        return float(errors.mean())
    inside = np.asarray(mask, dtype=bool)
    if inside.shape != errors.shape or not inside.any():
        raise InputError(
            f"The mask has the shape {inside.shape} and {int(inside.sum())} pixels; it needs the "
            f"shape {errors.shape} and at least one."
        )
    return float(errors[inside].mean())


def corner_error(found: Transform, true: Transform, shape: tuple[int, ...]) -> float:
    """Return the mean error at the fixed frame's four corner pixels (ACE), in moving pixels.

    Parameters
    ----------
    found, true : Transform
        Fixed to moving.
    shape : tuple of int
        Rows and columns of the fixed image.
    """
    bottom, right = shape[0] - 1, shape[1] - 1
    corners = np.array([[0, 0], [0, right], [bottom, 0], [bottom, right]], dtype=np.float64)
    return float(_length(found.map(corners) - true.map(corners)).mean())


def success_rate(errors: ArrayLike, threshold: float) -> float:
    """Return the share of errors up to a threshold; infinite and NaN errors are failures.

    Parameters
    ----------
    errors : array_like of shape (n,)
        One error per pair or landmark.
    threshold : float
        In the errors' unit.
    """
    return float((_errors(errors) <= threshold).mean())


def recall_auc(errors: ArrayLike, threshold: float) -> float:
    """Return the area under the recall-error curve up to a threshold, divided by it: [0, 1].

    The exact area under the step function; NaN and infinite errors are failures.
    """
    return float(np.clip(1.0 - _errors(errors) / threshold, 0.0, None).mean())


def _errors(errors: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(errors, dtype=np.float64).ravel()
    if array.size == 0:
        raise InputError("There are no errors to summarise.")
    return np.where(np.isnan(array), np.inf, array)


def _length(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        length = np.hypot(offsets[..., 0], offsets[..., 1])
    return np.where(np.isnan(length), np.inf, length)


def _points(points: ArrayLike, name: str) -> NDArray[np.float64]:
    array = as_points(points, name)
    if array.ndim != 2 or array.shape[1] != 2 or len(array) == 0:
        raise InputError(
            f"The {name} landmarks have the shape {array.shape}; pass (n, 2) for n points "
            "(row, col), at least one."
        )
    if not np.isfinite(array).all():
        raise InputError(f"Some {name} landmarks are not finite. Remove these pairs.")
    return array
