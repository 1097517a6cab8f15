"""Where a result comes from: enough to make it again."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.nn.device import device_name

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.registration.candidate import Candidate
    from napari_mmreg.registration.options import PairOptions
    from napari_mmreg.registration.plan import Plan
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


def describe_environment(
    model: str, run: Run, images: tuple[NDArray[Any], NDArray[Any]]
) -> dict[str, Any]:
    """Return what any result comes from: versions, model, device, seed and inputs."""
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "model": model,
        "device": run.device,
        "device_name": device_name(run.device),
        "seed": run.seed,
        "inputs": {
            name: {"shape": list(image.shape), "dtype": str(image.dtype)}
            for name, image in zip(("fixed", "moving"), images, strict=True)
        },
    }


def describe_run(
    plan: Plan,
    candidate: Candidate,
    run: Run,
    images: tuple[NDArray[Any], NDArray[Any]],
    pair: Pair,
    refine: bool,
    options: PairOptions,
) -> dict[str, Any]:
    """Return a run's provenance, serialisable as JSON.

    Parameters
    ----------
    plan : Plan
        Whose name is that of the model asked for.
    candidate : Candidate
        The answer; the weights are those of the model that gave it.
    run : Run
    images : (ndarray, ndarray)
        Fixed and moving image as given.
    pair : Pair
        The pair that was refined and checked.
    refine : bool
        Whether the answer was refined.
    options : PairOptions
        Masks and transforms are described, not copied.
    """
    step = np.diag(pair.fixed_from_grid.matrix)[:2]
    return {
        **describe_environment(plan.name, run, images),
        "weights_sha256": candidate.weights_sha256,
        "engines": list(plan.engines),
        "parameters": {"refine": refine, "budget": plan.budget, **options.describe()},
        "working_grid": {"shape": list(pair.shape), "fixed_px_per_grid_px": step.tolist()},
    }
