"""Where a result comes from: enough to make it again."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.nn.device import device_name

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models import Model
    from napari_mmreg.run import Run

PACKAGES = ("napari-mmreg", "numpy", "scipy", "scikit-image", "torch")


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of what computes."""
    found = {"python": platform.python_version()}
    return found | {package: _version(package) for package in PACKAGES}


@cache  # it parses a file of metadata each time
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a build without metadata
        return "unknown"


def describe_run(
    model: Model,
    run: Run,
    fixed: NDArray[Any],
    moving: NDArray[Any],
    pair: Pair,
    refine: bool,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return a run's provenance, serialisable as JSON.

    Parameters
    ----------
    model : Model
        Its ``weights_sha256``, if it has one, is kept.
    run : Run
    fixed, moving : ndarray
        The images as given.
    pair : Pair
        The pair that was refined and checked.
    refine : bool
        Whether the answer was refined.
    options : dict
        What `prepare_pair` was given; masks and transforms are described, not copied.
    """
    step = np.diag(pair.fixed_from_grid.matrix)[:2]
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "model": model.info.name,
        "weights_sha256": getattr(model, "weights_sha256", None),
        "device": run.device,
        "device_name": device_name(run.device),
        "seed": run.seed,
        "parameters": {
            "refine": refine,
            "initial": _describe_initial(options["initial"]),
            "fixed_mask": options["fixed_mask"] is not None,
            "moving_mask": options["moving_mask"] is not None,
            "fixed_spacing": _numbers(options["fixed_spacing"]),
            "moving_spacing": _numbers(options["moving_spacing"]),
            "modalities": list(options["modalities"]),
            "detect_borders": options["detect_borders"],
        },
        "inputs": describe_inputs(fixed, moving),
        "working_grid": {"shape": list(pair.shape), "fixed_px_per_grid_px": step.tolist()},
    }


def describe_inputs(fixed: NDArray[Any], moving: NDArray[Any]) -> dict[str, Any]:
    """Return the images' shapes and dtypes."""
    return {
        name: {"shape": list(image.shape), "dtype": str(image.dtype)}
        for name, image in (("fixed", fixed), ("moving", moving))
    }


def _describe_initial(initial: Any) -> Any:
    if initial is None:
        return None
    if isinstance(initial, MatrixTransform):
        return initial.matrix.tolist()
    if hasattr(initial, "map"):
        return type(initial).__name__
    return np.asarray(initial, dtype=np.float64).tolist()


def _numbers(spacing: Any) -> list[float] | None:
    if spacing is None:
        return None
    return [float(size) for size in np.broadcast_to(np.asarray(spacing, dtype=np.float64), 2)]
