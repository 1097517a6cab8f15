"""A full result for a transform that was found elsewhere: from landmarks, from a file, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_mmreg.geometry import Transform
from napari_mmreg.imaging import check_image, image_to_grid
from napari_mmreg.models.protocol import Prediction
from napari_mmreg.nn.device import choose_device, memory_advice
from napari_mmreg.registration.assemble import assemble
from napari_mmreg.registration.candidate import Candidate
from napari_mmreg.registration.options import PairOptions
from napari_mmreg.registration.provenance import describe_environment
from napari_mmreg.registration.register import REFINE_BUDGET
from napari_mmreg.registration.result import RegistrationResult
from napari_mmreg.run import CancelCheck, Progress, Run

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def assess(
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
        Of `PairOptions`: masks, spacings, modalities, border detection.

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

    images = check_image(fixed, "fixed"), check_image(moving, "moving")
    run = Run.begin(choose_device(device), seed, progress, cancel)
    with memory_advice(run.device):
        with run.stage("Preparing", 0.0, 0.2):
            pair_options = PairOptions(initial, **options)
            pair = pair_options.prepare(*images, REFINE_BUDGET, run)
        with run.stage("Checking", 0.2, 0.8):
            on_grid = image_to_grid(pair, transform)
            certificate = certify(pair, on_grid, run)
        with run.stage("Writing result", 0.8, 1.0):
            return assemble(
                images,
                (pair, pair),
                Candidate(model, on_grid, certificate, Prediction(on_grid)),
                run,
                model=model,
                provenance={**describe_environment(model, run, images), **(history or {})},
                frames=pair_options.frames(*images),
                nodata=pair_options.nodata[1],
                order=pair_options.order,
                given=transform,
            )
