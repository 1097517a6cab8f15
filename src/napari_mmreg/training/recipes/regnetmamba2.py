"""RegNetMamba-2's recipe: matching losses on misaligned real pairs and changed single images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_mmreg.models.regnetmamba2.matching import dense_places, match
from napari_mmreg.models.regnetmamba2.network import Features, RegNetMamba2, RegNetMamba2Config
from napari_mmreg.nn.sampling import pixel_grid
from napari_mmreg.training import regnetmamba2_losses as losses
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.recipe import FlowRecipe, Optimisation


@dataclass(frozen=True, kw_only=True)
class RegNetMamba2Recipe(FlowRecipe):
    """How RegNetMamba-2 is trained; see `napari_mmreg.training.recipe.FlowRecipe`."""

    name: str = "regnetmamba2"
    batches: BatchConfig = field(
        default_factory=lambda: BatchConfig(
            batch=4,
            sizes=((192, 192), (160, 224), (224, 160)),
            tiers={"mild": 0.1, "medium": 0.25, "hard": 0.35, "turned": 0.3},
        )
    )
    optimisation: Optimisation = field(
        default_factory=lambda: Optimisation(learning_rate=1.5e-3, average=0.999)
    )
    constructor: Mapping[str, Any] = field(default_factory=lambda: asdict(RegNetMamba2Config()))
    notes: str = (
        "Coarse focal cross-entropy of the dual softmax at 1/8, cross-entropy inside windows at "
        "1/2, sub-pixel error in px; rotations up to 45 degrees and scales from 0.6 to 1.6."
    )

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new RegNetMamba-2."""
        return RegNetMamba2(RegNetMamba2Config.from_json(config))

    def loss(
        self,
        model: nn.Module,
        batch: TrainingBatch,
        progress: float,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """Return the weighted terms."""
        network = cast("RegNetMamba2", model)
        features: Features = network(batch.fixed, batch.moving, batch.fixed_mask, batch.moving_mask)
        coarse, fine = network.log_temperatures.exp().unbind()
        matching, subpixel = losses.fine_losses(features, batch, fine)
        return {
            "coarse": losses.coarse_loss(features, batch, coarse),
            "fine": matching,
            "subpixel": 0.25 * subpixel,
        }

    def predict_flow(
        self,
        model: nn.Module,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the flow of the matches: their homography and the smoothed rest."""
        network = cast("RegNetMamba2", model)
        features: Features = network(fixed, moving, fixed_mask, moving_mask)
        shape = (fixed.shape[-2], fixed.shape[-1])
        flows = []
        for i in range(len(fixed)):
            one = Features(
                (features.coarse[0][i : i + 1], features.coarse[1][i : i + 1]),
                (features.fine[0][i : i + 1], features.fine[1][i : i + 1]),
            )
            mask = None if fixed_mask is None else fixed_mask[i : i + 1]
            places = dense_places(match(one, network.log_temperatures, shape, mask), shape)
            flows.append((places - pixel_grid(*shape, places)).permute(2, 0, 1))
        return torch.stack(flows)


RECIPE = RegNetMamba2Recipe()
