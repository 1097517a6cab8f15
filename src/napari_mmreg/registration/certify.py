"""What can be said about a result without knowing the truth, and how it was learned.

Four measurements of the registered pair, all on gradient structure and none on grey values:

* *peak*: how far the correlation at the found place stands out among shifts of up to a quarter
  of the frame, in standard deviations, and *margin*, how far above the best other shift. A wrong
  alignment is a place like many others.
* *forward-backward*: the roles are swapped, and the fixed image is registered elastically to
  the registered one. What still moves was not at rest.
* *similarity*: correlation of oriented gradient channels before and after.
* *residual*: difference of MIND-SSC descriptors, averaged locally.

Logistic regressions turn them into probabilities. Where a model says what error it expects of
itself, the map of the result hears that too. ``benchmarks/calibration.py`` fits them on synthetic
misalignments (protocols R, N and H of the benchmark, and Z, none) of `train` pairs and scores them
on `val`. The maps' constants are from 175 registrations of 18 pairs by the classical engine, HRNet
and RegNetMamba-2; on 167 of `val` the result's map has an AUROC of 0.79 and a calibration error of
0.05, with the model's own scale 0.82 and 0.05. The chance of failure is older: 283 registrations of
45 pairs by the first two (AUROC 0.97; on the same 167 of `val` 0.99, calibration error 0.07).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_mmreg.alignment.bspline_fit import fit_bspline, warp_level
from napari_mmreg.alignment.levels import (
    Level,
    build_level,
    describe,
    masked_correlation,
    pair_tensors,
    shift_correlation,
)
from napari_mmreg.geometry import Transform, folding_fraction
from napari_mmreg.nn.mind import mind_ssc
from napari_mmreg.nn.sampling import gaussian_blur

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

Map = NDArray[np.float32]

SIZE = 128
"""Longer side of the grid on which everything is measured."""

BACKWARD_ITERATIONS = 6
LOCAL = 4.0
"""Gaussian sigma of the local averages, in pixels of that grid."""

FAILURE = (-2.076, -34.344, 2.610, 4.588)
"""Log-odds that the mean error exceeds 5 px at 256-px scale: weights of `failure_features`, and
the constant."""

AFTER = (0.568, 1.275, -1.056, 0.181, 1.843)
AFTER_OWN = (0.429, 0.814, -0.723, 0.175, 0.536, 0.736)
"""Log-odds that the result is off by more than 2 px at 256-px scale, per pixel: weights of
`result_features` without and with the model's own scale, and the constant."""

BEFORE = (2.974, 0.151, 0.669, -0.446, -3.397)
"""The same for the input: weights of `input_features`, and the constant."""

DOUBTFUL, FAILED = 0.15, 0.993
"""Probabilities of failure from which on a result is doubtful, or not used. Until it is nearly
certain, what was found is still better than nothing more often than not: of the results of `train`
and `val` between 0.95 and the limit, 13 were better and 3 worse than the pair as it came."""

MAX_FOLDING = 0.002
MIN_OVERLAP = 0.2
MAX_DROP = 0.02
"""Loss of similarity that is still taken for noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What was found about a transform.

    Attributes
    ----------
    status : {"ok", "doubtful", "failed"}
        ``"failed"``: better not used.
    reasons : tuple of str
        Sentences for users; one at least.
    failure : float
        Log-odds that the mean error exceeds 5 px at 256-px scale, from -30 to 30.
    similarity_before, similarity_after : float
        Correlation of oriented gradient channels where both images have data, in [-1, 1]; of
        the pair as it came, and under the transform.
    folding : float
        Share of the grid where the transform turns inside out.
    overlap : float
        Share of the fixed image's data that finds data in the moving image.
    displacement : ndarray of float32, shape (h, w, 2)
        What the transform does to the grid: moving minus fixed position, (row, col), in pixels.
    forward_backward : ndarray of float32, shape (h, w)
        Grid pixels by which a registration with swapped roles still moves the result.
    misregistration, misregistration_before : ndarray of float32, shape (h, w)
        Probability that the result, and the input, are off by more than 2 px at 256-px scale.
    """

    status: Literal["ok", "doubtful", "failed"]
    reasons: tuple[str, ...]
    failure: float
    similarity_before: float
    similarity_after: float
    folding: float
    overlap: float
    displacement: Map
    forward_backward: Map
    misregistration: Map
    misregistration_before: Map


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """The numbers a certificate rests on; maps are (h, w) tensors on the measuring grid.

    `forward_backward`, `displacement` and `own_scale`, the error that the model itself expects,
    are in pixels at 256-px scale. `field` is the displacement of the pair's whole grid in its
    own pixels, float32 (h, w, 2), (row, col).
    """

    before: float
    after: float
    overlap: float
    peak: float
    margin: float
    field: Map
    forward_backward: Tensor
    displacement: Tensor
    residual_before: Tensor
    residual: Tensor
    texture: Tensor
    own_scale: Tensor | None
    mask: Tensor

    @property
    def failure(self) -> float:
        """Log-odds that the mean error exceeds 5 px at 256-px scale."""
        *weights, constant = FAILURE
        odds = constant + float(np.dot(weights, failure_features(self)))
        return min(max(odds, -30.0), 30.0)


