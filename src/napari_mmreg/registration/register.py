"""The one path from two images to a result: prepare, predict, refine, certify."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from numpy.typing import ArrayLike, NDArray

from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging import check_image, downsample
from napari_mmreg.models.budgets import BALANCED
from napari_mmreg.models.elastic import load_elastic
from napari_mmreg.nn.device import choose_device, memory_advice
from napari_mmreg.registration.assemble import assemble
from napari_mmreg.registration.options import PairOptions
from napari_mmreg.registration.plan import Plan, ask
from napari_mmreg.registration.provenance import describe_run
from napari_mmreg.registration.result import RegistrationResult
from napari_mmreg.registration.shrunk import needs_shrinking, register_shrunk
from napari_mmreg.run import CancelCheck, Preview, Progress, Run

PREDICT_BUDGET = 512 * 512
"""Pixels of the grid on which models predict."""

REFINE_BUDGET = 1024 * 1024
"""Pixels of the grid on which larger images are refined and checked."""


def register(
    fixed: ArrayLike | Sequence[Any],
    moving: ArrayLike | Sequence[Any],
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
    order: int | None = None,
    budget: str = BALANCED,
    preview: Preview | None = None,
) -> RegistrationResult:
    """Find where each pixel of the fixed image lies in the moving image.

    Parameters
    ----------
    fixed, moving : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        Grey, RGB or RGBA of any real dtype, at least 16 x 16 pixels, of any two sizes. NaN,
        infinite values and pixels with alpha 0 count as no data. (H, W, 1) counts as grey, long
        doubles as float64. Neither is changed. What is not in memory (dask, zarr, HDF5), and lists
        of levels from fine to coarse, are registered by small copies, which are read in bands;
        the result is one of the full resolution, and its `registered` a dask array.
    model : str
        A name that `list_models` knows, or ``"auto"``.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    refine : bool
        Whether to improve the model's answer on this very pair; kept only if it helps. Where a
        trained model's answer is not ``"ok"`` even so, the classical search is asked too, and the
        answer whose error is probably smaller is taken: `RegistrationResult.answer_of` and the
        reasons say whose it is.
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
        Whether what lies outside a warped frame or a round aperture counts as no data; see
        `imaging.field_of_view`.
    nodata : (number or None, number or None)
        Values that mean no data in the fixed and the moving image, as rasters have them. They are
        left out like a mask, never interpolated, and that of the moving image is what the
        registered one shows where the moving image does not reach.
    unit : str, optional
        Of the spacings; kept with the transform.
    order : {0, 1, 3}, optional
        How `RegistrationResult.registered` is interpolated: nearest neighbour, linear or cubic. By
        default nearest for label images and masks, see `geometry.looks_like_labels`, which the
        reasons say, and linear for others.
    budget : {"fast", "balanced", "best"}
        How many engines ``"auto"`` may ask, see `models.budgets.BUDGETS`: one after the other
        until it is sure, or with ``"best"`` all. Of their answers it keeps the one whose error is
        probably the smallest. Without `refine` it asks the first one only.
    preview : callable, optional
        ``preview(look)`` is called with a small picture of what was found so far and its
        similarity, see `run.Look`, about ten times per model, from the thread that registers. The
        result is the same with and without it.

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
    options = PairOptions(
        initial,
        fixed_mask,
        moving_mask,
        fixed_spacing,
        moving_spacing,
        modalities,
        detect_borders,
        nodata,
        unit,
        order,
    )
    in_parts = needs_shrinking(fixed) or needs_shrinking(moving)
    images: Any = (fixed, moving)
    if not in_parts:
        images = check_image(fixed, "fixed"), check_image(moving, "moving")
    plan = Plan.of(model, budget, refine=refine)
    run = Run.begin(choose_device(device), seed, progress, cancel, preview)
    with memory_advice(run.device):
        with run.stage("Preparing", 0.0, 0.02):
            plan.load()
        with run.part(0.02, 1.0):
            if not in_parts:
                return register_pair(plan, images, options, run, refine=refine)
            on_copies = partial(register_pair, plan, run=run, refine=refine)
            return register_shrunk(fixed, moving, options, run, on_copies)


def register_pair(
    plan: Plan,
    images: tuple[NDArray[Any], NDArray[Any]],
    options: PairOptions,
    run: Run,
    *,
    refine: bool = True,
) -> RegistrationResult:
    """Do what `register` does, with arguments that are checked and a run that is under way.

    Parameters
    ----------
    plan : Plan
    images : (ndarray, ndarray)
        Fixed and moving image, checked.
    options : PairOptions
    run : Run
    refine : bool
        As of `register`.

    Returns
    -------
    RegistrationResult

    Raises
    ------
    InputError, ModelError, Cancelled
        As `register`.
    """
    from napari_mmreg.alignment.levels import pair_tensors
    from napari_mmreg.alignment.preview import show_alignment
    from napari_mmreg.registration.causes import likely_causes

    with run.stage("Preparing", 0.0, 0.08):
        fine = options.prepare(*images, REFINE_BUDGET, run)
        coarse = downsample(fine, PREDICT_BUDGET)
        elastic = load_elastic(run.device)
        tensors = pair_tensors(fine, run.device)
        show_alignment(tensors, MatrixTransform.identity(), run)
    with run.part(0.08, 0.9):
        candidate, notes = ask(plan, coarse, fine, run, refine=refine, elastic=elastic)
    if candidate.certificate.status != "ok":
        notes = (*likely_causes(coarse, run), *notes)
    with run.stage("Writing result", 0.9, 1.0):
        show_alignment(tensors, candidate.transform, run)
        return assemble(
            images,
            (coarse, fine),
            candidate,
            run,
            model=plan.name,
            provenance=describe_run(plan, candidate, run, images, fine, refine, options),
            frames=options.frames(*images),
            nodata=options.nodata[1],
            order=options.order,
            notes=notes,
        )
