"""Objects found by the same prompts in two images: prompt-consistent IoU and its sensitivity.

The prompts are fixed on the fixed image before any registration is looked at, and are the same
for every image. Doing nothing is the floor; the pair aligned by the truth, where there is one,
the ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.objects import ObjectScore, compare_masks, mean_iou
from napari_mmreg.evaluation.segmentation.protocol import (
    Mask,
    Picture,
    Prompt,
    Segmenter,
    prompt_from_mask,
)
from napari_mmreg.run import Run

AREA_SHARES = (0.001, 0.3)
"""Least and greatest share of the image that an object may cover."""

IN_OVERLAP = 0.75
"""Share of an object that must lie where all compared images have data."""

_APART = 0.3
"""Share of the smaller one that two objects may have in common."""

SHIFTS, FEW_SHIFTS = (0, 1, 2, 3, 4, 6, 8), (0, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class SensitivityCurve:
    """Mean IoU against a known shift of the registered image.

    Attributes
    ----------
    shifts : tuple of float
        In pixels of the grid that was evaluated.
    iou : tuple of float
        Of the objects found by prompts, mean over objects and directions.
    geometry : tuple of float
        Of each fixed mask with itself, shifted: what a perfect segmenter would give.
    """

    shifts: tuple[float, ...]
    iou: tuple[float, ...]
    geometry: tuple[float, ...]

    @property
    def fall(self) -> float:
        """How much IoU the largest shift costs."""
        return self.iou[0] - self.iou[-1]


def choose_objects(
    segmenter: Segmenter, picture: Picture, valid: Mask, count: int, run: Run
) -> dict[int, Mask]:
    """Return up to `count` objects of the fixed image, best first, by ids from 1.

    Of what the segmenter proposes, objects of 0.1 to 30 % of the image that lie inside
    `valid`, touch no frame and hardly overlap.
    """
    total = valid.size
    chosen: list[Mask] = []
    for segment in segmenter.propose(picture, run):
        mask = segment.mask
        area = np.count_nonzero(mask)
        if not AREA_SHARES[0] * total <= area <= AREA_SHARES[1] * total:
            continue
        if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
            continue
        if np.count_nonzero(mask & valid) < IN_OVERLAP * area:
            continue
        shared = (np.count_nonzero(mask & m) / min(area, np.count_nonzero(m)) for m in chosen)
        if any(share > _APART for share in shared):
            continue
        chosen.append(mask)
        if len(chosen) == count:
            break
    return dict(enumerate(chosen, start=1))


def prompts_for(objects: Mapping[int, Mask], segmenter: Segmenter) -> dict[int, Prompt]:
    """Return the prompt of every object, by its id."""
    return {
        number: prompt_from_mask(mask, background=segmenter.needs_background)
        for number, mask in objects.items()
    }


def find(
    segmenter: Segmenter, picture: Picture, prompts: Mapping[int, Prompt], run: Run
) -> dict[int, Mask]:
    """Return what each prompt finds in an image, by its id."""
    segments = segmenter.segment(picture, list(prompts.values()), run)
    return {number: s.mask for number, s in zip(prompts, segments, strict=True)}


def sensitivity(
    segmenter: Segmenter,
    picture: Picture,
    prompts: Mapping[int, Prompt],
    reference: Mapping[int, Mask],
    valid: Mask,
    run: Run,
    shifts: Sequence[int] | None = None,
) -> SensitivityCurve:
    """Measure how IoU falls when the registered image is shifted by a known amount.

    Parameters
    ----------
    segmenter, picture, prompts
        The prompts are put to the registered image.
    reference : mapping of int to ndarray of bool, shape (H, W)
        The objects' masks in the fixed image.
    valid : ndarray of bool, shape (H, W)
    run : Run
        For progress and cancel.
    shifts : sequence of int, optional
        In pixels; fewer, and two directions instead of four, for costly segmenters.

    Notes
    -----
    Shifting an image and prompting it gives what prompting at places shifted the other way and
    shifting the masks gives, but for the frame. So one embedding serves the whole curve.
    """
    steps = tuple(shifts) if shifts is not None else FEW_SHIFTS if segmenter.costly else SHIFTS
    directions = ((1, 0), (0, 1)) if segmenter.costly else ((1, 0), (-1, 0), (0, 1), (0, -1))
    found, ideal = [], []
    for index, step in enumerate(steps):
        run.step(index / len(steps))
        scores, alone = [], []
        for row, col in directions if step else directions[:1]:
            offset = (row * step, col * step)
            moved = {n: p.moved((-offset[0], -offset[1])) for n, p in prompts.items()}
            masks = find(segmenter, picture, moved, run)
            shifted = {n: shift(mask, offset) for n, mask in masks.items()}
            scores.append(mean_iou(compare_masks(reference, shifted, valid)))
            same = {n: shift(mask, offset) for n, mask in reference.items()}
            alone.append(mean_iou(compare_masks(reference, same, valid)))
        found.append(float(np.mean(scores)))
        ideal.append(float(np.mean(alone)))
    return SensitivityCurve(tuple(float(s) for s in steps), tuple(found), tuple(ideal))


def shift(mask: Mask, offset: tuple[int, int]) -> Mask:
    """Return a mask moved by whole pixels ``(row, col)``; what comes in is empty."""
    moved = np.zeros_like(mask)
    source, target = [], []
    for size, step in zip(mask.shape, offset, strict=True):
        source.append(slice(max(-step, 0), size - max(step, 0)))
        target.append(slice(max(step, 0), size - max(-step, 0)))
    moved[tuple(target)] = mask[tuple(source)]
    return moved


def worst_first(
    before: Sequence[ObjectScore] | None, after: Sequence[ObjectScore]
) -> list[tuple[ObjectScore | None, ObjectScore]]:
    """Return each object's scores before and after, the worst after registration first."""
    former = {score.id: score for score in before or ()}
    ranked = sorted(after, key=lambda s: (-1.0 if np.isnan(s.iou) else s.iou, s.id))
    return [(former.get(score.id), score) for score in ranked]


def keep_inside(objects: Mapping[int, Mask], valid: Mask) -> dict[int, Mask]:
    """Return the objects of which enough lies inside `valid`.

    Raises
    ------
    InputError
        If none does.
    """
    kept = {
        number: mask
        for number, mask in objects.items()
        if np.count_nonzero(mask & valid) >= IN_OVERLAP * np.count_nonzero(mask) and mask.any()
    }
    if not kept:
        raise InputError(
            "No object lies where both images have data, before and after registration. Paint "
            "objects inside the overlap, or look at the registration: the overlap may be too small."
        )
    return kept
