"""Transforms from landmark pairs, and what to tell the user when the pairs do not make one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry.matrix import MatrixTransform
from napari_mmreg.geometry.numbers import as_numbers
from napari_mmreg.geometry.thinplate import ThinPlateTransform
from napari_mmreg.geometry.transform import Transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

LandmarkKind = Literal["translation", "rigid", "similarity", "affine", "homography", "tps"]

MINIMUM_PAIRS: dict[str, int] = {
    "translation": 1,
    "rigid": 2,
    "similarity": 2,
    "affine": 3,
    "homography": 4,
    "tps": 3,
}
"""Pairs that each kind needs at least."""

_ESTIMATORS = {
    "rigid": "euclidean",
    "similarity": "similarity",
    "affine": "affine",
    "homography": "projective",
}

_SAME_PLACE = 1e-3
"""Landmarks closer than this, in pixels, are the same place clicked twice."""

_THIN = 1e-3
"""Width over length of a cloud of points that counts as a line."""


def fit_landmarks(
    fixed_points: ArrayLike,
    moving_points: ArrayLike,
    kind: LandmarkKind = "affine",
    smoothing: float = 0.0,
    *,
    allow_reflection: bool = False,
    names: Sequence[str] | None = None,
) -> Transform:
    """Fit a transform to landmark pairs.

    Parameters
    ----------
    fixed_points, moving_points : array_like of float, shape (n, 2)
        ``(row, col)`` in pixels of the fixed and of the moving image; row i of both is a pair.
    kind : {"translation", "rigid", "similarity", "affine", "homography", "tps"}
        The matrices are least-squares fits, the thin-plate spline goes through the pairs.
    smoothing : float
        For the spline only: 0 passes through every pair, larger values bend less.
    allow_reflection : bool
        Accept pairs that mirror the image (rigid and similarity transforms cannot).
    names : sequence of str, optional
        What messages call the pairs; counted from 1 by default.

    Returns
    -------
    Transform
        Fixed to moving.

    Raises
    ------
    InputError
        If the points are no pairs of numbers, too few for the kind, or not at different places.
    TransformError
        If the pairs lie on a line, mirror the image or contradict each other.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving, pixel centres at integers.
    """
    fixed, moving = check_pairs(fixed_points, moving_points)
    called = pair_names(names, len(fixed))
    _check_kind(kind, len(fixed), smoothing)
    _check_distinct(fixed, "fixed", called)
    _check_distinct(moving, "moving", called)
    if kind == "translation":
        return MatrixTransform.translation((moving - fixed).mean(axis=0))
    if kind in ("affine", "homography", "tps"):
        _check_spread(fixed, "fixed", kind, called)
        _check_spread(moving, "moving", kind, called)
    if not (allow_reflection and kind in ("affine", "homography", "tps")):
        _check_orientation(fixed, moving, called)
    if kind == "tps":
        return ThinPlateTransform(fixed, moving, smoothing)
    from skimage.transform import estimate_transform

    # The estimators treat both axes alike, so that (row, col) in gives (row, col) out.
    estimate = estimate_transform(_ESTIMATORS[kind], fixed, moving)
    matrix = np.asarray(getattr(estimate, "params", np.nan))
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise TransformError(
            f"The pairs do not determine a transform of kind {kind}; spread them over the image "
            "or choose a simpler kind."
        )
    if kind == "homography":
        matrix = _face_forward(matrix, fixed, called)
    transform = MatrixTransform(matrix)
    transform.inverse()  # a singular fit is of no use: raise here
    return transform


def check_pairs(
    fixed_points: ArrayLike, moving_points: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as arrays; raise `InputError` if they are no finite pairs of points."""
    fixed, moving = as_points(fixed_points, "fixed"), as_points(moving_points, "moving")
    for points, name in ((fixed, "fixed"), (moving, "moving")):
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(f"The {name} points need the shape (n, 2), but have {points.shape}.")
        unknown = np.flatnonzero(~np.isfinite(points).all(axis=1))
        if unknown.size:
            raise InputError(
                f"The {name} point of pair {unknown[0] + 1} is not a finite number; "
                "place it again or remove the pair."
            )
    if len(fixed) != len(moving):
        raise InputError(
            f"There are {len(fixed)} fixed but {len(moving)} moving points; every point needs its "
            "partner, in the same order."
        )
    return fixed, moving


