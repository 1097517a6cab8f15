"""What can be said of a result without knowing the truth: how far off it probably is, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_mmreg.geometry import Transform, folding_fraction
from napari_mmreg.models.elastic import load_elastic
from napari_mmreg.registration.error_estimate import TOLERANCE, ErrorEstimate
from napari_mmreg.registration.error_model import load_error_model
from napari_mmreg.registration.measurements import Measurements, measure

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

Map = NDArray[np.float32]

WRONG = 5.0
"""Mean error, in px at 256-px scale, from which on a registration is wrong."""

DOUBTFUL, FAILED = 0.15, 0.97
"""Probabilities of that from which on a result is doubtful, or not used. Both are chosen on the
cases that the error model is trained on, pairs left out in turn. Of the right answers 94 % are
under the first one and `MAX_LIKELY_WRONG`; of 90 hopeless pairs one, which shows one room twice,
and three of five answers to a mirrored brain. Above the second one are four of five results of
hopeless pairs, and none of a right answer that had moved anything; of the results of pairs that can
be registered, 65 were better than the pair as it came and 20 worse between 0.8 and it, 110 and 72
above it."""

MIN_MARGIN = 0.05
"""Correlation by which the place found must exceed every other shift. On the same cases 0.4 % of
the right answers stay below it, and 84 % of the hopeless pairs."""

MAX_FOLDING = 0.002
MIN_OVERLAP = 0.2
MAX_DROP = 0.02
"""Loss of similarity that is still taken for noise."""

MAX_RIVAL = 0.8
"""Height of another peak of the correlation, of the found one's, above which a pattern repeats."""

MAX_SHIFT = 4.0
"""Pixels at 256-px scale by which a shift may still make the images more alike."""

MAX_LIKELY_WRONG = 0.75
"""Share of the area where both have data that may be more likely wrong than right."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What was found about a transform.

    Attributes
    ----------
    status : {"ok", "doubtful", "failed"}
        ``"failed"``: better not used.
    reasons : tuple of str
        Sentences for users; one at least.
    whole : ErrorEstimate
        Of the mean error, () arrays.
    errors, errors_before : ErrorEstimate
        Of the error of each place of the pair's grid, (h, w): of the result, and of the input.
    similarity_before, similarity_after : float
        Correlation of oriented gradient channels where both images have data, in [-1, 1]; of
        the pair as it came, and under the transform.
    folding : float
        Share of the grid where the transform turns inside out.
    overlap : float
        Share of the smaller image's data that finds data in the other one.
    displacement : ndarray of float32, shape (h, w, 2)
        What the transform does to the grid: moving minus fixed position, (row, col), in pixels.
    forward_backward : ndarray of float32, shape (h, w)
        Grid pixels by which a registration with swapped roles still moves the result.
    """

    status: Literal["ok", "doubtful", "failed"]
    reasons: tuple[str, ...]
    whole: ErrorEstimate
    errors: ErrorEstimate
    errors_before: ErrorEstimate
    similarity_before: float
    similarity_after: float
    folding: float
    overlap: float
    displacement: Map
    forward_backward: Map

    @property
    def expected_error(self) -> float:
        """The mean error that is exceeded as often as not, in px at 256-px scale."""
        return float(self.whole.median)

    @property
    def chance_wrong(self) -> float:
        """Probability that the mean error exceeds `WRONG`."""
        return float(self.whole.exceeds(WRONG))


def certify(
    pair: Pair, transform: Transform, run: Run, *, elastic: ElasticNetwork | None = None
) -> Certificate:
    """Judge a transform without knowing the truth.

    Parameters
    ----------
    pair : Pair
    transform : Transform
        Of the pair's grid, fixed to moving.
    run : Run
    elastic : ElasticNetwork, optional
        On the run's device; loaded if it is not given.

    Returns
    -------
    Certificate
        Maps on the pair's grid.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """
    with torch.inference_mode():
        found = measure(pair, transform, run, elastic or load_elastic(run.device))
    run.step(0.9)
    model = load_error_model()
    whole, after = model.errors(found)
    before = model.before(after, found.displacement.double().cpu().numpy())
    folding = _folding(found.field, pair.fixed_mask)
    known = found.mask.cpu().numpy()
    likely_wrong = float((after.exceeds()[known] > 0.5).mean()) if known.any() else 1.0
    status, reasons = _judge(found, whole, folding, likely_wrong)
    moves = found.look.moves.cpu().numpy() * np.float32(max(pair.shape) / 256)
    return Certificate(
        status=status,
        reasons=reasons,
        whole=whole,
        errors=_on_grid(after, known, pair.shape),
        errors_before=_on_grid(before, known, pair.shape),
        similarity_before=found.before,
        similarity_after=found.after,
        folding=folding,
        overlap=found.overlap,
        displacement=found.field,
        forward_backward=_enlarge(moves, pair.shape),
    )


