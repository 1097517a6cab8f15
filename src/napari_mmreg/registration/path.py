"""The one path from two images to a result: prepare, predict, refine, certify."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Frame, MatrixTransform, Transform, fill_value, pixel_grid
from napari_mmreg.geometry.warp import TILE, resample_tiles
from napari_mmreg.imaging import Pair, check_image, lift, prepare_pair, regrid, shrink
from napari_mmreg.imaging.checks import check_modalities, check_spacing, without_nodata
from napari_mmreg.models import get_info, load_model
from napari_mmreg.models.protocol import LOCALISATION, RENDERED
from napari_mmreg.nn.device import choose_device, memory_advice
from napari_mmreg.registration.attempt import attempt_with
from napari_mmreg.registration.matches import MATCHES, agree, lift_matches
from napari_mmreg.registration.provenance import describe_run
from napari_mmreg.registration.renderings import RERENDERED, lift_rendering
from napari_mmreg.registration.result import RegistrationResult, lift_map
from napari_mmreg.run import CancelCheck, Progress, Run

if TYPE_CHECKING:
    from napari_mmreg.registration.certify import Certificate

PREDICT_BUDGET = 512 * 512
"""Pixels of the grid on which models predict."""

REFINE_BUDGET = 1024 * 1024
"""Pixels of the grid on which larger images are refined and checked."""

SECOND_OPINION = "classical"
"""Model that is asked too where a trained one's answer does not hold; it needs no weights."""

BAND_WIDTH = 8192
"""Pixels of a row that keep all threads busy."""

_HANDED_BACK = (
    "The transform handed back is the initial one; what was found instead is kept as "
    "extras['attempted_transform']."
)

_OTHER_ANSWER = "The answer of {} held less well on this pair; this one is of {}."


