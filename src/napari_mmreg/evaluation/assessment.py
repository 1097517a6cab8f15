"""One evaluation of one registration: everything that can be said of it, with or without truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.alignment import Alignment, Grid
from napari_mmreg.evaluation.deformation import deformation_measures, grid_error_on
from napari_mmreg.evaluation.fusion_quality import fusion_measures
from napari_mmreg.evaluation.landmarks import landmark_error
from napari_mmreg.evaluation.object_evaluation import ObjectEvaluation, evaluate_objects
from napari_mmreg.evaluation.segmentation.agreement import LEAST_FALL
from napari_mmreg.evaluation.similarity import gradient_ncc, mind_distance, ncc, nmi, psnr, ssim
from napari_mmreg.geometry import Transform
from napari_mmreg.imaging import check_image
from napari_mmreg.imaging.checks import check_modalities
from napari_mmreg.run import CancelCheck, Progress, Run

if TYPE_CHECKING:
    from napari_mmreg.evaluation.segmentation import Segmenter

Inside = NDArray[np.bool_]


FAR = 8
"""Pixels of the grid that things must move before the IoU of prompted objects has to show it."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured of one registration.

    Attributes
    ----------
    name : str
        What people call it, e.g. the model.
    before, after : dict of str to float
        Numbers by their keys in `measures.MEASURES`; `before` is empty without a start to
        compare with.
    objects : ObjectEvaluation or None
    grid : Grid
        On what the numbers were measured, and the images for reports.
    notes : tuple of str
        Sentences about what could not be measured, or should be known.
    modalities : (str or None, str or None)
    provenance : dict
        Of the registration and of the segmenter, ready for JSON.
    """

    name: str
    before: dict[str, float]
    after: dict[str, float]
    objects: ObjectEvaluation | None
    grid: Grid
    notes: tuple[str, ...] = ()
    modalities: tuple[str | None, str | None] = (None, None)
    provenance: dict[str, Any] = field(default_factory=dict)


def evaluate(
    fixed: ArrayLike,
    moving: ArrayLike,
    transform: Transform,
    *,
    initial: Transform | None = None,
    truth: Transform | None = None,
    landmarks: tuple[ArrayLike, ArrayLike] | None = None,
    fixed_labels: ArrayLike | None = None,
    moving_labels: ArrayLike | None = None,
    segmenter: Segmenter | None = None,
    objects: int = 20,
    fused: ArrayLike | None = None,
    misregistration: ArrayLike | None = None,
    modalities: tuple[str | None, str | None] = (None, None),
    name: str = "registered",
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
) -> Evaluation:
    """Measure how good a registration is.

    Parameters
    ----------
    fixed, moving : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        The images that were registered.
    transform : Transform
        What is evaluated, fixed to moving.
    initial : Transform, optional
        Where the registration started; with it, everything is measured before and after.
    truth : Transform, optional
        The true one, where it is known.
    landmarks : (array_like, array_like), optional
        Corresponding points (n, 2) in the fixed and the moving image.
    fixed_labels, moving_labels : array_like of int, optional
        Objects in the two images with matching ids, 0 for the background. With both, the masks
        are compared; with those of the fixed image, `segmenter` looks for the same objects in
        the registered image; with none, it looks for objects of its own in both.
    segmenter : Segmenter, optional
        See `segmentation.load_segmenter`; without one, objects need both label images.
    objects : int
        At most how many are chosen where there are no labels.
    fused : array_like of shape (H, W) or (H, W, C), optional
        A fused image on the fixed grid.
    misregistration : array_like of shape (H, W), optional
        The map on the fixed grid, for reports.
    modalities : (str or None, str or None)
        As in `napari_mmreg.register`.
    name : str
        What people call this registration.
    provenance : mapping, optional
        Of the registration, for reports.
    progress, cancel : callable, optional
        As in `napari_mmreg.register`.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If something cannot be used as given; the message says what to do.
    Cancelled
        If the run was cancelled.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull). Images of more
    than a megapixel are measured on every n-th pixel; lengths are given in full pixels.
    """
    modalities = check_modalities(modalities)
    landmarks = _check_options(landmarks, objects, provenance)
    working = Run.begin("cpu", 0, progress, cancel)
    image = None if fused is None else check_image(fused, "fused")
    alignment = Alignment(fixed, moving, transform, initial, truth)
    notes: list[str] = []
    with working.stage("Preparing", 0.0, 0.15):
        grid = alignment.grid(working, misregistration)
        if grid.stride > 1:
            notes.append(f"Measured on one in {grid.stride} rows and columns of the fixed image.")
    before, after = _errors(alignment, grid, landmarks)
    with working.stage("Deformation", 0.15, 0.3):
        after.update(deformation_measures(alignment, grid, working))
        if initial is not None:
            before["overlap_percent"] = 100 * float(grid.valid_before.mean())
    with working.stage("Similarity", 0.3, 0.5):
        common = grid.common
        if not common.any():
            notes.append("The images do not overlap: there is nothing to compare.")
        if initial is not None:
            before.update(_similarity(grid.fixed_grey, grid.before_grey, common, working))
        after.update(_similarity(grid.fixed_grey, grid.after_grey, common, working))
        if image is not None:
            after.update(_fusion(image, alignment, grid, notes))
    found = None
    if segmenter is not None or moving_labels is not None:
        with working.stage("Objects", 0.5, 1.0):
            found = evaluate_objects(
                alignment, grid, segmenter, fixed_labels, moving_labels, objects, working, image
            )
        notes.extend(found.notes)
        before.update(found.means("before") if initial is not None else {})
        after.update(found.means("after"))
        if "fused" in found.scores:
            after["object_iou_fused"] = found.means("fused")["object_iou"]
        if found.protocol != "labels on both":
            notes.extend(_unmoved(before, after, grid.stride))
    working.report("Done", 1.0)
    return Evaluation(
        name=name,
        before=before,
        after=after,
        objects=found,
        grid=grid,
        notes=tuple(notes),
        modalities=modalities,
        provenance=dict(provenance or {}),
    )


def _check_options(
    landmarks: tuple[ArrayLike, ArrayLike] | None,
    objects: int,
    provenance: Mapping[str, Any] | None,
) -> tuple[ArrayLike, ArrayLike] | None:
    """Raise `InputError` for options of a wrong kind, before time is spent; return landmarks."""
    if landmarks is not None and not (isinstance(landmarks, tuple | list) and len(landmarks) == 2):
        raise InputError("Landmarks are two arrays of points: landmarks=(fixed, moving).")
    if isinstance(objects, bool) or not isinstance(objects, int | np.integer) or objects < 1:
        raise InputError(f"The number of objects is {objects!r}; pass an integer, 1 or more.")
    try:
        json.dumps(dict(provenance or {}))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"The provenance cannot be written as JSON ({error}). Pass a dict of texts, numbers, "
            "lists and dicts."
        ) from error
    return landmarks if landmarks is None else (landmarks[0], landmarks[1])


def _unmoved(before: Mapping[str, float], after: Mapping[str, float], stride: int) -> list[str]:
    """Warn where things moved far but the IoU of prompted objects did not rise.

    The curve around the result cannot tell: it moves prompts, not the image, and so believes
    that masks follow what they show.
    """
    moved = after.get("displacement_median", 0.0)
    former, latter = (numbers.get("object_iou", np.nan) for numbers in (before, after))
    if not (moved >= FAR * stride and latter - former < LEAST_FALL):
        return []
    return [
        f"The registration moved things by {moved:.0f} px (median), but the IoU did not rise with "
        f"it ({former:.2f} before, {latter:.2f} after). Either the result is no better than the "
        "start, or the segmenter does not see the difference here: trust the other numbers."
    ]


def _errors(
    alignment: Alignment, grid: Grid, landmarks: tuple[ArrayLike, ArrayLike] | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Measure what needs the truth: landmarks, and the known transform."""
    columns: list[dict[str, float]] = []
    for transform in (alignment.initial, alignment.transform):
        column: dict[str, float] = {}
        if transform is not None and landmarks is not None:
            error = landmark_error(transform, *landmarks)
            column.update(
                re_rmse=error.rmse, re_mean=error.mean, re_median=error.median, re_max=error.max
            )
        if transform is not None and alignment.truth is not None:
            column["re_grid"] = grid_error_on(transform, alignment.truth, alignment, grid)
        columns.append(column)
    return columns[0], columns[1]