def _on_grid(
    errors: ErrorEstimate, known: NDArray[np.bool_], shape: tuple[int, int]
) -> ErrorEstimate:
    """Enlarge an estimate; without data a place is as likely wrong as not, or worse."""
    least = np.where(known, 0, TOLERANCE)
    median = np.maximum(errors.median, least.astype(np.float32))
    return ErrorEstimate(np.exp(_enlarge(np.log(median), shape)), _enlarge(errors.spread, shape))


def _enlarge(part: Map, shape: tuple[int, int]) -> Map:
    tensor = torch.from_numpy(np.ascontiguousarray(part, np.float32))[None, None]
    grown = F.interpolate(tensor, size=shape, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(grown[0, 0].numpy())


def _folding(displacement: Map, mask: NDArray[np.bool_]) -> float:
    share = folding_fraction(displacement, mask)
    return share if math.isfinite(share) else 1.0


def _judge(
    found: Measurements, whole: ErrorEstimate, folding: float, likely_wrong: float
) -> tuple[Literal["ok", "doubtful", "failed"], tuple[str, ...]]:
    """Turn numbers into a status and sentences."""
    chance = float(whole.exceeds(WRONG))
    serious, mild = [], []
    if found.overlap < MIN_OVERLAP:
        serious.append(
            f"Only {found.overlap:.0%} of the smaller image finds data in the other one. Check "
            "that both show the same place, or start from landmarks."
        )
    if chance > FAILED:
        serious.append(
            "The alignment found is no better than chance would give: the images' structures "
            "do not lock together. Start from a few landmark pairs, or mask what only one shows."
        )
    elif found.rival > MAX_RIVAL and chance <= DOUBTFUL:  # structures lock, here and elsewhere
        mild.append(
            "The pattern repeats: shifted by one or more periods the images fit as well "
            f"({found.rival:.0%}). Start within half a period, from landmark pairs."
        )
    elif chance > DOUBTFUL or found.margin < MIN_MARGIN:
        mild.append(
            "Other positions fit almost as well. Compare the images before you rely on this, and "
            "add landmark pairs if it is wrong."
        )
    if found.shift[0] > MAX_SHIFT and found.shift[1] > MAX_DROP:
        mild.append(
            f"Shifted by another {found.shift[0]:.0f} px (at 256-px scale) the images would agree "
            "better: this is not yet the alignment. Start from landmark pairs."
        )
    if likely_wrong > MAX_LIKELY_WRONG:
        mild.append(
            f"{likely_wrong:.0%} of the area that both show is more likely wrong by 2 px (at "
            "256-px scale) than not; see the misregistration map."
        )
    if found.after < found.before - MAX_DROP:
        mild.append(
            f"The images' structures agree less than before (similarity {found.before:.2f} to "
            f"{found.after:.2f})."
        )
    if folding > MAX_FOLDING:
        mild.append(
            f"The deformation folds over itself on {folding:.1%} of the image; do not trust it "
            "there."
        )
    if serious:  # what else could be said of a transform that is not used helps nobody
        return "failed", tuple(serious)
    if mild:
        return "doubtful", tuple(mild)
    if float(found.displacement.max()) == 0.0:
        return "ok", (
            "The images were aligned before, as far as their structures tell: nothing was moved.",
        )
    return "ok", (
        f"The images' structures agree (similarity {found.before:.2f} before, "
        f"{found.after:.2f} after), and the way back leads to the same place.",
    )
