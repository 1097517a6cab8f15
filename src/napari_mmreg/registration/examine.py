"""A full result for a transform that was found elsewhere: from landmarks, from a file, by hand."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from napari_mmreg.geometry import Transform
from napari_mmreg.imaging import check_image, lower, prepare_pair
from napari_mmreg.nn.device import choose_device, device_name, memory_advice
from napari_mmreg.registration.path import REFINE_BUDGET, measure_result, never_back, resample
from napari_mmreg.registration.provenance import describe_inputs, versions
from napari_mmreg.registration.result import RegistrationResult
from napari_mmreg.run import CancelCheck, Progress, Run

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_KEPT = "The transform is kept as it is: it was not found by a model."


def examine(
    fixed: ArrayLike,
    moving: ArrayLike,
    transform: Transform,
    *,
    model: str,
    history: dict[str, Any] | None = None,
    initial: Transform | ArrayLike | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    seed: int = 0,
    **options: Any,
) -> RegistrationResult:
    """Apply a transform and say how far to trust it, as `register` does with what it finds.

    Parameters
    ----------
    fixed, moving : array_like of shape (H, W) or (H, W, C)
        As for `register`.
    transform : Transform
        Fixed to moving pixels. It is never replaced: one that does not convince is called
        doubtful.
    model : str
        What the result is called.
    history : dict, optional
        Where the transform comes from, serialisable as JSON; becomes part of the provenance.
    initial : Transform or array_like of shape (3, 3), optional
        How the images lay before; a matrix. By default the frames' centres coincide.
    device, progress, cancel, seed
        As for `register`.
    **options
        What `prepare_pair` takes: masks, spacings, modalities, border detection.

    Returns
    -------
    RegistrationResult

    Raises
    ------
    InputError, DeviceError, Cancelled
        As `register`.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """
    from napari_mmreg.registration.certify import certify

    fixed_image, moving_image = check_image(fixed, "fixed"), check_image(moving, "moving")
    run = Run(
        device=choose_device(device),
        seed=seed,
        progress=never_back(progress),
        cancel=cancel or (lambda: False),
    )
    with memory_advice(run.device):
        with run.stage("Preparing", 0.0, 0.2):
            pair = prepare_pair(
                fixed_image, moving_image, initial=initial, budget=REFINE_BUDGET, run=run, **options
            )
        with run.stage("Checking", 0.2, 0.8):
            on_grid = lower(pair, transform)
            certificate = certify(pair, on_grid, run)
        with run.stage("Writing result", 0.8, 1.0):
            registered = resample(moving_image, transform, fixed_image.shape[:2], run)
            metrics = measure_result(certificate, pair, on_grid, kept=True)
    failed = certificate.status == "failed"
    return RegistrationResult(
        transform=transform,
        registered=registered,
        status="doubtful" if failed else certificate.status,
        reasons=(*certificate.reasons, _KEPT) if failed else certificate.reasons,
        model=model,
        fixed_shape=fixed_image.shape[:2],
        moving_shape=moving_image.shape[:2],
        metrics=metrics,
        fixed_from_grid=pair.fixed_from_grid,
        grid_misregistration=certificate.misregistration,
        grid_misregistration_before=certificate.misregistration_before,
        timings=run.timings,
        provenance={
            "versions": versions(),
            "platform": platform.platform(),
            "model": model,
            "device": run.device,
            "device_name": device_name(run.device),
            "seed": seed,
            "inputs": describe_inputs(fixed_image, moving_image),
            **(history or {}),
        },
    )
