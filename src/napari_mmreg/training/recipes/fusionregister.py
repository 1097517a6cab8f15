"""FusionRegister's recipe: correct the fusions of mildly misaligned pairs, whatever fused them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.localisation import MatchingLocalisation
from napari_mmreg.models.fusionregister.network import FusionRegister
from napari_mmreg.models.fusionregister.prior import Fuse, fused_prior
from napari_mmreg.nn.global_affine import affine_flow
from napari_mmreg.nn.laplacian import laplacian_fusion
from napari_mmreg.training import fusionregister_losses as losses
from napari_mmreg.training.backbones import BACKBONES, frozen_backbone
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.recipe import FlowRecipe, Optimisation
from napari_mmreg.training.starts import batch_generator, jittered_truth

FLOW_WEIGHTS = {"flow": 0.15, "smooth": 0.05, "error": 0.05}

MODALITIES = {
    "vis_ir": 35.0,
    "rgb_nir": 16.0,
    "optical_ir_rs": 10.0,
    "optical_sar": 8.0,
    "rgb_depth": 8.0,
    "optical_map": 6.0,
    "medical": 5.0,
    "optical_optical": 4.0,
    "shg_he": 3.0,
}


def mild_batches() -> BatchConfig:
    """Return batches of what is nearly right, and of what is right: the paper's hard negatives.

    Borders must not tell the displacement: some samples are shifted further than their tier, and
    half of the moving images do not end at the fixed frame.
    """
    return BatchConfig(
        batch=4,
        sizes=((128, 128), (144, 144), (112, 160)),
        mono_share=0.25,
        tiers={"identity": 0.22, "mild": 0.43, "near": 0.35},
        elastic_share=0.4,
        wide_share=0.35,
        wide=0.05,
        modality_weights=MODALITIES,
    )


@dataclass(frozen=True, kw_only=True)
class FusionRegisterRecipe(FlowRecipe):
    """How FusionRegister is trained; see `napari_mmreg.training.recipe.FlowRecipe`.

    Attributes
    ----------
    backbones : tuple of str
        Frozen fusion methods of which each batch draws one, so that one set of weights serves all.
    field_free : bool
        The paper's losses alone, without the true field (ablation).
    picture : float
        Weight of the paper's terms beside the supervised ones.
    start_share, jitter : float
        Share of batches whose search begins near the truth instead of at zero, as in the finer
        steps of a pyramid, and how far from it the frame's corners then are at most, in px.
    """

    name: str = "fusionregister"
    batches: BatchConfig = field(default_factory=mild_batches)
    optimisation: Optimisation = field(
        default_factory=lambda: Optimisation(learning_rate=1.5e-3, average=0.998)
    )
    constructor: Mapping[str, Any] = field(default_factory=lambda: asdict(FusionRegisterConfig()))
    notes: str = (
        "Edge, spatial, frequency and detail loss of all samples, weighted as in the paper, of "
        "the corrected against the aligned fusion; mild misalignment and a fifth of aligned pairs; "
        "frozen backbones, one a batch. Ours: matching cross-entropies of all scales, the true "
        "field, the gate through the true field, Laplace error head and misregistration head on "
        "detached features, elastic misalignment and twice the paper's range, all modalities."
    )
    backbones: tuple[str, ...] = BACKBONES
    field_free: bool = False
    picture: float = 1.0
    start_share: float = 0.25
    jitter: float = 6.0
    unmasked_share: float = 0.25

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new FusionRegister."""
        return FusionRegister(FusionRegisterConfig.from_json(config))

    def loss(self, model: nn.Module, batch: TrainingBatch, progress: float) -> dict[str, Tensor]:
        """Return the weighted terms."""
        del progress
        network, generator = cast("FusionRegister", model), batch_generator(batch)
        fuse = self._draw_backbone(batch, generator)
        fused = fused_prior(fuse, batch.fixed, batch.moving, batch.fixed_mask, batch.moving_mask)
        masks = self.draw_masks(batch, generator)
        start = None
        if float(torch.rand((), generator=generator)) < self.start_share:
            rows, cols = batch.fixed.shape[-2:]
            near = jittered_truth(batch, self.jitter, generator)
            start = affine_flow(near, rows, cols, 1)
        answer = network(batch.fixed, batch.moving, fused, *masks, start=start)
        target = losses.aligned_fusion(fuse, batch)
        pictures = losses.picture_losses(answer, target, batch.flow, batch.valid)
        terms = {name: self.picture * term for name, term in pictures.items()}
        if self.field_free:
            return terms
        found = answer.localisation
        errors = losses.flow_losses(found, batch)
        terms |= {name: weight * errors[name] for name, weight in FLOW_WEIGHTS.items()}
        if network.config.warping != "one":
            terms["gate"] = losses.gate_loss(
                answer.gate, fused, target, batch, network.config.warping
            )
        terms["displaced"] = 0.3 * losses.displaced_loss(found, batch)
        if isinstance(network.localisation, MatchingLocalisation):
            temperature = network.localisation.log_temperature
            terms["match"], terms["vote"] = losses.matching_losses(found, temperature, batch)
        return terms

    def _draw_backbone(self, batch: TrainingBatch, generator: torch.Generator) -> Fuse:
        number = int(torch.randint(len(self.backbones), (), generator=generator))
        return frozen_backbone(self.backbones[number], str(batch.fixed.device))

    def predict_flow(
        self,
        model: nn.Module,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> Tensor:
        """Return phi, found beside the Laplacian fusion."""
        fused = fused_prior(laplacian_fusion, fixed, moving, fixed_mask, moving_mask)
        network = cast("FusionRegister", model)
        return network.localise(fixed, moving, fused, fixed_mask, moving_mask).flow


RECIPE = FusionRegisterRecipe()
"""FusionRegister as it is shipped."""
