"""SAS-Net's recipe: scene and appearance separated, and a geometric head taught by matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.factors import Scene
from napari_mmreg.models.sasnet.network import SASNet
from napari_mmreg.training import sasnet_losses as losses
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.recipe import FlowRecipe, Optimisation
from napari_mmreg.training.starts import batch_generator, jittered_truth

FLOW_WEIGHTS = {"affine": 0.5, "flow": 0.4, "smooth": 0.05, "error": 0.05}


@dataclass(frozen=True, kw_only=True)
class SASNetRecipe(FlowRecipe):
    """How SAS-Net is trained; see `napari_mmreg.training.recipe.FlowRecipe`.

    Attributes
    ----------
    geometry : bool
        Whether geometry learns; without, the parts alone that images come from.
    scene, cycle, alignment : bool
        Scene consistency, cycle consistency, and all that teaches geometry: the paper's
        ablations.
    rendered : int
        Samples of a batch that are rendered; geometry is learned from all.
    mixture : float
        Weight of the images that are mixed pixel by matching pixel.
    likeness_from : float
        Progress from which the re-rendered image's NCC teaches the flow.
    jitter : float
        Largest displacement, in px, of the frame's corners when the flow is taught from the
        perturbed true global step instead of the predicted one.
    predicted_share : float
        Share of batches that start from the predicted global step at the end of the training;
        it rises from 0.
    """

    name: str = "sasnet"
    batches: BatchConfig = field(
        default_factory=lambda: BatchConfig(batch=4, sizes=((160, 160), (128, 192), (192, 128)))
    )
    optimisation: Optimisation = field(
        default_factory=lambda: Optimisation(learning_rate=1.5e-3, average=0.998)
    )
    constructor: Mapping[str, Any] = field(default_factory=lambda: asdict(SASNetConfig()))
    notes: str = (
        "Reconstruction, cross-domain reconstruction, scene and cycle consistency and alignment "
        "as the paper names them. Ours: scenes are compared and rendered after the true flow, "
        "equivariance of the scene encoder, matching cross-entropies at strides 8 and 4, the "
        "true affine and flow, pictures mixed by least squares, NCC of the re-rendering on the "
        "flow alone, Laplace error head on detached features."
    )
    geometry: bool = True
    scene: bool = True
    cycle: bool = True
    alignment: bool = True
    rendered: int = 2
    mixture: float = 1.0
    likeness_from: float = 0.2
    jitter: float = 10.0
    predicted_share: float = 0.5
    unmasked_share: float = 0.3

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new SAS-Net."""
        return SASNet(SASNetConfig.from_json(config))

    def prepare(self, model: nn.Module, progress: float) -> None:  # noqa: ARG002
        """All parts learn all the time, or those alone that images come from."""
        if not self.geometry:
            model.requires_grad_(requires_grad=False)
            for part in cast("SASNet", model).rendering_parts():
                part.requires_grad_(requires_grad=True)

    def loss(self, model: nn.Module, batch: TrainingBatch, progress: float) -> dict[str, Tensor]:
        """Return the weighted terms."""
        network, generator = cast("SASNet", model), batch_generator(batch)
        masks = self.draw_masks(batch, generator)
        taught = None
        if float(torch.rand((), generator=generator)) >= self.predicted_share * progress:
            taught = jittered_truth(batch, self.jitter, generator)
        if not self.geometry:
            scenes = network.scenes(batch.fixed, batch.moving, *masks)
            renders = losses.gather_renders(network, scenes, batch, len(batch.fixed))
            return self._rendering(network, scenes, renders, batch)
        output = network(batch.fixed, batch.moving, *masks, taught=taught)
        scenes = output.fixed, output.moving
        renders = losses.gather_renders(network, scenes, batch, self.rendered)
        terms = self._rendering(network, scenes, renders, batch)
        if self.alignment:
            terms["match"], terms["vote"] = losses.matching_losses(network, output, batch)
            found = losses.flow_losses(output, batch)
            terms |= {name: weight * found[name] for name, weight in FLOW_WEIGHTS.items()}
            if progress >= self.likeness_from:
                terms["likeness"] = 0.2 * losses.likeness_loss(network, output, renders, batch)
        return terms

    def _rendering(
        self,
        network: SASNet,
        scenes: tuple[Scene, Scene],
        renders: losses.RenderBatch,
        batch: TrainingBatch,
    ) -> dict[str, Tensor]:
        """Return what scenes, appearances and images learn from."""
        reconstruction, cross, mixture, translated = losses.rendering_losses(network, renders)
        terms = {
            "reconstruction": 0.5 * reconstruction,
            "cross": cross,
            "mixture": self.mixture * mixture,
            "equivariance": 0.1 * losses.equivariance_loss(network, renders),
            "redundancy": 0.5 * losses.redundancy_loss(scenes),
        }
        if self.scene:
            terms["scene"] = 0.1 * losses.scene_loss(scenes, batch)
        if self.cycle:
            # One sample a step: encoding again costs as much as everything else of a sample.
            terms["cycle"] = 0.5 * losses.cycle_loss(network, renders, translated[:1])
        return terms


RECIPE = SASNetRecipe()