def _similarity(
    fixed: NDArray[np.float32], other: NDArray[np.float32], inside: Inside, run: Run
) -> dict[str, float]:
    """Return all similarities on the pixels that both columns of the table have."""
    numbers = {"ncc": ncc(fixed, other, inside)}
    run.check()
    numbers["ssim"] = ssim(fixed, other, inside, 1.0)
    numbers["psnr"] = psnr(fixed, other, inside, 1.0)
    numbers["nmi"] = nmi(fixed, other, inside)
    run.check()
    numbers["gradient_ncc"] = gradient_ncc(fixed, other, inside)
    numbers["mind"] = mind_distance(fixed, other, inside)
    run.check()
    return numbers


def _fusion(
    image: NDArray[Any], alignment: Alignment, grid: Grid, notes: list[str]
) -> dict[str, float]:
    if image.shape[:2] != alignment.fixed.shape[:2]:
        raise InputError(
            f"The fused image has the shape {image.shape[:2]}, the fixed one "
            f"{alignment.fixed.shape[:2]}. Bring it onto the fixed grid first."
        )
    thin, known = grid.thin(image)
    inside = grid.common & known
    if not inside.any():
        notes.append("The fused image has no data inside the overlap.")
        return {}
    return fusion_measures(255 * grid.fixed_grey, 255 * grid.after_grey, 255 * thin, inside)
