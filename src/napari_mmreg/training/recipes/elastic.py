"""The recipe of the elastic stage: small misalignments, taught through the solver itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from napari_mmreg.alignment.elastic.config import ElasticConfig
from napari_mmreg.alignment.elastic.network import ElasticNetwork, ElasticOutput
from napari_mmreg.training import elastic_losses as losses
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.recipe import FlowRecipe, Optimisation
from napari_mmreg.training.views import ViewConfig

TIERS = {"residual": 0.65, "residual-far": 0.15, "residual-small": 0.2}
RIGID_SHARE = 0.15
VOTE_STEP, EARLY_STEP = 0.4, 0.25
"""Weights of the estimates before the last one: fitted to votes, and along gradients."""


@dataclass(frozen=True, kw_only=True)
class ElasticRecipe(FlowRecipe):
    """How the elastic stage is trained; see `napari_mmreg.training.recipe.FlowRecipe`.

    Attributes
    ----------
    affine_share : float
        Share of the loss that is taken without the error's best affine map.
    """

    name: str = "elastic"
    batches: BatchConfig = field(
        default_factory=lambda: BatchConfig(
            batch=4,
            sizes=((176, 176), (160, 192), (192, 160)),
            view=ViewConfig(whole_share=0.2, smallest=0.5),
            tiers=TIERS,
            elastic_share=1 - RIGID_SHARE,
            wide_share=0.0,
            mono_share=0.3,
        )
    )
    optimisation: Optimisation = field(
        default_factory=lambda: Optimisation(learning_rate=1e-3, average=0.995, clip=2.0)
    )
    mixed: bool = False  # normal equations are solved in full float32
    constructor: Mapping[str, Any] = field(default_factory=lambda: asdict(ElasticConfig()))
    notes: str = (
        "The elastic stage that all trained models share (ours). It starts from what a global "
        "alignment leaves: up to 2 degrees, 3 %, a fortieth of the side, and 13 px of bending. "
        "Endpoint error after every estimate, half of it without its best affine map, since the "
        "pictures are aligned to 1 or 2 px only; cross-entropy of the votes; Laplace likelihood "
        "of its own error. All through the solver's iterations."
    )
    affine_share: float = 0.5

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new network."""
        return ElasticNetwork.from_json(config)

    def loss(self, model: nn.Module, batch: TrainingBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the weighted terms."""
        masks = batch.fixed_mask.float(), batch.moving_mask.float()
        output: ElasticOutput = model(batch.fixed, batch.moving, *masks)
        *early, last = output.steps
        share = self.affine_share
        terms = {
            "last": losses.step_loss(last, batch, share),
            "error": 0.05 * losses.error_scale_loss(output, batch),
        }
        for step in early:
            weight = VOTE_STEP if step.votes else EARLY_STEP
            _add(terms, "early", weight * losses.step_loss(step, batch, share))
            if step.votes:
                _add(terms, "votes", 0.12 * losses.step_votes_loss(step, batch))
        terms["log_bent"], terms["log_bent_before"] = losses.elastic_errors(output, batch)
        return terms

    def predict_flow(
        self,
        model: nn.Module,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the flow (B, 2, H, W) of a single pass."""
        known = torch.ones_like(fixed[:, :1])
        masks = [known if m is None else m.float() for m in (fixed_mask, moving_mask)]
        output: ElasticOutput = model(fixed, moving, *masks)
        return output.flow((fixed.shape[-2], fixed.shape[-1]))


def _add(terms: dict[str, Tensor], name: str, value: Tensor) -> None:
    terms[name] = terms[name] + value if name in terms else value
