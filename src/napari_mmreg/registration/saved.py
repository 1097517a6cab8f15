"""Reading a result again that `RegistrationResult.save` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.io import read_image
from napari_mmreg.registration.errors_file import SavedErrors, read_errors
from napari_mmreg.registration.result import FILES, RegistrationResult

_FORMAT = "napari-mmreg report"
_STATES = ("ok", "doubtful", "failed")


@dataclass(frozen=True, eq=False)
class SavedResult:
    """What a folder holds of a result.

    Attributes
    ----------
    folder : Path
    transform : Transform
        Fixed pixels to moving pixels.
    registered : ndarray of shape (H, W) or (H, W, C)
    errors : SavedErrors
    report : dict
        As `RegistrationResult.report` made it.
    fixed_shape, moving_shape : (int, int)
        Rows and columns of the two images.
    """

    folder: Path
    transform: Transform
    registered: NDArray[Any]
    errors: SavedErrors
    report: dict[str, Any]
    fixed_shape: tuple[int, int]
    moving_shape: tuple[int, int]

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the result came from."""
        return dict(self.report.get("provenance", {}))

    @property
    def initial(self) -> MatrixTransform | None:
        """Where the run started, if that was given as a matrix; None for the engine's own start."""
        given = self.provenance.get("parameters", {}).get("initial")
        return MatrixTransform(np.asarray(given)) if isinstance(given, list) else None

    def result(self, initial: Transform) -> RegistrationResult:
        """Return the result, as far as it was saved: without matches, renderings and the like.

        Parameters
        ----------
        initial : Transform
            Where the run started, for what is compared with it.
        """
        report = self.report
        return RegistrationResult(
            transform=self.transform,
            initial=initial,
            registered=self.registered,
            status=report["status"],
            reasons=tuple(str(reason) for reason in report.get("reasons", ())),
            model=str(report["model"]),
            answer_of=str(report["model"]),
            fixed_shape=self.fixed_shape,
            moving_shape=self.moving_shape,
            metrics=_metrics(report.get("metrics", {})),
            fixed_from_grid=self.errors.fixed_from_grid,
            fixed_from_model_grid=MatrixTransform.identity(),
            grid_errors=self.errors.after,
            grid_errors_before=self.errors.before,
            whole_error=self.errors.whole,
            timings={str(k): float(v) for k, v in report.get("timings_s", {}).items()},
            provenance=self.provenance,
        )


def read_saved(folder: str | Path) -> SavedResult:
    """Read what `RegistrationResult.save` wrote to a folder.

    Raises
    ------
    InputError, TransformError
        If a file is missing, damaged or of something else, or they do not belong together.
    """
    place = Path(folder)
    missing = [name for name in FILES if not (place / name).is_file()]
    if missing:
        raise InputError(
            f"{place} holds no saved result: {', '.join(missing)} is missing. Choose the folder "
            "that Save… or `mmreg register` wrote."
        )
    report = _read_report(place / "report.json")
    registered = read_image(place / "registered.tif")
    fixed_shape, moving_shape = _shapes(place, report)
    if registered.shape[:2] != fixed_shape:
        raise InputError(
            f"The files in {place} do not belong together: registered.tif and report.json tell "
            "different sizes."
        )
    transform = Transform.load(place / "transform.npz")
    errors = read_errors(place / "errors.npz")
    return SavedResult(place, transform, registered, errors, report, fixed_shape, moving_shape)


def read_report_sizes(folder: str | Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return rows and columns of the fixed and the moving image of a saved result.

    Raises
    ------
    InputError
        If the folder holds no result.
    """
    place = Path(folder)
    return _shapes(place, _read_report(place / "report.json"))


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{path.parent} holds no saved result: {path.name} is missing. Choose the folder that "
            "Save… or `mmreg register` wrote."
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}. Save the result again.") from error
    known = isinstance(report, dict) and report.get("format") == _FORMAT
    if not known or report.get("status") not in _STATES or "model" not in report:
        raise InputError(f"{path} is no report of a registration. Choose another folder.")
    return dict(report)


def _shapes(place: Path, report: Mapping[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    try:
        inputs = report["provenance"]["inputs"]
        fixed, moving = (
            (int(inputs[side]["shape"][0]), int(inputs[side]["shape"][1]))
            for side in ("fixed", "moving")
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"{place / 'report.json'} does not tell the sizes of the two images. Save the result "
            "again with this version."
        ) from error
    return fixed, moving


def _metrics(saved: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers; what was not finite was saved as null."""
    values = {str(name): entry.get("value") for name, entry in saved.items()}
    return {name: float(np.nan if value is None else value) for name, value in values.items()}