def register(
    fixed: ArrayLike,
    moving: ArrayLike,
    model: str = "auto",
    device: str = "auto",
    refine: bool = True,
    fixed_mask: ArrayLike | None = None,
    moving_mask: ArrayLike | None = None,
    initial: Transform | ArrayLike | None = None,
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    *,
    seed: int = 0,
    fixed_spacing: float | Sequence[float] = (1.0, 1.0),
    moving_spacing: float | Sequence[float] | None = None,
    modalities: tuple[str | None, str | None] = (None, None),
    detect_borders: bool = True,
    nodata: tuple[float | None, float | None] = (None, None),
    unit: str | None = None,
) -> RegistrationResult:
    """Find where each pixel of the fixed image lies in the moving image.

    Parameters
    ----------
    fixed, moving : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        Grey, RGB or RGBA of any real dtype, at least 16 x 16 pixels, of any two sizes. NaN,
        infinite values and pixels with alpha 0 count as no data. Neither is changed.
    model : str
        A name that `list_models` knows, or ``"auto"``.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    refine : bool
        Whether to improve the model's answer on this very pair; kept only if it helps. Where a
        trained model's answer is not ``"ok"`` even so, the classical search is asked too, and its
        answer is taken if its status is better, or the same and clearly surer:
        ``extras["answer_of"]`` and the reasons say whose it is.
    fixed_mask, moving_mask : array_like of bool or int, shape (H, W), optional
        True where the image may be used.
    initial : Transform or array_like of shape (3, 3), optional
        Where to start: fixed to moving pixels, ``(row, col, 1)``. By default the frames'
        centres coincide.
    progress : callable, optional
        ``progress(stage, fraction)``; the fraction of the whole run never falls and ends at 1.
    cancel : callable, optional
        ``cancel()`` returning True stops the run with `Cancelled`.
    seed : int
        Same input, device and seed give the same output.
    fixed_spacing, moving_spacing : float or (float, float)
        Size of a pixel along rows and columns, both in one physical unit. Without
        `moving_spacing` the moving pixels have the shape of the fixed ones and unknown size.
    modalities : (str or None, str or None)
        What the sensors are, e.g. ``("visible", "infrared")``, for models that care.
    detect_borders : bool
        Whether black areas outside a warped frame count as no data; see `imaging.border`.
    nodata : (number or None, number or None)
        Values that mean no data in the fixed and the moving image, as rasters have them. They are
        left out like a mask, never interpolated, and that of the moving image is what the
        registered one shows where the moving image does not reach.
    unit : str, optional
        Of the spacings; kept with the transform.

    Returns
    -------
    RegistrationResult

    Raises
    ------
    InputError
        If something cannot be used as given; the message says what to do.
    ModelError
        If the model is unknown, or its weights are missing or damaged.
    DeviceError
        If the device is absent, or memory does not suffice.
    Cancelled
        If `cancel` said so; nothing was changed.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).

    Images larger than `PREDICT_BUDGET` are predicted on a shrunken grid and refined and
    checked on a finer one; the transform applies to the full resolution.
    """
    fixed_image, moving_image = check_image(fixed, "fixed"), check_image(moving, "moving")
    modalities = check_modalities(modalities)
    masks = (
        without_nodata(fixed_image, nodata[0], fixed_mask, "fixed"),
        without_nodata(moving_image, nodata[1], moving_mask, "moving"),
    )
    info = get_info(model)
    run = Run(
        device=choose_device(device),
        seed=seed,
        progress=never_back(progress),
        cancel=cancel or (lambda: False),
    )
    options: dict[str, Any] = {
        "initial": initial,
        "fixed_mask": masks[0],
        "moving_mask": masks[1],
        "fixed_spacing": fixed_spacing,
        "moving_spacing": moving_spacing,
        "modalities": modalities,
        "detect_borders": detect_borders,
    }
    with memory_advice(run.device):
        with run.stage("Preparing", 0.0, 0.1):
            engine = load_model(model)
            fine = prepare_pair(fixed_image, moving_image, budget=REFINE_BUDGET, run=run, **options)
            pair = shrink(fine, PREDICT_BUDGET)
        attempt = attempt_with(engine, pair, fine, run, refine, (0.1, 0.7))
        answer_of = info.name
        if refine and info.needs_weights and attempt.certificate.status != "ok":
            other = attempt_with(load_model(SECOND_OPINION), pair, fine, run, refine, (0.7, 0.9))
            if other.outdoes(attempt):
                attempt, answer_of = other, SECOND_OPINION
        certificate, found = attempt.certificate, attempt.transform
        with run.stage("Writing result", 0.9, 1.0):
            extras = {
                **attempt.extras,
                "answer_of": answer_of,
                "fixed_from_model_grid": pair.fixed_from_grid,
            }
            if certificate.status == "failed":
                extras["attempted_transform"] = lift(fine, found)
                found = MatrixTransform.identity()  # of the grid: the initial transform
            transform = lift(fine, found).with_frames(
                *frames(fixed_image, moving_image, fixed_spacing, moving_spacing, unit)
            )
            registered = resample(
                moving_image, transform, fixed_image.shape[:2], run, nodata=nodata[1]
            )
            metrics = measure_result(certificate, fine, found)
            matches = extras.pop(MATCHES, None)
            if matches is not None and certificate.status != "failed":
                lifted = lift_matches(pair, matches, fixed_image.shape, moving_image.shape)
                if agree(lifted, transform, moving_image.shape):
                    extras[MATCHES], metrics[MATCHES] = lifted, float(len(lifted))
            if LOCALISATION in extras:
                extras[LOCALISATION] = lift_map(
                    extras[LOCALISATION], pair.fixed_from_grid, fixed_image.shape[:2]
                )
            rendering = extras.pop(RENDERED, None)
            if rendering is not None and certificate.status != "failed":
                extras[RERENDERED] = lift_rendering(
                    pair, regrid(found, fine, pair), rendering, fixed_image.shape[:2]
                )
    before, after = certificate.misregistration_before, certificate.misregistration
    reasons = certificate.reasons
    if answer_of != info.name:
        reasons = (*reasons, _OTHER_ANSWER.format(info.title, get_info(answer_of).title))
    if certificate.status == "failed":
        after, reasons = before, (*reasons, _HANDED_BACK)
    return RegistrationResult(
        transform=transform,
        registered=registered,
        status=certificate.status,
        reasons=reasons,
        model=info.name,
        fixed_shape=fixed_image.shape[:2],
        moving_shape=moving_image.shape[:2],
        metrics=metrics,
        fixed_from_grid=fine.fixed_from_grid,
        grid_misregistration=after,
        grid_misregistration_before=before,
        extras=extras,
        timings=run.timings,
        provenance=describe_run(engine, run, fixed_image, moving_image, fine, refine, options),
        nodata=nodata[1],
    )


