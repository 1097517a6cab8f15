"""One run from snapshot to bundle, away from the GUI: what the worker thread executes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import Bundle, build
from napari_mmreg.gui.shared.fused import NO_FUSION, fusing, with_fused
from napari_mmreg.gui.shared.loading import load_torch, uncollected
from napari_mmreg.gui.shared.modalities import engine_modality
from napari_mmreg.gui.shared.placement import frames_overlap, moving_from_fixed
from napari_mmreg.gui.shared.region import whole_from_region
from napari_mmreg.gui.shared.snapshot import Picture, Snapshot, read
from napari_mmreg.gui.shared.task import Job, limited_threads
from napari_mmreg.run import Run

if TYPE_CHECKING:
    from napari_mmreg.geometry import MatrixTransform, Transform

Register = Callable[..., Any]

ENGINE_SHARE = 0.94
"""Part of the progress bar that the engine fills; the rest is building layers."""

_LAYERS_SHARE = 0.96
"""The same with the layers; the rest is fusing, where that is wanted."""


class RegistrationJob(Job[Bundle]):
    """A run that can be executed in any thread, told to stop from another.

    Parameters
    ----------
    snapshot : Snapshot
    register : callable, optional
        Stands for `napari_mmreg.register`, which is imported when the job runs.
    """

    has_looks = True

    def __init__(self, snapshot: Snapshot, register: Register | None = None) -> None:
        super().__init__()
        self.snapshot = snapshot
        self._register = register

    def __repr__(self) -> str:
        return f"the registration of “{self.snapshot.moving.name}”"

    def engine(self) -> Register:
        """Load what registers; called in the worker thread."""
        load_torch()
        with uncollected():
            from napari_mmreg.registration import register

            # napari loads it for the first points or arrows, and the window would stand still.
            import_module("pandas")
        return register

    def _run(self, run: Run) -> Bundle:
        run.report(strings.STAGE_LOADING, 0.0)
        register = self._register or self.engine()
        snapshot, settings = self.snapshot, self.snapshot.settings
        fixed, moving = read(snapshot.fixed), read(snapshot.moving)
        self._check()
        options, note = engine_options(snapshot)
        if run.preview is not None:  # what stands for the engine need not have any
            options["preview"] = run.preview
        with limited_threads(settings.threads), run.part(0.0, ENGINE_SHARE):
            result = register(
                fixed,
                moving,
                fixed_mask=mask_of(snapshot.fixed_mask, snapshot.fixed),
                moving_mask=mask_of(snapshot.moving_mask, snapshot.moving),
                progress=run.report,
                cancel=run.cancel,
                **options,
            )
        self._check()
        run.report(strings.STAGE_LAYERS, ENGINE_SHARE)
        if snapshot.whole is not None:
            note = f"{note}\n{strings.OF_REGION}"
        if snapshot.slice is not None:
            note = f"{note}\n{strings.OF_SLICE.format(slice=snapshot.slice.name)}"
        bundle = build(snapshot, fixed, moving, result, note, self._check)
        if settings.fusion == NO_FUSION or result.status == "failed":  # nothing to be fused
            return bundle
        with limited_threads(settings.threads), run.part(_LAYERS_SHARE, 1.0, fusing):
            return with_fused(bundle, settings.fusion, settings.correct_fusion, run)


def engine_options(snapshot: Snapshot) -> tuple[dict[str, Any], str]:
    """Return what the engine is told besides images and masks, and where it starts, in words.

    Raises
    ------
    InputError
        As `choose_start`.
    """
    settings = snapshot.settings
    initial, note = choose_start(snapshot)
    options = {
        "model": settings.model,
        "budget": settings.budget,
        "device": settings.device,
        "refine": settings.refine,
        "initial": initial,
        "seed": settings.seed,
        **spacings_of(snapshot),
        "modalities": (
            engine_modality(snapshot.fixed.modality),
            engine_modality(snapshot.moving.modality),
        ),
    }
    return options, note


def spacings_of(snapshot: Snapshot) -> dict[str, tuple[float, float] | None]:
    """Return the pixels' sizes; the moving one's only where both were measured.

    Without it, frames of different sizes are scaled to fit each other, which is right for
    sensors that nobody calibrated.
    """
    fixed, moving = snapshot.fixed.placement, snapshot.moving.placement
    spacing: dict[str, tuple[float, float] | None] = {
        "fixed_spacing": fixed.spacing,
        "moving_spacing": None,
    }
    if fixed.custom and moving.custom and fixed.units == moving.units:
        spacing["moving_spacing"] = moving.spacing
    return spacing


def choose_start(snapshot: Snapshot) -> tuple[NDArray[np.float64] | None, str]:
    """Decide where registration starts.

    Returns
    -------
    initial : ndarray of float64, shape (3, 3), or None
        What the engine is given, fixed to moving pixels; None leaves it to the engine.
    note : str
        The choice, for the user.

    Raises
    ------
    InputError
        If the layers' places are asked for and cannot be compared.
    """
    if snapshot.whole is not None:
        return _start_in_region(snapshot, snapshot.whole)
    fixed, moving = snapshot.fixed, snapshot.moving
    mode = snapshot.settings.start
    matrix = None
    if mode == "layers":
        matrix = moving_from_fixed(fixed.placement, moving.placement)
    elif mode != "centre" and (fixed.placement.custom or moving.placement.custom):
        try:
            matrix = moving_from_fixed(fixed.placement, moving.placement)
        except InputError:
            matrix = None
        if matrix is not None and not frames_overlap(matrix, fixed.shape, moving.shape):
            matrix = None
    note = strings.STARTED_CENTRED if matrix is None else strings.STARTED_FROM_LAYERS
    if mode == "mirror":
        return _mirrored(snapshot, matrix), f"{note} {strings.STARTED_MIRRORED}"
    return matrix, note


def _start_in_region(snapshot: Snapshot, whole: Picture) -> tuple[NDArray[np.float64], str]:
    """Return where the whole image would start: a region's own centre says nothing."""
    around = replace(snapshot, fixed=whole, whole=None)
    matrix, note = choose_start(around)
    if matrix is None:
        matrix = _centred(around)
    return np.asarray(matrix @ whole_from_region(whole, snapshot.fixed)), note


