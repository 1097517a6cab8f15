"""Landmarks that look wrong, each with a sentence that says what to check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_mmreg.geometry import Transform, aspect_ratio, orientation, rbf_correction
from napari_mmreg.landmarks.fitting import FitSettings, left_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]

SAME_PLACE = 1.0
"""Points nearer than this, in pixels, were probably clicked twice."""

LINE = 0.02
"""Width over length of a cloud of points that is nearly a line."""

FAR = 5.0
"""A left-out error is an outlier at this many robust standard deviations..."""

LEAST = 3.0
"""... and from this many pixels on."""

_MAD = 1.4826
_SWAP_GAIN = 0.35
"""Two points are taken for swapped if exchanging them leaves less than this of the errors."""

_MOST_SWAPS = 12
"""Pairs with the largest errors among which swapped ones are looked for."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One thing to check.

    Attributes
    ----------
    kind : {"duplicate", "line", "mirrored", "swapped", "outlier"}
    ids : tuple of int
        The pairs concerned; empty if all are.
    sentence : str
        For the user.
    """

    kind: Literal["duplicate", "line", "mirrored", "swapped", "outlier"]
    ids: tuple[int, ...]
    sentence: str


def find_suspects(
    names: Sequence[str],
    ids: Sequence[int],
    fixed: Points,
    moving: Points,
    base: Transform | None = None,
) -> tuple[Suspicion, ...]:
    """Look for mistakes among complete pairs; never raises.

    Parameters
    ----------
    names : sequence of str
    ids : sequence of int
    fixed, moving : ndarray of float64, shape (n, 2)
        ``(row, col)`` in pixels of the fixed and of the moving image.
    base : Transform or None
        What the pairs correct; without it they are compared with their own affine trend.

    Returns
    -------
    tuple of Suspicion
        Most serious first.
    """
    found = _duplicates(names, ids, fixed, moving)
    if len(fixed) >= 3 and min(aspect_ratio(fixed), aspect_ratio(moving)) < LINE:
        found.append(
            Suspicion(
                "line",
                (),
                f"All {len(fixed)} landmarks lie nearly on one line: across it the transform is a "
                "guess. Add a pair beside the line.",
            )
        )
        return tuple(found)
    if base is None and orientation(fixed, moving) < 0:
        found.append(
            Suspicion(
                "mirrored",
                (),
                "The pairs mirror the image, so points are probably in the wrong order. Check the "
                "pairs with the largest errors; if one picture really is mirrored, flip it first.",
            )
        )
    errors = _errors(fixed, moving, base)
    swapped = _swapped(names, ids, fixed, moving, base, errors)
    found += swapped
    explained = {pair for suspicion in found for pair in suspicion.ids}
    # Swapped points spoil the errors of all others: judge those once the order is right.
    if not swapped:
        found += _outliers(names, ids, errors, explained)
    return tuple(found)


def _duplicates(
    names: Sequence[str], ids: Sequence[int], fixed: Points, moving: Points
) -> list[Suspicion]:
    from scipy.spatial import KDTree

    near: dict[tuple[int, int], list[str]] = {}
    for side, points in (("fixed", fixed), ("moving", moving)):
        for pair in sorted(KDTree(points).query_pairs(SAME_PLACE)) if len(points) > 1 else []:
            near.setdefault(pair, []).append(side)
    return [
        Suspicion(
            "duplicate",
            (ids[one], ids[two]),
            f"Pairs {names[one]} and {names[two]} have the same place in the "
            f"{' and the '.join(sides)} image. Delete one, or move it.",
        )
        for (one, two), sides in sorted(near.items())
    ]


def _errors(fixed: Points, moving: Points, base: Transform | None) -> NDArray[np.float64]:
    """Return each pair's distance from where the others put it; NaN where they do not."""
    count = len(fixed)
    if base is not None and count > 2:
        reached = base.map(fixed)
        known = np.isfinite(reached).all(axis=1)
        errors = np.full(count, np.nan)
        if known.sum() > 2:
            bend = rbf_correction(reached[known], moving[known])
            errors[known] = np.linalg.norm(bend.offsets_left_out(), axis=1)
        return errors
    kind: Literal["affine", "similarity"] = "affine" if count > 4 else "similarity"
    if count < 4:
        return np.full(count, np.nan)
    return np.asarray(
        np.linalg.norm(left_out(None, fixed, moving, FitSettings(kind)), axis=1), dtype=np.float64
    )


def _swapped(
    names: Sequence[str],
    ids: Sequence[int],
    fixed: Points,
    moving: Points,
    base: Transform | None,
    errors: NDArray[np.float64],
) -> list[Suspicion]:
    """Find the two moving points whose exchange explains most, if it explains enough."""
    if len(fixed) < 4:
        return []
    # Any four pairs lie close to some affine trend; that alone tells too little.
    order = np.argsort(-np.nan_to_num(errors, nan=np.inf))[:_MOST_SWAPS]
    now = _misfit(fixed, moving, base)
    if not now > LEAST:
        return []
    best, least = None, _SWAP_GAIN * now
    for place, one in enumerate(order):
        for two in order[place + 1 :]:
            exchanged = moving.copy()
            exchanged[[one, two]] = moving[[two, one]]
            if base is None and orientation(fixed, exchanged) < 0:
                continue
            misfit = _misfit(fixed, exchanged, base)
            if misfit < least:
                best, least = sorted((int(one), int(two))), misfit
    if best is None:
        return []
    one, two = best
    return [
        Suspicion(
            "swapped",
            (ids[one], ids[two]),
            f"Pairs {names[one]} and {names[two]} look swapped: with their moving points exchanged "
            "all pairs fit together. Check their order.",
        )
    ]


def _misfit(fixed: Points, moving: Points, base: Transform | None) -> float:
    """Return the root mean square distance from the base, or from the pairs' affine trend."""
    if base is not None:
        rest = base.map(fixed) - moving
        return float(np.sqrt(np.nanmean(np.square(rest).sum(axis=1))))
    design = np.column_stack([fixed, np.ones(len(fixed))])
    rest = design @ np.linalg.lstsq(design, moving, rcond=None)[0] - moving
    # An affine trend takes up three pairs' errors.
    return float(np.sqrt(np.square(rest).sum() / (len(fixed) - 3)))


def _outliers(
    names: Sequence[str],
    ids: Sequence[int],
    errors: NDArray[np.float64],
    explained: set[int],
) -> list[Suspicion]:
    known = errors[np.isfinite(errors)]
    if len(known) < 4:
        return []
    middle = float(np.median(known))
    spread = _MAD * float(np.median(np.abs(known - middle)))
    limit = max(middle + FAR * spread, LEAST)
    worst = [
        row
        for row in np.argsort(-np.nan_to_num(errors, nan=-1.0))
        if errors[row] > limit and ids[row] not in explained
    ]
    return [
        Suspicion(
            "outlier",
            (ids[row],),
            f"Pair {names[row]} is {errors[row]:.1f} px from where the other pairs put it (usual: "
            f"{middle:.1f} px). Check that both points show the same place.",
        )
        for row in worst
    ]
