"""A transform from landmark pairs, alone or on top of another one, and its error left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import RegistrationError
from napari_mmreg.geometry import (
    MINIMUM_PAIRS,
    LandmarkKind,
    ResidualTransform,
    Transform,
    correct_transform,
    fit_landmarks,
    rbf_correction,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How landmark pairs become a transform.

    Attributes
    ----------
    kind : {"translation", "rigid", "similarity", "affine", "homography", "tps"}
        What is fitted to the landmarks alone; see `fit_landmarks`.
    spline_smoothing : float
        For the thin plate.
    strength, reach, smoothing
        For correcting another transform; see `correct_transform`.
    """

    kind: LandmarkKind = "affine"
    spline_smoothing: float = 0.0
    strength: float = 1.0
    reach: float | None = None
    smoothing: float | None = None


def pairs_needed(base: Transform | None, settings: FitSettings) -> int:
    """Return how many pairs a transform takes at least."""
    return MINIMUM_PAIRS[settings.kind] if base is None else 1


def fit_pairs(
    base: Transform | None,
    fixed: Points,
    moving: Points,
    settings: FitSettings,
    names: Sequence[str] | None = None,
) -> Transform:
    """Return the transform that pairs make.

    Parameters
    ----------
    base : Transform or None
        What is corrected; None: the landmarks alone decide.
    fixed, moving : ndarray of float64, shape (n, 2)
        ``(row, col)`` in pixels of the fixed and of the moving image.
    settings : FitSettings
    names : sequence of str, optional
        What messages call the pairs; counted from 1 by default.

    Raises
    ------
    InputError, TransformError
        As `fit_landmarks` and `correct_transform`.
    """
    if base is None:
        return fit_landmarks(fixed, moving, settings.kind, settings.spline_smoothing, names=names)
    return correct_transform(
        base,
        fixed,
        moving,
        strength=settings.strength,
        reach=settings.reach,
        smoothing=settings.smoothing,
        names=names,
    )


def left_out(
    base: Transform | None, fixed: Points, moving: Points, settings: FitSettings
) -> Points:
    """Return by how much the other pairs miss each pair: (n, 2), in moving pixels.

    The honest error of a fit: no pair judges a transform that it helped to make. NaN where
    the others do not determine one. Parameters as in `fit_pairs`.
    """
    missing = np.full_like(fixed, np.nan)
    if base is not None:
        return _left_out_of_bend(base, fixed, moving, settings) if len(fixed) > 1 else missing
    if len(fixed) <= MINIMUM_PAIRS[settings.kind]:
        return missing
    for row in range(len(fixed)):
        others = np.arange(len(fixed)) != row
        try:
            fitted = fit_pairs(None, fixed[others], moving[others], settings)
        except RegistrationError:
            continue
        missing[row] = moving[row] - fitted.map(fixed[row])
    return missing


def _left_out_of_bend(
    base: Transform, fixed: Points, moving: Points, settings: FitSettings
) -> Points:
    reached = base.map(fixed)
    known = np.isfinite(reached).all(axis=1)
    missing = np.full_like(fixed, np.nan)
    if known.sum() > 1:
        bend: ResidualTransform = rbf_correction(
            reached[known], moving[known], settings.strength, settings.reach, settings.smoothing
        )
        missing[known] = bend.offsets_left_out()
    return missing