def _mirrored(snapshot: Snapshot, matrix: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return a start after which the moving image is flipped left to right."""
    moving = snapshot.moving
    flip = np.diag([1.0, -1.0, 1.0])
    flip[1, 2] = moving.shape[1] - 1
    if matrix is None:
        matrix = _centred(snapshot)
    return np.asarray(flip @ matrix)


def _centred(snapshot: Snapshot) -> NDArray[np.float64]:
    """Return the engine's own start: the frames' centres coincide."""
    from napari_mmreg.imaging import initial_transform

    spacing = spacings_of(snapshot)
    start = initial_transform(
        snapshot.fixed.shape,
        snapshot.moving.shape,
        None,
        spacing["fixed_spacing"] or (1.0, 1.0),
        spacing["moving_spacing"],
    )
    return cast("MatrixTransform", start).matrix


def start_of(snapshot: Snapshot) -> Transform:
    """Return where a registration of two pictures would start: fixed to moving pixels."""
    from napari_mmreg.imaging import initial_transform

    spacing = spacings_of(snapshot)
    return initial_transform(
        snapshot.fixed.shape,
        snapshot.moving.shape,
        choose_start(snapshot)[0],
        spacing["fixed_spacing"] or (1.0, 1.0),
        spacing["moving_spacing"],
    )


def mask_of(mask: Picture | None, image: Picture) -> NDArray[np.bool_] | None:
    """Return where a Labels layer is nonzero, on the image's pixels."""
    if mask is None:
        return None
    labels = read(mask)
    matrix = moving_from_fixed(image.placement, mask.placement)
    if labels.shape == image.shape and np.allclose(matrix, np.eye(3), atol=1e-6):
        return np.asarray(labels != 0, dtype=np.bool_)
    from napari_mmreg.geometry import MatrixTransform

    mask_from_image = MatrixTransform(matrix)
    painted: NDArray[np.bool_] = (
        mask_from_image.resample((labels != 0).astype(np.uint8), image.shape, order=0) != 0
    )
    return painted
