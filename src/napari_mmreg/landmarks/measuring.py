"""The numbers of the landmark table: residual before, after and left out, and their summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import RegistrationError
from napari_mmreg.evaluation import LandmarkError, landmark_error, success_rate
from napari_mmreg.geometry import Transform
from napari_mmreg.landmarks.fitting import FitSettings, fit_pairs, left_out
from napari_mmreg.landmarks.pairs import LandmarkPair, used_points
from napari_mmreg.landmarks.suspects import Suspicion, find_suspects

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spacing = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Measurement:
    """Everything that is known about the pairs that are used.

    Attributes
    ----------
    ids : tuple of int
        The used pairs, in order.
    before, after, left_out : LandmarkError or None
        Error per pair: under the transform that is judged, under the one that the pairs make,
        and under the one that the *other* pairs make (NaN where they do not determine any).
        None without pairs, or where the pairs make no transform.
    transform : Transform or None
        What the pairs make.
    problem : str
        Why they make none; a sentence for the user.
    suspects : tuple of Suspicion
        What looks wrong.
    """

    ids: tuple[int, ...] = ()
    before: LandmarkError | None = None
    after: LandmarkError | None = None
    left_out: LandmarkError | None = None
    transform: Transform | None = None
    problem: str = ""
    suspects: tuple[Suspicion, ...] = ()

    def of(self, pair_id: int) -> tuple[float, float, float]:
        """Return a pair's residual before, after and left out; NaN where there is none."""
        if pair_id not in self.ids:
            return np.nan, np.nan, np.nan
        row = self.ids.index(pair_id)
        columns = (self.before, self.after, self.left_out)
        before, after, alone = (
            np.nan if column is None else float(column.errors[row]) for column in columns
        )
        return before, after, alone

    def summary(self, threshold: float) -> dict[str, Any]:
        """Return the numbers of every column, ready for JSON; see `summarise`."""
        columns = {"before": self.before, "after": self.after, "left_out": self.left_out}
        return {
            name: summarise(column, threshold)
            for name, column in columns.items()
            if column is not None
        }


def measure(
    pairs: Sequence[LandmarkPair],
    judged: Transform,
    base: Transform | None,
    settings: FitSettings,
    spacing: Spacing | None = None,
    *,
    leave_out: bool = True,
) -> Measurement:
    """Measure landmark pairs.

    Parameters
    ----------
    pairs : sequence of LandmarkPair
        Only complete and enabled ones count.
    judged : Transform
        What the residuals *before* belong to: the base, or how the images lay at first.
    base : Transform or None
        What the pairs correct; None: they make a transform of their own.
    settings : FitSettings
    spacing : (float, float), optional
        Size of a moving pixel along rows and columns; with it the errors are physical.
    leave_out : bool
        Whether to compute the left-out errors and the suspects, which take longest.

    Returns
    -------
    Measurement

    Notes
    -----
    *Convention*: residuals are ``|transform.map(fixed) - moving|``, in moving pixels or the
    spacing's unit. See `landmark_error`.
    """
    ids, fixed, moving = used_points(pairs)
    if not ids:
        return Measurement()
    before = landmark_error(judged, fixed, moving, spacing)
    transform, problem, after = None, "", None
    by_id = {pair.id: pair.name for pair in pairs}
    names = [by_id[pair_id] for pair_id in ids]
    try:
        transform = fit_pairs(base, fixed, moving, settings, names)
        after = landmark_error(transform, fixed, moving, spacing)
    except RegistrationError as error:
        problem = str(error)
    if not leave_out:
        return Measurement(ids, before, after, None, transform, problem)
    missed = left_out(base, fixed, moving, settings)
    scale = np.ones(2) if spacing is None else np.asarray(spacing, dtype=np.float64)
    alone = LandmarkError(np.linalg.norm(missed * scale, axis=1), before.unit)
    suspects = find_suspects(names, ids, fixed, moving, base)
    return Measurement(ids, before, after, alone, transform, problem, suspects)


def summarise(error: LandmarkError, threshold: float) -> dict[str, Any]:
    """Return count, unit, mean, RMSE, median, maximum and success rate.

    Parameters
    ----------
    error : LandmarkError
        NaN (not determined) is left out and not counted; infinite (no answer) is a failure.
    threshold : float
        A pair succeeds up to this error, in the error's unit.
    """
    known = error.errors[~np.isnan(error.errors)]
    if not known.size:
        return {"count": 0, "unit": error.unit}
    part = LandmarkError(known, error.unit)
    return {
        **part.summary(),
        "threshold": threshold,
        "success_rate": success_rate(known, threshold),
    }


def histogram(errors: NDArray[np.float64], bins: int, top: float) -> NDArray[np.intp]:
    """Count errors in equal bins from 0 to `top`; larger and infinite ones in the last bin."""
    known = errors[~np.isnan(errors)]
    place = np.minimum(known / max(top, 1e-12) * bins, bins - 1)
    return np.bincount(place.astype(np.intp), minlength=bins)
