"""One model's answer to a pair: predict on a coarse grid, refine and check on a fine one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_mmreg.imaging import regrid

if TYPE_CHECKING:
    from napari_mmreg.geometry import MatrixTransform, Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models import Model
    from napari_mmreg.registration.certify import Certificate
    from napari_mmreg.run import Run


REJECTED = 2.0
"""Mean displacement, in pixels at 256-px scale, of an answer that was more than none."""

MORE_SIMILAR = 0.02
"""Similarity by which a model's own answer must exceed the images as they came to be kept."""

SURER = 1.0
"""Difference in the log-odds of failure that counts between answers of one status."""


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One model's answer on the fine grid, and what can be said about it."""

    transform: Transform
    certificate: Certificate
    extras: Mapping[str, Any]
    rejected: bool = False
    """Whether the model moved the images and refinement would rather leave them."""

    def outdoes(self, other: Attempt) -> bool:
        """Whether this answer is of a better status than the other one, or else clearly surer."""
        order = ("ok", "doubtful", "failed")
        mine, others = self.certificate, other.certificate
        ahead = order.index(others.status) - order.index(mine.status)
        return ahead > 0 or (ahead == 0 and mine.failure < others.failure - SURER)


def attempt_with(
    engine: Model, pair: Pair, fine: Pair, run: Run, refine: bool, span: tuple[float, float]
) -> Attempt:
    """Predict on a coarse grid, refine and check on a fine one, in a part of the progress."""
    from napari_mmreg.registration.certify import certify
    from napari_mmreg.registration.refine import refine as refine_transform

    low, high = span
    first, second = low + 0.6 * (high - low), low + 0.85 * (high - low)
    with run.stage("Global alignment", low, first):
        prediction = engine.predict(pair, run)
        found, part = prediction.transform, prediction.global_part
        if fine is not pair:
            found = regrid(found, pair, fine)
            part = None if part is None else cast("MatrixTransform", regrid(part, pair, fine))
    own = found
    if refine:
        with run.stage("Local refinement", first, second):
            found = refine_transform(fine, found, run, global_part=part)
    rejected = found is not own and _moved(found, fine) == 0.0 and _moved(own, fine) > REJECTED
    with run.stage("Checking", second, high):
        certificate = certify(fine, found, run, error_scale=prediction.error_scale)
        attempt = Attempt(found, certificate, prediction.extras, rejected)
        if rejected:  # nothing to refine on is no proof against what the model saw
            certificate = certify(fine, own, run, error_scale=prediction.error_scale)
            bare = Attempt(own, certificate, prediction.extras)
            if certificate.similarity_after > certificate.similarity_before + MORE_SIMILAR and (
                bare.outdoes(attempt)
            ):
                return bare
    return attempt


def _moved(transform: Transform, pair: Pair) -> float:
    """Return the mean displacement in pixels at 256-px scale."""
    length = np.linalg.norm(transform.displacement(pair.shape), axis=-1)
    known = length[np.isfinite(length)]
    return float(known.mean()) * 256 / max(pair.shape) if known.size else 0.0
