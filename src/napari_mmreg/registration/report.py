"""What a result says of itself in JSON: numbers with their units, and where they come from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import MatrixTransform

if TYPE_CHECKING:
    from napari_mmreg.registration.result import RegistrationResult


def report_of(result: RegistrationResult) -> dict[str, Any]:
    """Return a result's report; see `RegistrationResult.report`."""
    transform = result.transform
    report: dict[str, Any] = plain(
        {
            "format": "napari-mmreg report",
            "format_version": 1,
            "status": result.status,
            "reasons": result.reasons,
            "model": result.model,
            "transform": {
                "convention": "fixed to moving, (row, col) in pixels, centres at integers",
                "type": type(transform).__name__,
                "matrix": transform.matrix if isinstance(transform, MatrixTransform) else None,
            },
            "metrics": {
                name: {"value": value, "unit": _unit(name)}
                for name, value in result.metrics.items()
            },
            "misregistration": {
                "meaning": "probability that the error exceeds 2 px at 256-px scale",
                "before": _summary(result.grid_errors_before.exceeds()),
                "after": _summary(result.grid_misregistration),
            },
            "probable_mean_error": {
                "unit": "fixed px",
                "median": result.mean_error(),
                "quantile_90": result.mean_error(0.9),
            },
            "timings_s": result.timings,
            "provenance": result.provenance,
        }
    )
    return report


def plain(value: Any) -> Any:
    """Turn numpy and containers into what JSON knows."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def _unit(name: str) -> str:
    if name.endswith("_percent"):
        return "%"
    return "fixed px" if name.endswith("_px") else "1"


def _summary(probability: NDArray[np.float32]) -> dict[str, float]:
    return {
        "mean": float(np.nanmean(probability)),
        "share_above_half": float((probability > 0.5).mean()),
    }
