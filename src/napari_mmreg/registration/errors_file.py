"""How large the errors of a result probably are, kept in a file beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.registration.error_estimate import ErrorEstimate

FORMAT = "napari-mmreg errors"
VERSION = 1
_SCALE = "px of an image whose longer side has 256 px"


@dataclass(frozen=True, slots=True, eq=False)
class SavedErrors:
    """What `RegistrationResult` says of its error, with the grid that it is on.

    Attributes
    ----------
    after, before : ErrorEstimate
        Of the result and of the input, (h, w).
    whole : ErrorEstimate or None
        Of the mean error of the result, () arrays.
    fixed_from_grid : MatrixTransform
    """

    after: ErrorEstimate
    before: ErrorEstimate
    whole: ErrorEstimate | None
    fixed_from_grid: MatrixTransform


def write_errors(path: Path, errors: SavedErrors) -> None:
    """Write the file; maps are kept in half precision, three digits.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    arrays: dict[str, Any] = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "unit": np.array(_SCALE),
        "fixed_from_grid": errors.fixed_from_grid.matrix,
    }
    for name in ("after", "before", "whole"):
        estimate: ErrorEstimate | None = getattr(errors, name)
        if estimate is not None:
            arrays[f"{name}_median"] = estimate.median.astype(np.float16)
            arrays[f"{name}_spread"] = estimate.spread.astype(np.float16)
    try:
        with path.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
    except OSError as error:
        raise InputError(
            f"Cannot write {path}: {error.strerror or error}. Choose another folder."
        ) from error


def read_errors(path: Path) -> SavedErrors:
    """Read what `write_errors` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged or of something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            _check_format(arrays)
            whole = _estimate(arrays, "whole") if "whole_median" in arrays else None
            return SavedErrors(
                _estimate(arrays, "after"),
                _estimate(arrays, "before"),
                whole,
                MatrixTransform(arrays["fixed_from_grid"]),
            )
    except Exception as error:  # damaged archives end in whatever Python raises
        raise InputError(f"{path} cannot be read: {error}. Save the result again.") from error


def _check_format(arrays: Any) -> None:
    if str(arrays["format"]) != FORMAT or int(arrays["version"]) > VERSION:
        raise ValueError("another format, or a newer version")


def _estimate(arrays: Any, name: str) -> ErrorEstimate:
    median, spread = (
        np.asarray(arrays[f"{name}_{part}"], np.float32) for part in ("median", "spread")
    )
    if median.shape != spread.shape or not (np.all(median > 0) and np.all(spread > 0)):
        raise ValueError(f"{name} is no estimate of errors")
    return ErrorEstimate(median, spread)