def certify(
    pair: Pair, transform: Transform, run: Run, *, error_scale: Map | None = None
) -> Certificate:
    """Judge a transform without knowing the truth.

    Parameters
    ----------
    pair : Pair
    transform : Transform
        Of the pair's grid, fixed to moving.
    run : Run
    error_scale : ndarray of float32, shape (h, w), optional
        The error that the model itself expects, in pixels of the grid, of any size, that it saw.

    Returns
    -------
    Certificate
        Maps on the pair's grid.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """
    with torch.inference_mode():
        found = measure(pair, transform, run, own_scale(error_scale))
        folding = _folding(found.field, pair.fixed_mask)
        run.step(0.9)
        weights = AFTER if found.own_scale is None else AFTER_OWN
        after = _log_odds(result_features(found), weights)
        before = _log_odds(input_features(found), BEFORE)
        # Without data there is nothing to see: as likely wrong as not, or worse.
        after = torch.where(found.mask, after, after.clamp(min=0.0))
        unit = max(pair.shape) / 256
        maps = [
            _enlarge(part, pair.shape)
            for part in (found.forward_backward * unit, after.sigmoid(), before.sigmoid())
        ]
    status, reasons = _judge(found, folding)
    return Certificate(
        status=status,
        reasons=reasons,
        failure=found.failure,
        similarity_before=found.before,
        similarity_after=found.after,
        folding=folding,
        overlap=found.overlap,
        displacement=found.field,
        forward_backward=maps[0],
        misregistration=maps[1],
        misregistration_before=maps[2],
    )


def own_scale(error_scale: Map | None) -> Tensor | None:
    """Bring a model's expected error to pixels at 256-px scale, (1, 1, h, w)."""
    if error_scale is None:
        return None
    scale: Tensor = torch.from_numpy(error_scale)[None, None] * (256 / max(error_scale.shape))
    return scale


def failure_features(found: Measurements) -> tuple[float, float, float]:
    """Return log peak, margin, log (median forward-backward + 0.2)."""
    inside = found.forward_backward[found.mask]
    middle = float(inside.median()) if inside.numel() else 20.0
    return math.log(max(found.peak, 0.1)), found.margin, math.log(middle + 0.2)


def result_features(found: Measurements) -> Tensor:
    """Return what speaks for and against the result per pixel, (4 or 5, h, w).

    log (forward-backward + 0.2), log (residual + 0.01), log (texture + 0.01), the log-odds of
    failure within +-6, and log (the model's own scale + 0.2) if it gave one.
    """
    back = torch.log(found.forward_backward + 0.2)
    texture = torch.log(found.texture + 0.01)
    failure = torch.full_like(back, clamped(found.failure))
    parts = [back, torch.log(found.residual + 0.01), texture, failure]
    if found.own_scale is not None:
        parts.append(torch.log(found.own_scale + 0.2))
    return torch.stack(parts)


def input_features(found: Measurements) -> Tensor:
    """Return what speaks for and against the pair as it came per pixel, (4, h, w).

    d = log (displacement + 0.2), log (residual + 0.01), the log-odds of failure f, d * f.
    """
    moved = torch.log(found.displacement + 0.2)
    failure = torch.full_like(moved, clamped(found.failure))
    return torch.stack([moved, torch.log(found.residual_before + 0.01), failure, moved * failure])


def clamped(failure: float) -> float:
    """Return log-odds of failure within +-6, as the maps use them."""
    return min(max(failure, -6.0), 6.0)


