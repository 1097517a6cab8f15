"""How much of a bend is taken: nearly all where the images speak for it, none where they do not.

A rigid pair looks a bit better after any bend, since a bend is fitted to what is compared, noise
included. How much of it is right can be read from how it was found; the share with the smallest
expected error is a shrinkage of the bend towards none, as in Stein's estimator. Ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.alignment.bspline_fit import warp_level
from napari_mmreg.alignment.levels import masked_correlation, mind_difference

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.estimate import Bend
    from napari_mmreg.alignment.levels import Level

EVIDENCE = ("self-similarity", "similarity")
"""The logarithm of the ratio of the MIND-SSC differences after and before, and what the correlation
of orientation channels gains. The correlation before, which tells sensors apart rather than bends,
is left out: with it SHG/H&E pairs of `val` keep 67 % of their bends, without it 89 %."""

INTERCEPT = -2.74
WEIGHTS = (-16.33, 80.92)
"""Of the logistic regression of the share; written by ``python -m benchmarks.bend_share``."""

SMALLEST = 0.05
"""A smaller share is none: the answer stays as simple as it was."""


def bend_evidence(level: Level, bend: Bend) -> NDArray[np.float64]:
    """Return what speaks for a bend, (2,), see `EVIDENCE`."""
    straight, bent = warp_level(level, bend.start), warp_level(level, bend.transform)
    both = bent[1] * straight[1]
    before, after = (mind_difference(level, warped, both) for warped in (straight, bent))
    similar, more = (
        masked_correlation(level.features, warped.features, both) for warped in (straight, bent)
    )
    return np.array([np.log(max(after, 1e-9) / max(before, 1e-9)), float(more - similar)])


def share_of(evidence: NDArray[np.float64]) -> float:
    """Return how much of a bend is taken, in [0, 1]."""
    score = INTERCEPT + float(np.dot(WEIGHTS, evidence))
    share = 1 / (1 + float(np.exp(-np.clip(score, -30, 30))))
    return share if share >= SMALLEST else 0.0
