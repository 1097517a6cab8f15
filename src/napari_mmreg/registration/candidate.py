"""One model's answer to a pair: predict on a coarse grid, refine and check on a fine one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from napari_mmreg.imaging import change_grid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.geometry import MatrixTransform, Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models import Model
    from napari_mmreg.models.protocol import Prediction
    from napari_mmreg.registration.certify import Certificate
    from napari_mmreg.run import Run


MIN_LOGIT_GAIN = 1.0
"""Difference in the log-odds of failure that counts between answers of one status."""


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
    error_scale : ndarray of float32, shape (h, w), or None
        Expected error of `transform` in pixels of the grid with this shape, on which it was
        estimated: the model's own estimate, unless refinement has a better one.
    """

    model: str
    transform: Transform
    certificate: Certificate
    prediction: Prediction
    error_scale: NDArray[np.float32] | None = None

    def is_better_than(self, other: Candidate) -> bool:
        """Whether its status is better, or the same and its failure clearly less likely."""
        order = ("ok", "doubtful", "failed")
        mine, others = self.certificate, other.certificate
        ahead = order.index(others.status) - order.index(mine.status)
        return ahead > 0 or (ahead == 0 and mine.failure < others.failure - MIN_LOGIT_GAIN)


def find_candidate(
    model: Model,
    coarse: Pair,
    fine: Pair,
    run: Run,
    *,
    refine: bool,
    elastic: ElasticNetwork | None = None,
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
    elastic : ElasticNetwork, optional
        What refinement bends with.

    Returns
    -------
    Candidate
    """
    from napari_mmreg.registration.certify import certify
    from napari_mmreg.registration.refine import refine as refine_transform

    with run.stage("Global alignment", 0.0, 0.6):
        prediction = model.predict(coarse, run)
        found, part = prediction.transform, prediction.global_part
        if fine is not coarse:
            found = change_grid(found, coarse, fine)
            part = (
                None if part is None else cast("MatrixTransform", change_grid(part, coarse, fine))
            )
    error_scale = prediction.error_scale
    if refine:
        with run.stage("Local refinement", 0.6, 0.85):
            refined = refine_transform(fine, found, run, global_part=part, elastic=elastic)
        found = refined.transform
        if refined.error_scale is not None:
            error_scale = refined.error_scale
    with run.stage("Checking", 0.85, 1.0):
        certificate = certify(fine, found, run, error_scale=error_scale)
    return Candidate(model.info.name, found, certificate, prediction, error_scale)