def _log_odds(features: Tensor, weights: tuple[float, ...]) -> Tensor:
    odds: Tensor = torch.tensordot(features.new_tensor(weights[:-1]), features, 1) + weights[-1]
    return odds


def measure(
    pair: Pair, transform: Transform, run: Run, own_scale: Tensor | None = None
) -> Measurements:
    """Measure a registered pair; see the module's description."""
    level = build_level(pair_tensors(pair, run.device), SIZE)
    rows, cols = level.shape
    unit = 256 / max(rows, cols)
    input_mask = level.moving_mask * level.fixed_mask
    moving, mask = warp_level(level, transform)
    registered = describe(moving, mask)
    before = masked_correlation(level.features, describe(level.moving, input_mask), input_mask)
    after = masked_correlation(level.features, registered, mask)
    peak, margin = _peak(shift_correlation(level.features, registered, mask))
    run.check()
    swapped = Level(moving, level.fixed, mask, level.fixed_mask, level.shape)
    rest = fit_bspline(swapped, level.fixed, mask, None, BACKWARD_ITERATIONS, run)
    run.check()
    descriptor = mind_ssc(level.fixed)
    texture = level.features.square().sum(1, keepdim=True).sqrt()
    moved = transform.displacement(pair.shape)
    length = torch.from_numpy(np.nan_to_num(np.linalg.norm(moved, axis=-1), nan=1e3))
    length = length[None, None].float().to(level.fixed.device)
    return Measurements(
        before=float(before[0]),
        after=float(after[0]),
        overlap=float(mask.sum() / level.fixed_mask.sum().clamp(min=1)),
        peak=peak,
        margin=margin,
        field=moved,
        forward_backward=rest[0].norm(dim=-1) * unit,
        displacement=F.interpolate(length, size=(rows, cols), mode="area")[0, 0]
        * (256 / max(pair.shape)),
        residual_before=_local_difference(descriptor, mind_ssc(level.moving), input_mask),
        residual=_local_difference(descriptor, mind_ssc(moving), mask),
        texture=gaussian_blur(texture, LOCAL)[0, 0],
        own_scale=None
        if own_scale is None
        else F.interpolate(own_scale.to(texture), size=(rows, cols), mode="area")[0, 0],
        mask=mask[0, 0] > 0.5,
    )


def _peak(correlation: Tensor) -> tuple[float, float]:
    """Return how far the middle stands out of a correlation map, and above the best other place."""
    rows, cols = correlation.shape
    y = torch.arange(rows, device=correlation.device)[:, None] - rows // 2
    x = torch.arange(cols, device=correlation.device)[None, :] - cols // 2
    far = y.square() + x.square() > (0.08 * max(rows, cols)) ** 2
    if not bool(far.any()):
        return 0.1, 0.0
    others, middle = correlation[far], float(correlation[~far].max())
    spread = float(others.std()) + 1e-6
    return (middle - float(others.mean())) / spread, middle - float(others.max())


def _local_difference(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    difference = (first - second).abs().mean(1, keepdim=True) * mask
    return (gaussian_blur(difference, LOCAL) / gaussian_blur(mask, LOCAL).clamp(min=1e-3))[0, 0]


def _enlarge(part: Tensor, shape: tuple[int, int]) -> Map:
    grown = F.interpolate(part[None, None], size=shape, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(grown[0, 0].cpu().numpy(), dtype=np.float32)


def _folding(displacement: Map, mask: NDArray[np.bool_]) -> float:
    share = folding_fraction(displacement, mask)
    return share if math.isfinite(share) else 1.0


def _judge(
    found: Measurements, folding: float
) -> tuple[Literal["ok", "doubtful", "failed"], tuple[str, ...]]:
    """Turn numbers into a status and sentences."""
    chance = 1 / (1 + math.exp(-found.failure))
    serious, mild = [], []
    if found.overlap < MIN_OVERLAP:
        serious.append(
            f"Only {found.overlap:.0%} of the fixed image finds data in the moving image. Check "
            "that both show the same place, or start from landmarks."
        )
    if chance > FAILED:
        serious.append(
            "The alignment found is no better than chance would give: the images' structures "
            "do not lock together. Start from a few landmark pairs, or mask what only one shows."
        )
    elif chance > DOUBTFUL:
        mild.append(
            "Other positions fit almost as well. Compare the images before you rely on this, and "
            "add landmark pairs if it is wrong."
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
    if serious:
        return "failed", (*serious, *mild)
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
