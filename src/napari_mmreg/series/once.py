"""A fixed rig: one transform, estimated on a few planes or on a projection, for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.series.motion import consensus, distance, unit_of
from napari_mmreg.series.plane_result import PlaneResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_mmreg.registration.result import Status
    from napari_mmreg.series.planes import Planes

EstimateOn = Literal["best", "first", "mean", "median", "max"] | int

PROJECTIONS = ("mean", "median", "max")

BEST_OF = 5
"""Planes that are registered, evenly spaced, for the one transform of a fixed rig."""

MEDIAN_OF = 25
"""Planes of which a median is taken at most: it needs all of them at once."""

DISAGREE = 2.0
"""Median distance of single estimates from the one transform, in pixels at 256-px scale, from which
on the rig is not fixed, or the estimates are not to be trusted."""

_DISAGREE = (
    "The planes do not agree on one transform: they differ by {spread:.1f} px (fixed pixels). The "
    "rig may have moved: follow the planes over time, or register each of them."
)
_FEW = (
    "Only {kept} of the {tried} planes that were registered gave a result that holds; check the "
    "others, or estimate on a plane with more structure."
)
_AGREE = (
    "One transform from planes {planes}, which agree within {spread:.2f} px (median, fixed pixels)."
)
_ALONE = "One transform from {what}."
_CARRIED = "Carried: the transform was found on {what}."
NOTHING = (
    "None of the planes could be registered: all are left as they were. Start from landmarks, "
    "choose another model, or estimate on other planes."
)


def check_estimate(estimate_on: EstimateOn, number: int) -> None:
    """Raise `InputError` if there is no such plane or way."""
    if isinstance(estimate_on, bool) or (
        isinstance(estimate_on, str) and estimate_on not in ("best", "first", *PROJECTIONS)
    ):
        raise InputError(
            f"A transform is estimated on 'best', 'first', 'mean', 'median', 'max' or the number "
            f"of a plane, not on {estimate_on!r}."
        )
    if not isinstance(estimate_on, str) and not 0 <= int(estimate_on) < number:
        raise InputError(
            f"There is no plane {estimate_on}; the {number} planes are 0 to {number - 1}."
        )


def chosen_planes(estimate_on: EstimateOn, number: int) -> list[int]:
    """Return the planes to register, in order; none for a projection."""
    if estimate_on in PROJECTIONS:
        return []
    if estimate_on == "best":
        places = (np.arange(min(BEST_OF, number)) + 0.5) * number / min(BEST_OF, number)
        return [int(place) for place in places]
    return [0 if estimate_on == "first" else int(estimate_on)]


def project(planes: Planes, how: str, check: Callable[[], None]) -> NDArray[Any]:
    """Return the mean, median or maximum over a stack's planes: (h, w) or (h, w, C).

    NaN does not count. A single image is returned as it is; means and medians are float32.
    `check` is called before each plane is read.
    """
    number = planes.number
    if number is None:
        return planes.plane(0)
    if how == "median":
        step = -(-number // MEDIAN_OF)
        images = []
        for n in range(0, number, step):
            check()
            images.append(planes.plane(n).astype(np.float32))
        return np.asarray(_quiet(np.nanmedian, np.stack(images)), dtype=np.float32)
    total: NDArray[Any] | None = None
    known: NDArray[Any] | None = None
    for n in range(number):
        check()
        image = planes.plane(n)
        if how == "max":
            total = image if total is None else np.fmax(total, image)
            continue
        finite = np.isfinite(image)
        values = np.where(finite, image, 0).astype(np.float64)
        total = values if total is None else total + values
        known = finite.astype(np.int64) if known is None else known + finite
    assert total is not None  # noqa: S101  # a stack has a plane
    if known is None:
        return total
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(known == 0, np.nan, known), dtype=np.float32)


def agree(
    found: Sequence[PlaneResult], number: int, shape: tuple[int, int], what: str
) -> tuple[tuple[PlaneResult, ...], tuple[str, ...]]:
    """Make one transform of what was found, and carry it to every plane.

    Of the results of the best status that there is, the transform that they agree on is taken, see
    `motion.consensus`: on a fixed rig they are measurements of one thing, so that several together
    are more accurate than the one with the best certificate, and one that is wrong and sure of
    itself has no weight. How far they lie apart is the check that no single plane has.

    Parameters
    ----------
    found : sequence of PlaneResult
        Registered planes, or the one of a projection.
    number : int
        Of planes in the series.
    shape : (int, int)
        The fixed frame.
    what : str
        What the transform comes from, for sentences.

    Returns
    -------
    planes : tuple of PlaneResult
    reasons : tuple of str
    """
    usable = [plane for plane in found if plane.status == "ok"]
    usable = usable or [plane for plane in found if plane.status == "doubtful"]
    if not usable:
        start = found[0]
        failed = [
            replace(start, index=n, metrics={}, answer_of="", reasons=(NOTHING,))
            for n in range(number)
        ]
        own = {plane.index: plane for plane in found} if what != "a projection" else {}
        return tuple(own.get(n, failed[n]) for n in range(number)), (NOTHING, *start.reasons)
    transform, spread = consensus([plane.transform for plane in usable], shape)
    reasons, doubtful = [], usable[0].status != "ok"
    if len(found) == 1:
        reasons += [_ALONE.format(what=what), *usable[0].reasons]
    else:
        names = ", ".join(str(plane.index) for plane in usable)
        reasons.append(_AGREE.format(planes=names, spread=spread))
        if spread > DISAGREE * unit_of(shape):
            doubtful, reasons = True, [_DISAGREE.format(spread=spread)]
        if 2 * len(usable) < len(found) or usable[0].status != "ok":
            doubtful = True
            kept = sum(plane.status == "ok" for plane in found)
            reasons.append(_FEW.format(kept=kept, tried=len(found)))
    status: Status = "doubtful" if doubtful else "ok"
    carried = PlaneResult(0, status, "carried", (_CARRIED.format(what=what),), transform)
    own = {p.index: p for p in usable} if what != "a projection" else {}
    planes = []
    for n in range(number):
        plane = replace(carried, index=n)
        if n in own:
            away = distance(own[n].transform, transform, shape)
            metrics = {**own[n].metrics, "surprise_px": away}
            plane = replace(plane, metrics=metrics, answer_of=own[n].answer_of)
        planes.append(plane)
    return tuple(planes), tuple(reasons)


def _quiet(function: Any, images: NDArray[Any]) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pixels that no plane knows stay NaN
        return function(images, axis=0)
