"""How well objects lie on each other: IoU, F1 and boundary F for each, and run lengths to keep.

Two images' objects are compared by their ids: the object `i` of one belongs to the object
`i` of the other. Everything is counted inside a mask of valid pixels.

References
----------
Bian et al. (2026), FusionRegister, arXiv 2603.07667: IoU and "PR" of masks, where PR is the
harmonic mean of precision and recall, here called F1. It is ``2 IoU / (1 + IoU)`` and proves
nothing beyond IoU.
Perazzi et al. (2016), A benchmark dataset and evaluation methodology for video object
segmentation, CVPR: boundary F.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mmreg.errors import InputError

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
Part = tuple[slice, ...]

BOUNDARY_TOLERANCE = 2.0
"""How far apart two boundaries may be and still count as one, in pixels."""

FOUND = 0.5
"""IoU from which an object counts as found again."""


@dataclass(frozen=True, slots=True)
class ObjectScore:
    """How well one object lies on its partner.

    Attributes
    ----------
    id : int
        The object's label in both images.
    iou : float
        Intersection over union, [0, 1]; NaN if neither has a valid pixel.
    f1 : float
        Harmonic mean of precision and recall of the pixels ("PR", Dice), [0, 1].
    boundary_f : float
        The same for boundary pixels within `BOUNDARY_TOLERANCE`, [0, 1].
    area : int
        Valid pixels of the object in the reference image.
    box : (int, int, int, int)
        First row and column, last ones (exclusive), of the object and its partner together.
    """

    id: int
    iou: float
    f1: float
    boundary_f: float
    area: int
    box: tuple[int, int, int, int]


def compare_masks(
    reference: Mapping[int, Mask],
    other: Mapping[int, Mask],
    valid: ArrayLike | None = None,
    tolerance: float = BOUNDARY_TOLERANCE,
) -> tuple[ObjectScore, ...]:
    """Score the masks of two images, which may overlap.

    Parameters
    ----------
    reference, other : mapping of int to ndarray of bool, shape (H, W)
        Masks by id. An object of `reference` that `other` lacks scores 0; objects that only
        `other` has are not looked at.
    valid : array_like of bool, shape (H, W), optional
        The pixels that count.
    tolerance : float
        For the boundaries, in pixels.

    Raises
    ------
    InputError
        If shapes differ.
    """
    shapes = {mask.shape for mask in (*reference.values(), *other.values())}
    inside = _valid(valid, shapes)
    scores = []
    for number, mask in reference.items():
        partner = other.get(number, np.zeros_like(mask))
        part = _frame(_extent(mask), _extent(partner), mask.shape, tolerance)
        scores.append(_score(number, mask[part], partner[part], inside, part, tolerance))
    return tuple(scores)


def compare_labels(
    reference: ArrayLike,
    other: ArrayLike,
    valid: ArrayLike | None = None,
    tolerance: float = BOUNDARY_TOLERANCE,
) -> tuple[ObjectScore, ...]:
    """Score the objects of two label images with matching ids; see `compare_masks`.

    Parameters
    ----------
    reference, other : array_like of int, shape (H, W)
        0 is background.

    Raises
    ------
    InputError
        If they are no label images of one shape, or `reference` has no object.
    """
    first, second = check_labels(reference, "first"), check_labels(other, "second")
    inside = _valid(valid, {first.shape, second.shape})
    places, partners = _places(first), _places(second)
    if not places:
        raise InputError("There is no object in the labels: every pixel is 0. Paint some.")
    scores = []
    for number, place in places.items():
        part = _frame(place, partners.get(number), first.shape, tolerance)
        masks = first[part] == number, second[part] == number
        scores.append(_score(number, *masks, inside, part, tolerance))
    return tuple(scores)


def check_labels(labels: ArrayLike, name: str = "label") -> NDArray[Any]:
    """Return a label image as an integer array; raise `InputError` if it is none."""
    array = np.asarray(labels)
    if array.ndim != 2 or array.dtype.kind not in "iub" or array.size == 0:
        raise InputError(
            f"The {name} labels need whole numbers of shape (H, W), not {array.dtype} of shape "
            f"{array.shape}. Pass a Labels layer's data."
        )
    if array.dtype.kind == "i" and array.min() < 0:
        raise InputError(f"The {name} labels have negative numbers; use 0 for the background.")
    return array.astype(np.int32) if array.dtype.kind == "b" else array


def mean_iou(scores: Sequence[ObjectScore]) -> float:
    """Return the mean IoU over the objects that have one; NaN without any."""
    return mean_of(scores, "iou")


def mean_of(scores: Sequence[ObjectScore], name: str) -> float:
    """Return the mean of an attribute over the objects that have it; NaN without any."""
    return mean(getattr(score, name) for score in scores)


def mean(values: Iterable[float]) -> float:
    """Return the mean of what is not NaN; NaN without any."""
    known = np.array([value for value in values if not np.isnan(value)], dtype=np.float64)
    return float(known.mean()) if known.size else float("nan")


def found_share(scores: Sequence[ObjectScore]) -> float:
    """Return the share of objects whose IoU reaches `FOUND`; NaN without any."""
    values = [score.iou for score in scores if np.isfinite(score.iou)]
    return float(np.mean(np.array(values) >= FOUND)) if values else float("nan")


def paint(masks: Mapping[int, Mask], shape: tuple[int, int]) -> Labels:
    """Return masks as one label image; where they overlap, the smaller one is seen."""
    labels = np.zeros(shape, dtype=np.int32)
    for number, mask in sorted(masks.items(), key=lambda item: -int(item[1].sum())):
        labels[mask] = number
    return labels


def split(labels: NDArray[Any]) -> dict[int, Mask]:
    """Return every object of a label image as a mask."""
    return {number: labels == number for number in _places(labels)}


def encode(mask: Mask) -> dict[str, list[int]]:
    """Return a mask as uncompressed run lengths, column by column, as COCO writes them."""
    flat = np.asarray(mask, dtype=np.bool_).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]]))
    counts = [0, *runs.tolist()] if flat.size and flat[0] else runs.tolist()
    return {"size": list(mask.shape), "counts": counts}


def decode(runs: Mapping[str, Sequence[int]]) -> Mask:
    """Return the mask that `encode` wrote.

    Raises
    ------
    InputError
        If the runs do not fill the size.
    """
    rows, cols = runs["size"]
    counts = np.asarray(runs["counts"], dtype=np.int64)
    if counts.sum() != rows * cols or (counts < 0).any():
        raise InputError(f"The run lengths do not fill a mask of {rows} x {cols} pixels.")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((rows, cols), order="F")


def _score(
    number: int, mask: Mask, partner: Mask, valid: Mask, part: Part, tolerance: float
) -> ObjectScore:
    inside = valid[part]
    one, other = mask & inside, partner & inside
    both, either = np.count_nonzero(one & other), np.count_nonzero(one | other)
    return ObjectScore(
        id=int(number),
        iou=both / either if either else float("nan"),
        f1=2 * both / (both + either) if either else float("nan"),
        boundary_f=_boundary_f(one, other, inside, tolerance) if either else float("nan"),
        area=int(np.count_nonzero(one)),
        box=(part[0].start, part[1].start, part[0].stop, part[1].stop),
    )


def _boundary_f(one: Mask, other: Mask, inside: Mask, tolerance: float) -> float:
    """Return F of the boundaries; where the frame or the valid area cuts is no boundary."""
    edges = [m & ~ndimage.binary_erosion(m | ~inside, border_value=1) for m in (one, other)]
    if not edges[0].any() or not edges[1].any():
        return float(edges[0].any() == edges[1].any() and one.any() == other.any())
    near = [
        (ndimage.distance_transform_edt(~a)[b] <= tolerance).mean() for a, b in (edges, edges[::-1])
    ]
    return float(2 * near[0] * near[1] / (near[0] + near[1])) if sum(near) else 0.0


def _places(labels: NDArray[Any]) -> dict[int, Part]:
    """Return where every object lies; ids may be large and have gaps."""
    ids, dense = np.unique(labels, return_inverse=True)
    background = int(np.searchsorted(ids, 0)) if 0 in ids else -1
    found = ndimage.find_objects(dense.reshape(labels.shape).astype(np.int32) + 1)
    return {
        int(ids[index]): place
        for index, place in enumerate(found)
        if place is not None and index != background
    }


def _extent(mask: Mask) -> Part | None:
    found = ndimage.find_objects(mask.astype(np.int8))
    return found[0] if found else None


def _frame(one: Part | None, other: Part | None, shape: tuple[int, ...], tolerance: float) -> Part:
    """Return the box around two places, with room for the boundaries."""
    places = [place for place in (one, other) if place is not None]
    if not places:
        return slice(0, 1), slice(0, 1)
    reach = int(np.ceil(tolerance)) + 2
    ends = [
        (
            max(min(place[axis].start for place in places) - reach, 0),
            min(max(place[axis].stop for place in places) + reach, shape[axis]),
        )
        for axis in range(2)
    ]
    return slice(*ends[0]), slice(*ends[1])


def _valid(valid: ArrayLike | None, shapes: set[tuple[int, ...]]) -> Mask:
    if len(shapes) > 1:
        raise InputError(f"The objects lie on grids of different shapes: {sorted(shapes)}.")
    shape = next(iter(shapes), (1, 1))
    inside = np.ones(shape, np.bool_) if valid is None else np.asarray(valid, dtype=np.bool_)
    if inside.shape != shape:
        raise InputError(f"The mask has the shape {inside.shape}, the objects {shape}.")
    return inside
