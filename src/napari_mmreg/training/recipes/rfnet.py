"""RFNet's recipe: translate and fuse, then register coarsely, then finely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from napari_mmreg.models.rfnet.affine import QUARTER
from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.f2m import FineAnswer
from napari_mmreg.models.rfnet.network import RFNet
from napari_mmreg.nn.global_affine import affine_flow
from napari_mmreg.nn.sampling import fill_outside, upsample_flow, warp
from napari_mmreg.training import rfnet_losses as losses
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.losses import folding
from napari_mmreg.training.recipe import FlowRecipe, Optimisation
from napari_mmreg.training.starts import batch_generator, jittered_truth

WINDOW = 96
"""Side in px of the cut-outs that are fused in training: fusion looks at small surroundings."""


@dataclass(frozen=True, kw_only=True)
class RFNetRecipe(FlowRecipe):
    """How RFNet is trained; see `napari_mmreg.training.recipe.FlowRecipe`.

    Attributes
    ----------
    coarse_from, fine_from : float
        Progress at which AffineNet and the deformation block begin to learn; TransNet and the
        fusion learn until AffineNet begins.
    similarity : {"ncc", "l1"}
        What compares the translated images; the other one is the paper's ablation.
    supervised : bool
        Teach AffineNet the true matches and the true global step besides (ours).
    supervised_field : bool
        Teach the deformation block the true field besides (ours; the successor MURF does so).
    jitter, fine_jitter : float
        Largest displacement, in px, of the frame's corners when a step is taught from the
        perturbed truth instead of from the answer before.
    predicted_share : float
        Share of batches in which steps start from the answer before.
    """

    name: str = "rfnet"
    batches: BatchConfig = field(
        default_factory=lambda: BatchConfig(batch=4, sizes=((160, 160), (128, 192), (192, 128)))
    )
    optimisation: Optimisation = field(
        default_factory=lambda: Optimisation(learning_rate=1.5e-3, average=0.998)
    )
    constructor: Mapping[str, Any] = field(default_factory=lambda: asdict(RFNetConfig()))
    notes: str = (
        "Equations 1 to 10 with eta = 2, delta = 100, gamma = 0.7, lambda = 0.1, alpha = 0.5 as "
        "in the paper; TransNet and fusion first, then AffineNet, then the deformation block with "
        "the fusion frozen. Ours: cross-entropies of the matches and the true global step beside "
        "NCC, the true field beside the unsupervised fine loss, masks, guards against small "
        "overlap and folding, Laplace error head on detached features."
    )
    coarse_from: float = 0.2
    fine_from: float = 0.5
    similarity: Literal["ncc", "l1"] = "ncc"
    supervised: bool = True
    supervised_field: bool = True
    jitter: float = 10.0
    fine_jitter: float = 4.0
    predicted_share: float = 0.5
    unmasked_share: float = 0.3

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new RFNet."""
        return RFNet(RFNetConfig.from_json(config))

    def prepare(self, model: nn.Module, progress: float) -> None:
        """Freeze what does not learn at this time; frozen normalisation keeps its statistics."""
        network = cast("RFNet", model)
        early = progress < self.coarse_from
        learning = {
            network.translator: early,
            network.affine: not early,
            network.f2m.deformation: progress >= self.fine_from,
            **dict.fromkeys(network.f2m.fusion_parts(), early),
        }
        for part, learns in learning.items():
            part.requires_grad_(learns).train(learns)

    def loss(self, model: nn.Module, batch: TrainingBatch, progress: float) -> dict[str, Tensor]:
        """Return the weighted terms."""
        network, generator = cast("RFNet", model), batch_generator(batch)
        if progress < self.coarse_from:
            return self._early(network, batch, generator)
        masks = self.draw_masks(batch, generator)
        predicted = float(torch.rand((), generator=generator)) < self.predicted_share
        taught = None
        if self.supervised and not predicted:
            taught = jittered_truth(batch, self.jitter, generator)
        shown, coarse = network.register_coarsely(batch.fixed, batch.moving, masks, taught)
        size = (batch.fixed.shape[-2], batch.fixed.shape[-1])
        terms = {
            "similarity": 0.5
            * losses.similarity_loss(
                shown,
                coarse.affine,
                (batch.fixed_mask, batch.moving_mask),
                kind=self.similarity,
            ),
            "overlap": losses.overlap_guard(coarse.affine, size),
        }
        if self.supervised:
            terms["affine"] = 0.5 * losses.supervised_affine_loss(coarse, batch)
            terms["match"], terms["vote"] = losses.matching_losses(network, coarse, batch)
        if progress >= self.fine_from:
            affine = (
                coarse.affine.detach()
                if predicted
                else jittered_truth(batch, self.fine_jitter, generator)
            )
            fine = network.register_finely(batch.fixed, batch.moving, masks, coarse, affine)
            terms |= self._fine(network, batch, fine, affine, generator)
        return terms

    def _early(
        self, network: RFNet, batch: TrainingBatch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Terms of TransNet, and of the fusion on truly aligned pairs."""
        reconstruction, translation = losses.translation_losses(network, batch)
        cut = _window(batch.fixed, generator)
        fixed, aligned, valid = (
            image[cut]
            for image in (
                fill_outside(batch.fixed, batch.fixed_mask),
                fill_outside(batch.aligned, batch.valid),
                batch.valid,
            )
        )
        fused = network.fuse(fixed, aligned)
        return {
            "reconstruction": reconstruction,
            "translation": losses.ETA * translation,
            "fusion": losses.fusion_loss(fused, fixed, aligned, valid),
        }

    def _fine(
        self,
        network: RFNet,
        batch: TrainingBatch,
        fine: FineAnswer,
        affine: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Terms of the deformation block."""
        rows, cols = batch.fixed.shape[-2:]
        whole = upsample_flow(fine.field / QUARTER, (rows, cols), QUARTER)
        flow = affine_flow(affine, rows, cols, 1)
        registered = warp(fill_outside(batch.moving, batch.moving_mask), flow)
        cut = _window(batch.fixed, generator)
        fixed, registered = fill_outside(batch.fixed, batch.fixed_mask)[cut], registered[cut]
        fused = network.f2m.fuse(fixed, registered, whole[cut])
        error, scale = losses.supervised_field_losses(fine, affine, batch, network.config.reach)
        terms = {
            "deformation": losses.deformation_loss(fused, fixed, whole[cut], batch.valid[cut]),
            "folding": 10.0 * folding(fine.field / QUARTER),
            "error": 0.05 * scale,
        }
        if self.supervised_field:
            terms["field"] = 0.3 * error
        else:
            terms["log_field"] = error
        return terms


def _window(image: Tensor, generator: torch.Generator) -> tuple[Any, ...]:
    """Return the index of a random cut-out of (B, C, H, W)."""
    places = []
    for side in image.shape[-2:]:
        free = max(side - WINDOW, 0)
        first = int(torch.randint(free + 1, (), generator=generator))
        places.append(slice(first, first + WINDOW))
    return (..., *places)


RECIPE = RFNetRecipe()
