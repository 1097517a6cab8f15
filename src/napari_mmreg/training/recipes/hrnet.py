"""HRNet's recipe: the paper's losses and three-stage curriculum, taught through matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_mmreg.models.hrnet.config import HRNetConfig
from napari_mmreg.models.hrnet.network import HRNet
from napari_mmreg.training import hrnet_losses as losses
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.recipe import Curriculum, FlowRecipe, Optimisation
from napari_mmreg.training.starts import batch_generator, jittered_truth

# Warm-up 10 %, middle 50 %, late 40 % of the training and a_n = 6, 10, 12 are the paper's;
# the other weights are ours.
CURRICULUM = Curriculum(
    [
        (0.1, {"n": 6.0, "s": 0.5, "tri": 0.0, "ccd": 0.0}),
        (0.6, {"n": 10.0, "s": 1.0, "tri": 0.5, "ccd": 0.05}),
        (1.0, {"n": 12.0, "s": 1.0, "tri": 0.5, "ccd": 0.05}),
    ]
)
N_UNIT = 0.05
"""The paper's a_n is relative to terms whose scale it does not give; this makes them comparable."""


@dataclass(frozen=True, kw_only=True)
class HRNetRecipe(FlowRecipe):
    """How HRNet is trained; see `napari_mmreg.training.recipe.FlowRecipe`.

    Attributes
    ----------
    jitter : float
        Largest displacement, in px, of the frame's corners when increments are taught from the
        perturbed true global step instead of the predicted one.
    predicted_share : float
        Share of samples that start from the predicted global step at the end of the training;
        it rises from 0.
    """

    name: str = "hrnet"
    batches: BatchConfig = field(
        default_factory=lambda: BatchConfig(batch=4, sizes=((192, 192), (160, 224), (224, 160)))
    )
    optimisation: Optimisation = field(
        default_factory=lambda: Optimisation(learning_rate=1.5e-3, average=0.999)
    )
    constructor: Mapping[str, Any] = field(default_factory=lambda: asdict(HRNetConfig()))
    notes: str = (
        "Losses L_r, L_n, L_s, L_tri, L_cs, L_ccd, L_bo and the 10/50/40 % curriculum with "
        "a_n = 6, 10, 12 as in the paper; ours: symmetric matching cross-entropy at stride 8, "
        "cross-entropy of the local votes, increments taught from perturbed true global steps, "
        "Laplace error head on detached features."
    )
    jitter: float = 10.0
    predicted_share: float = 0.5
    unmasked_share: float = 0.3

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new HRNet."""
        return HRNet(HRNetConfig.from_json(config))

    def loss(self, model: nn.Module, batch: TrainingBatch, progress: float) -> dict[str, Tensor]:
        """Return the weighted terms."""
        network = cast("HRNet", model)
        weights = CURRICULUM(progress)
        generator = batch_generator(batch)
        masks = self.draw_masks(batch, generator)
        taught = self._start(batch, progress, generator)
        output = network(batch.fixed, batch.moving, *masks, start=taught)
        terms = {
            "match": losses.global_matching_loss(network, output, batch),
            "bo": 0.01 * losses.basis_loss(output),
            "cs": 0.1 * losses.consistency_loss(network, output),
        }
        if weights["tri"]:
            terms["tri"] = weights["tri"] * losses.triplet_loss(output, batch)
        if weights["ccd"]:
            terms["ccd"] = weights["ccd"] * losses.decorrelation_loss(output)
        if network.config.rigid != "none":
            terms["r"] = 0.5 * losses.rigid_loss(output.affine, batch)
        if output.increments:
            terms["vote"] = losses.votes_loss(output.increments, batch)
            terms["n"] = N_UNIT * weights["n"] * losses.increment_loss(output.increments, batch)
            terms["image"] = 0.5 * losses.photometric_loss(output, batch)
            terms["s"] = 0.05 * weights["s"] * losses.smoothness_loss(output)
            terms["error"] = 0.05 * losses.error_scale_loss(output, batch)
        return terms

    def _start(
        self, batch: TrainingBatch, progress: float, generator: torch.Generator
    ) -> Tensor | None:
        """Return global steps near the truth for the increments, or None for the predicted ones."""
        if float(torch.rand((), generator=generator)) < self.predicted_share * progress:
            return None
        return jittered_truth(batch, self.jitter, generator)


RECIPE = HRNetRecipe()