def as_points(points: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return points as float64, of whatever shape; raise `InputError` if they are no numbers.

    Text, missing values of tables, complex and masked numbers are none.
    """
    advice = "pass an array of numbers, (row, col) for every point."
    return as_numbers(points, f"The {name} landmarks", advice).copy()


def pair_names(names: Sequence[str] | None, count: int) -> Sequence[str]:
    """Return what messages call pairs: their names, or their numbers from 1."""
    return [str(number + 1) for number in range(count)] if names is None else names


def _check_kind(kind: str, count: int, smoothing: float) -> None:
    if kind not in MINIMUM_PAIRS:
        raise InputError(f"The kind {kind!r} is unknown; choose one of {', '.join(MINIMUM_PAIRS)}.")
    if count < MINIMUM_PAIRS[kind]:
        raise InputError(
            f"A transform of kind {kind} needs at least {MINIMUM_PAIRS[kind]} pairs, and there "
            f"are {count}; add {MINIMUM_PAIRS[kind] - count} or choose a simpler kind."
        )
    if not (smoothing >= 0 and np.isfinite(smoothing)):
        raise InputError(f"The smoothing must be 0 or more, not {smoothing}.")


def _check_distinct(points: NDArray[np.float64], name: str, called: Sequence[str]) -> None:
    from scipy.spatial import KDTree

    same = sorted(KDTree(points).query_pairs(_SAME_PLACE))
    if same:
        first, second = same[0]
        raise InputError(
            f"Pairs {called[first]} and {called[second]} have the same {name} point; remove one "
            "of them."
        )


def aspect_ratio(points: NDArray[np.float64]) -> float:
    """Return width over length of a cloud of points (n, 2); 0 for a line or a single place."""
    singular = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(singular[1] / singular[0]) if len(singular) > 1 and singular[0] > 0 else 0.0


def _check_spread(points: NDArray[np.float64], name: str, kind: str, called: Sequence[str]) -> None:
    if aspect_ratio(points) < _THIN:
        raise TransformError(
            f"All {name} points lie on one line, which leaves a transform of kind {kind} "
            "undetermined; add a pair beside the line or choose similarity."
        )
    if kind != "homography":
        return
    for odd in range(len(points)):
        if aspect_ratio(np.delete(points, odd, axis=0)) < _THIN:
            raise TransformError(
                f"All {name} points but that of pair {called[odd]} lie on one line, which leaves a "
                "homography undetermined; add another pair beside the line or choose affine."
            )


def orientation(fixed: NDArray[np.float64], moving: NDArray[np.float64]) -> float:
    """Return the determinant of the affine trend; 0 where the points do not tell."""
    if len(fixed) < 3 or min(aspect_ratio(fixed), aspect_ratio(moving)) < 20 * _THIN:
        return 0.0
    design, response = fixed - fixed.mean(axis=0), moving - moving.mean(axis=0)
    linear = np.linalg.lstsq(design, response, rcond=None)[0]
    return float(np.linalg.det(linear))


def _check_orientation(
    fixed: NDArray[np.float64], moving: NDArray[np.float64], called: Sequence[str]
) -> None:
    """Raise if the pairs mirror the image, which is nearly always a mistake in their order."""
    if orientation(fixed, moving) >= 0:
        return
    for odd in range(len(fixed)):
        if orientation(np.delete(fixed, odd, axis=0), np.delete(moving, odd, axis=0)) > 0:
            raise TransformError(
                f"The pairs mirror the image unless pair {called[odd]} is left out; check that its "
                "points show the same place."
            )
    raise TransformError(
        f"The {len(fixed)} pairs mirror the image: probably two moving points are swapped. Check "
        "their order; if one picture really is mirrored, flip it first."
    )


def _face_forward(
    matrix: NDArray[np.float64], fixed: NDArray[np.float64], called: Sequence[str]
) -> NDArray[np.float64]:
    """Choose the sign of a homography that puts all landmarks before its horizon."""
    weight = fixed @ matrix[2, :2] + matrix[2, 2]
    if (weight > 0).all():
        return matrix
    if (weight < 0).all():
        return -matrix
    minority = weight < 0 if np.count_nonzero(weight > 0) * 2 >= len(weight) else weight > 0
    odd = int(np.flatnonzero(minority)[0]) if minority.any() else int(np.argmin(np.abs(weight)))
    raise TransformError(
        "No camera sees all the pairs like this: the homography's horizon runs between them. "
        f"Check pair {called[odd]}, or choose affine."
    )
