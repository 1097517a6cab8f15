"""One model's answer to a pair: predict on a coarse grid, refine and check on a fine one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from napari_mmreg.imaging import regrid

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.geometry import MatrixTransform, Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models import Model
    from napari_mmreg.registration.certify import Certificate
    from napari_mmreg.run import Run


SURER = 1.0
"""Difference in the log-odds of failure that counts between answers of one status."""


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One model's answer on the fine grid, and what can be said about it."""

    transform: Transform
    certificate: Certificate
    extras: Mapping[str, Any]

    def outdoes(self, other: Attempt) -> bool:
        """Whether this answer is of a better status than the other one, or else clearly surer."""
        order = ("ok", "doubtful", "failed")
        mine, others = self.certificate, other.certificate
        ahead = order.index(others.status) - order.index(mine.status)
        return ahead > 0 or (ahead == 0 and mine.failure < others.failure - SURER)


def attempt_with(
    engine: Model,
    pair: Pair,
    fine: Pair,
    run: Run,
    refine: bool,
    span: tuple[float, float],
    elastic: ElasticNetwork | None = None,
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
    scale = prediction.error_scale
    if refine:
        with run.stage("Local refinement", first, second):
            refined = refine_transform(fine, found, run, global_part=part, elastic=elastic)
            found = refined.transform
            scale = scale if refined.error_scale is None else refined.error_scale
    with run.stage("Checking", second, high):
        certificate = certify(fine, found, run, error_scale=scale)
    return Attempt(found, certificate, prediction.extras)
