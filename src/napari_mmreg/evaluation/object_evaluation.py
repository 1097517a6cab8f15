"""Objects before and after registration: with the user's masks, or found by prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation import objects as scoring
from napari_mmreg.evaluation.alignment import Alignment, Grid
from napari_mmreg.evaluation.geometric import geometric_iou
from napari_mmreg.evaluation.objects import ObjectScore, check_labels, compare_masks, paint, split
from napari_mmreg.evaluation.pictures import as_picture
from napari_mmreg.evaluation.prompted import (
    SensitivityCurve,
    choose_objects,
    find,
    keep_inside,
    prompts_for,
    sensitivity,
)
from napari_mmreg.evaluation.segmentation.agreement import LEAST_FALL
from napari_mmreg.evaluation.segmentation.protocol import Mask, Prompt, Segmenter
from napari_mmreg.geometry import Transform
from napari_mmreg.run import Run

Protocol = Literal["labels on both", "labels on fixed", "prompts"]
State = Literal["before", "after", "fused", "ceiling"]

PROTOCOLS: dict[Protocol, str] = {
    "labels on both": "Your masks of both images are compared; no segmenter takes part.",
    "labels on fixed": "Your masks of the fixed image are the truth; the segmenter, prompted by "
    "points inside them, looks for the same objects in the registered image.",
    "prompts": "No masks were given: the segmenter chose objects of the fixed image, and the same "
    "points are put to both images. Compare with the floor (before registration) only.",
}

USABLE = 0.5
"""With a known truth: IoU in the aligned pair from which an object can be found in both."""


@dataclass(frozen=True, eq=False)
class ObjectEvaluation:
    """How objects lie on each other.

    Attributes
    ----------
    protocol : str
        A key of `PROTOCOLS`.
    masks : dict of str to dict of int to ndarray of bool, shape (h, w)
        By ``"fixed"``, ``"before"``, ``"after"``, ``"fused"`` where there is a fused image, and,
        with a truth, ``"ceiling"``: the object's mask by its id, on the evaluation's grid.
    scores : dict of str to tuple of ObjectScore
        Of all other states against ``"fixed"``.
    geometry : dict of str to dict of int to float
        IoU from geometry alone by the object's id, ``"before"`` and ``"after"``; empty without a
        truth.
    curve : SensitivityCurve or None
        Around the registered image, where a segmenter took part.
    prompts : dict of int to Prompt
    segmenter : dict
        Its provenance; empty where none took part.
    notes : tuple of str
    """

    protocol: Protocol
    masks: dict[str, dict[int, Mask]]
    scores: dict[str, tuple[ObjectScore, ...]]
    geometry: dict[str, dict[int, float]]
    curve: SensitivityCurve | None
    prompts: dict[int, Prompt]
    segmenter: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def normalised(self) -> float:
        """IoU between floor (0) and ceiling (1); NaN without both, or where they coincide."""
        states = [self.scores.get(name) for name in ("before", "after", "ceiling")]
        if any(state is None for state in states):
            return float("nan")
        floor, value, top = (scoring.mean_iou(state or ()) for state in states)
        return (value - floor) / (top - floor) if abs(top - floor) > 1e-9 else float("nan")

    def labels(self, state: str, shape: tuple[int, int]) -> NDArray[np.int32]:
        """Return the masks of a state as a label image."""
        return paint(self.masks[state], shape)

    def means(self, state: str) -> dict[str, float]:
        """Return the means over the objects, by their keys in `measures`."""
        scores = self.scores.get(state, ())
        numbers = {
            "object_iou": scoring.mean_iou(scores),
            "object_f1": scoring.mean_of(scores, "f1"),
            "object_boundary_f": scoring.mean_of(scores, "boundary_f"),
            "objects_found": 100 * scoring.found_share(scores),
        }
        if state in self.geometry:
            numbers["object_iou_geometry"] = scoring.mean(self.geometry[state].values())
        return numbers


def evaluate_objects(
    alignment: Alignment,
    grid: Grid,
    segmenter: Segmenter | None,
    fixed_labels: ArrayLike | None,
    moving_labels: ArrayLike | None,
    count: int,
    run: Run,
    fused: NDArray[Any] | None = None,
) -> ObjectEvaluation:
    """Compare objects by the protocol that the labels allow; see `assessment.evaluate`."""
    fixed = _labels(fixed_labels, "fixed", alignment.fixed.shape)
    moving = _labels(moving_labels, "moving", alignment.moving.shape)
    if moving is not None:
        if fixed is None:
            raise InputError(
                "There are labels of the moving image only. Give those of the fixed image too, "
                "with the same number for the same object."
            )
        return _compare_given(alignment, grid, fixed, moving)
    if segmenter is None:
        raise InputError(
            "Objects need a segmenter, or labels of both images with matching numbers."
        )
    pictures = _pictures(alignment, grid, fused)
    return _compare_prompted(alignment, grid, pictures, segmenter, fixed, count, run)


def _compare_given(
    alignment: Alignment, grid: Grid, fixed: NDArray[Any], moving: NDArray[Any]
) -> ObjectEvaluation:
    shared = np.intersect1d(np.unique(fixed[fixed > 0]), np.unique(moving[moving > 0]))
    if not shared.size:
        raise InputError(
            "The labels of the two images have no number in common. Give an object the same "
            "number in both."
        )
    reference = {n: m for n, m in split(grid.labels(fixed)).items() if n in shared}
    alone = len(np.unique(fixed[fixed > 0])) - len(shared)
    notes = (
        [f"{alone} objects of the fixed image have no partner and do not count."] if alone else []
    )
    masks = {"fixed": reference}
    for state, transform in _states(alignment).items():
        from_grid = alignment.on(transform, grid.stride)
        carried = from_grid.resample(moving.astype(np.int32), grid.shape, order=0)
        masks[state] = {n: carried == n for n in reference}
    return _finish("labels on both", alignment, grid, masks, notes)


def _compare_prompted(
    alignment: Alignment,
    grid: Grid,
    pictures: dict[State, NDArray[np.uint8]],
    segmenter: Segmenter,
    fixed: NDArray[Any] | None,
    count: int,
    run: Run,
) -> ObjectEvaluation:
    notes: list[str] = []
    with run.stage("Objects", 0.0, 0.4):
        if fixed is not None:
            given = split(grid.labels(fixed))
            if not given:
                raise InputError("There is no object in the labels: every pixel is 0. Paint some.")
            reference = keep_inside(given, grid.common)
            if len(reference) < len(given):
                notes.append(
                    f"{len(given) - len(reference)} of {len(given)} objects do not lie in the "
                    "overlap and do not count."
                )
            prompts = prompts_for(reference, segmenter)
        else:
            chosen = choose_objects(segmenter, grid.fixed, grid.common, count, run)
            if not chosen:
                raise InputError(
                    f"{segmenter.name} finds no object in the fixed image. Paint some in a Labels "
                    "layer and give it as the truth."
                )
            prompts = prompts_for(chosen, segmenter)
            reference = find(segmenter, grid.fixed, prompts, run)
    masks = {"fixed": reference}
    with run.stage("Objects", 0.4, 0.7):
        for state, picture in pictures.items():
            masks[state] = find(segmenter, picture, prompts, run)
            run.check()
    if fixed is None and alignment.truth is not None:
        notes.append(_keep_usable(masks, prompts, grid))
    with run.stage("Sensitivity", 0.7, 1.0):
        curve = sensitivity(segmenter, grid.after, prompts, masks["fixed"], grid.common, run)
    if not curve.fall >= LEAST_FALL:
        notes.append(
            f"On this pair {segmenter.name} does not see misalignment: shifting the registered "
            f"image by {curve.shifts[-1]:g} px costs {max(curve.fall, 0):.2f} IoU only. Do not "
            "judge the registration by it; paint masks of both images instead."
        )
    return _finish(
        "prompts" if fixed is None else "labels on fixed",
        alignment, grid, masks, notes, curve, prompts, dict(segmenter.provenance),
    )  # fmt: skip


def _keep_usable(masks: dict[str, dict[int, Mask]], prompts: dict[int, Prompt], grid: Grid) -> str:
    """Drop, in place, the objects that cannot be found in both images even when aligned."""
    scores = compare_masks(masks["fixed"], masks["ceiling"], grid.common)
    usable = {score.id for score in scores if score.iou >= USABLE}
    text = (
        f"{len(usable)} of {len(scores)} objects are found in both images when aligned by the truth"
    )
    if not usable:
        return f"{text}; all are listed."
    for score in scores:
        if score.id not in usable:
            del prompts[score.id]
            for found in masks.values():
                del found[score.id]
    return f"{text}; only these count."


def _finish(
    protocol: Protocol,
    alignment: Alignment,
    grid: Grid,
    masks: dict[str, dict[int, Mask]],
    notes: list[str],
    curve: SensitivityCurve | None = None,
    prompts: dict[int, Prompt] | None = None,
    segmenter: dict[str, Any] | None = None,
) -> ObjectEvaluation:
    reference = masks["fixed"]
    return ObjectEvaluation(
        protocol=protocol,
        masks=masks,
        scores={
            state: compare_masks(reference, found, grid.common)
            for state, found in masks.items()
            if state != "fixed"
        },
        geometry={
            state: geometric_iou(reference, transform, alignment, grid)
            for state, transform in _states(alignment).items()
            if alignment.truth is not None and state != "ceiling"
        },
        curve=curve,
        prompts=dict(prompts or {}),
        segmenter=dict(segmenter or {}),
        notes=tuple(notes),
    )


def _states(alignment: Alignment) -> dict[State, Transform]:
    states: dict[State, Transform] = {"after": alignment.transform}
    if alignment.initial is not None:
        states = {"before": alignment.initial, **states}
    if alignment.truth is not None:
        states["ceiling"] = alignment.truth
    return states


def _pictures(
    alignment: Alignment, grid: Grid, fused: NDArray[Any] | None
) -> dict[State, NDArray[np.uint8]]:
    pictures: dict[State, NDArray[np.uint8]] = {"after": grid.after}
    if alignment.initial is not None:
        pictures = {"before": grid.before, **pictures}
    if fused is not None:
        thin, known = grid.thin(fused)
        pictures["fused"] = as_picture(thin, known)
    if alignment.truth is not None:
        pictures["ceiling"] = alignment.picture(alignment.truth, grid)
    return pictures


def _labels(labels: ArrayLike | None, name: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    if labels is None:
        return None
    array = check_labels(labels, name)
    if array.shape != shape[:2]:
        raise InputError(
            f"The {name} labels have the shape {array.shape}, the {name} image {shape[:2]}. "
            "Draw them on that image's own grid."
        )
    return array