def frames(
    fixed: NDArray[Any],
    moving: NDArray[Any],
    fixed_spacing: float | Sequence[float],
    moving_spacing: float | Sequence[float] | None,
    unit: str | None,
) -> tuple[Frame, Frame]:
    """Return the two images as the transform between them remembers them.

    Spacings of 1 without another for the moving image say nothing, and are left out.
    """
    spacing = check_spacing(fixed_spacing, "fixed")
    known = moving_spacing is not None or spacing != (1.0, 1.0)
    other = None if moving_spacing is None else check_spacing(moving_spacing, "moving")
    return (
        Frame(fixed.shape[:2], spacing if known else None, unit if known else None),
        Frame(moving.shape[:2], other, None if other is None else unit),
    )


def never_back(progress: Progress | None) -> Progress:
    """Wrap a listener so that the fraction it hears never falls."""
    if progress is not None and not callable(progress):
        raise InputError(
            f"progress is a {type(progress).__name__}; pass a function of a stage and a fraction."
        )
    reached = 0.0

    def report(stage: str, fraction: float) -> None:
        nonlocal reached
        reached = max(reached, fraction)
        if progress is not None:
            progress(stage, reached)

    return report


def resample(
    image: NDArray[Any],
    transform: Transform,
    shape: tuple[int, int],
    run: Run,
    *,
    nodata: float | None = None,
) -> NDArray[Any]:
    """Do what `Transform.resample` does, with progress and cancel; see `fill_value`.

    Tiles are computed on threads; progress is reported from this one, between bands of rows.
    """
    height, width = shape
    band = TILE * max(1, BAND_WIDTH // width)
    result = np.empty((*shape, *image.shape[2:]), image.dtype)
    for start in range(0, height, band):
        run.step(start / height)
        stop = min(start + band, height)

        def positions(rows: slice, cols: slice, start: int = start) -> NDArray[np.float64]:
            run.check()
            return transform.map(pixel_grid(slice(rows.start + start, rows.stop + start), cols))

        result[start:stop] = resample_tiles(
            image,
            (stop - start, width),
            positions,
            order=1,
            fill=fill_value(image.dtype, nodata),
            nodata=nodata,
        )
    return result


def measure_result(
    certificate: Certificate, pair: Pair, found: Transform, *, kept: bool = False
) -> dict[str, float]:
    """Describe the transform that is handed back; see `RegistrationResult.metrics`.

    Parameters
    ----------
    certificate : Certificate
    pair : Pair
    found : Transform
        Of the pair's grid; what is handed back.
    kept : bool
        Whether it is handed back even if the certificate says ``"failed"``.
    """
    after = (certificate.similarity_after, certificate.folding, certificate.overlap)
    if certificate.status == "failed" and not kept:
        both = pair.fixed_mask & pair.moving_mask
        after = (certificate.similarity_before, 0.0, both.sum() / pair.fixed_mask.sum())
    step = np.diag(pair.fixed_from_grid.matrix)[:2]
    moved = np.linalg.norm(found.displacement(pair.shape) * step, axis=-1)[pair.fixed_mask]
    moved = moved[np.isfinite(moved)]
    return {
        "similarity_before": float(certificate.similarity_before),
        "similarity_after": float(after[0]),
        "folding_percent": 100.0 * float(after[1]),
        "overlap_percent": 100.0 * float(after[2]),
        "displacement_median_px": float(np.median(moved)) if moved.size else float("nan"),
        "displacement_max_px": float(moved.max()) if moved.size else float("nan"),
    }
