"""One model's answer to a pair: predict on a coarse grid, refine and check on a fine one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from napari_mmreg.imaging import change_grid

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.geometry import MatrixTransform, Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models import Model
    from napari_mmreg.models.protocol import Prediction
    from napari_mmreg.registration.certify import Certificate
    from napari_mmreg.run import Run


REJECTED = 2.0
"""Mean displacement, in pixels at 256-px scale, of an answer that was more than none."""

MORE_SIMILAR = 0.02
"""Similarity by which a model's own answer must exceed the images as they came to be kept."""

CLEARLY_LESS = 0.9
"""Of the expected error of an answer: one that is asked later has to stay below this share."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One model's answer on the fine grid, and what can be said about it.

    Attributes
    ----------
    model : str
        Name of the model whose answer it is.
    transform : Transform
        Fine-grid pixels, fixed to moving.
    certificate : Certificate
        Of `transform`; its maps are on the fine grid.
    prediction : Prediction
        What the model said, on the coarse grid.
    weights_sha256 : str or None
        Of the model's weights, if it has some.
    rejected : bool
        Whether the model moved the images and refinement would rather leave them.
    """

    model: str
    transform: Transform
    certificate: Certificate
    prediction: Prediction
    weights_sha256: str | None = None
    rejected: bool = False

    def is_better_than(self, other: Candidate) -> bool:
        """Whether it did not fail where the other did, or else is probably clearly less far off."""
        mine, others = self.certificate, other.certificate
        if (mine.status == "failed") != (others.status == "failed"):
            return others.status == "failed"
        return mine.expected_error < CLEARLY_LESS * others.expected_error


def find_candidate(
    model: Model,
    coarse: Pair,
    fine: Pair,
    run: Run,
    *,
    refine: bool,
    elastic: ElasticNetwork,
    bend: bool = True,
) -> Candidate:
    """Predict on a coarse grid, refine and check on a fine one.

    Parameters
    ----------
    model : Model
    coarse, fine : Pair
        The same two images; one object if they are small.
    run : Run
    refine : bool
        Whether to improve the model's answer on this very pair.
    elastic : ElasticNetwork
        What refinement bends with, and checks look with.
    bend : bool
        Whether refinement bends with it, or with a B-spline that needs no training.

    Returns
    -------
    Candidate
    """
    from napari_mmreg.alignment.levels import pair_tensors
    from napari_mmreg.alignment.preview import show_alignment
    from napari_mmreg.registration.certify import certify
    from napari_mmreg.registration.refine import refine as refine_transform

    tensors = pair_tensors(fine, run.device)
    with run.stage("Global alignment", 0.0, 0.6):
        prediction = model.predict(coarse, run)
        found, part = prediction.transform, prediction.global_part
        if fine is not coarse:
            found = change_grid(found, coarse, fine)
            part = (
                None if part is None else cast("MatrixTransform", change_grid(part, coarse, fine))
            )
        show_alignment(tensors, found, run)
    own = found
    if refine:
        with run.stage("Local refinement", 0.6, 0.85):
            bends_with = elastic if bend else None
            found = refine_transform(fine, found, run, global_part=part, elastic=bends_with)
            show_alignment(tensors, found, run)
    name, weights = model.info.name, getattr(model, "weights_sha256", None)
    rejected = found is not own and _moved(found, fine) == 0.0 and _moved(own, fine) > REJECTED
    with run.stage("Checking", 0.85, 1.0):
        certificate = certify(fine, found, run, elastic=elastic)
        candidate = Candidate(name, found, certificate, prediction, weights, rejected)
        if rejected:  # nothing to refine on is no proof against what the model saw
            certificate = certify(fine, own, run, elastic=elastic)
            bare = Candidate(name, own, certificate, prediction, weights)
            if certificate.similarity_after > certificate.similarity_before + MORE_SIMILAR and (
                bare.is_better_than(candidate)
            ):
                return bare
    return candidate


def _moved(transform: Transform, pair: Pair) -> float:
    """Return the mean displacement in pixels at 256-px scale."""
    length = np.linalg.norm(transform.displacement(pair.shape), axis=-1)
    known = length[np.isfinite(length)]
    return float(known.mean()) * 256 / max(pair.shape) if known.size else 0.0
