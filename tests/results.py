"""A small real `RegistrationResult` for tests of what comes after a registration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.registration import RegistrationResult
from napari_mmreg.registration.error_estimate import TOLERANCE, ErrorEstimate


def off(probability: ArrayLike) -> ErrorEstimate:
    """Return errors that exceed the default tolerance with this probability, in [0, 1]."""
    chance = np.clip(np.asarray(probability, float), 1e-9, 1 - 1e-9)
    median = TOLERANCE * (chance / (1 - chance)) ** 0.5
    return ErrorEstimate(median.astype(np.float32), np.full(chance.shape, 0.5, np.float32))


def make_result(
    fixed: ArrayLike, moving: ArrayLike, transform: Transform, **changes: Any
) -> RegistrationResult:
    """Return the result of two images and a transform, fixed to moving; `changes` are its fields.

    It starts from the identity, was computed on the images' own pixels, is ``"ok"`` and takes a
    misregistration of 25 % for likely everywhere.
    """
    fixed, moving = np.asarray(fixed), np.asarray(moving)
    shape = fixed.shape[:2]
    values: dict[str, Any] = {
        "transform": transform,
        "initial": MatrixTransform.identity(),
        "registered": transform.resample(moving, shape),
        "status": "ok",
        "reasons": (),
        "model": "classical",
        "answer_of": changes.get("model", "classical"),
        "fixed_shape": shape,
        "moving_shape": moving.shape[:2],
        "metrics": {"similarity_before": 0.31, "similarity_after": 0.82},
        "fixed_from_grid": MatrixTransform.identity(),
        "fixed_from_model_grid": MatrixTransform.identity(),
        "grid_errors": off(np.full(shape, 0.25)),
        "grid_errors_before": off(np.full(shape, 0.5)),
        "timings": {"Global alignment": 1.5},
        "provenance": {"seed": 0},
    }
    return RegistrationResult(**{**values, **changes})
