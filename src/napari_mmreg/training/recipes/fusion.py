"""The fusion network's recipe: aligned pairs, and what of either image a fused one should keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.fusion_quality import fusion_measures
from napari_mmreg.evaluation.measures import BY_KEY
from napari_mmreg.fusion.network import FusionNet
from napari_mmreg.imaging import to_grey
from napari_mmreg.imaging.normalise import normalise
from napari_mmreg.nn.laplacian import laplacian_fusion
from napari_mmreg.training.appearance import AppearanceConfig
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.fusion_losses import gradient_loss, intensity_loss, ssim_loss
from napari_mmreg.training.recipe import Optimisation, Recipe
from napari_mmreg.training.scores import Scorer, Scores
from napari_mmreg.training.validation import spread

if TYPE_CHECKING:
    from napari_mmreg.training.pack import PackedPair
    from napari_mmreg.training.validation import ValidationConfig


def aligned_batches() -> BatchConfig:
    """Return small crops of pairs as their sensors gave them, in either order."""
    return BatchConfig(
        sizes=((96, 96),),
        batch=4,
        mono_share=0.0,
        tiers={"identity": 1.0},
        appearance=AppearanceConfig(strength=0.0),
    )


@dataclass(frozen=True, kw_only=True)
class FusionRecipe(Recipe):
    """How the fusion network is trained; see `napari_mmreg.training.recipe.Recipe`.

    Attributes
    ----------
    intensity, gradient, ssim : float
        Weights of the losses: L1 to the brighter image, L1 to the larger gradient, one minus
        the structural similarity with both. The weights are ours.
    """

    name: str = "fusion-cnn"
    batches: BatchConfig = field(default_factory=aligned_batches)
    optimisation: Optimisation = field(
        default_factory=lambda: Optimisation(learning_rate=3e-3, weight_decay=0.0, final=0.01)
    )
    constructor: Mapping[str, Any] = field(default_factory=lambda: {"widths": [4]})
    notes: str = (
        "Shaped as MMDRFuse's network. The training is ours: L1 to the brighter of the two images "
        "(weight 1), L1 to the larger gradient (10), structural similarity with both (1)."
    )
    data: str = (
        "Aligned pairs as luminance, scaled by percentiles; modalities drawn evenly, crops "
        "mirrored and their two images exchanged at random."
    )
    intensity: float = 1.0
    gradient: float = 10.0
    ssim: float = 1.0

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new `FusionNet`."""
        return FusionNet(**config)

    def loss(
        self,
        model: nn.Module,
        batch: TrainingBatch,
        progress: float,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """Return the weighted terms."""
        return self.terms(model, batch.fixed, batch.aligned, batch.valid)

    def terms(
        self, model: nn.Module, fixed: Tensor, moving: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        """Return the weighted terms of aligned images (B, 1, H, W) in [0, 1]."""
        fused = model(fixed, moving)
        return {
            "intensity": self.intensity * intensity_loss(fused, fixed, moving, mask),
            "gradient": self.gradient * gradient_loss(fused, fixed, moving, mask),
            "ssim": self.ssim * ssim_loss(fused, fixed, moving, mask),
        }

    def scorer(self, pairs: Sequence[PackedPair], config: ValidationConfig, device: str) -> Scorer:
        """Return a scorer of fused pairs, in addition to the Laplacian pyramid."""
        return FusionScorer(self, spread(pairs, config.per_modality), device)


class FusionScorer:
    """Compares a fusion network with the Laplacian pyramid on aligned pairs.

    Parameters
    ----------
    recipe : FusionRecipe
    pairs : sequence of PackedPair
        Those without any contrast are left out.
    device : str
    """

    def __init__(self, recipe: FusionRecipe, pairs: Sequence[PackedPair], device: str) -> None:
        self._recipe, self._device = recipe, device
        self._pairs = [found for pair in pairs if (found := grey_pair(pair)) is not None]

    def __call__(self, model: nn.Module, folder: Path | None = None) -> Scores:
        """Score; ``score`` is the loss. Nothing is written into the folder."""
        del folder
        losses: list[float] = []
        measured: dict[str, list[dict[str, float]]] = {"pyramid": [], "network": []}
        for arrays in self._pairs:
            fixed, moving, mask = (
                torch.from_numpy(array)[None, None].to(self._device) for array in arrays
            )
            with torch.inference_mode():
                terms = self._recipe.terms(model, fixed, moving, mask)
                answers = {
                    "pyramid": laplacian_fusion(fixed, moving),
                    "network": model(fixed, moving),
                }
            losses.append(sum(float(term) for term in terms.values()))
            for name, fused in answers.items():
                one, two, both = (
                    255 * image[0, 0].clamp(0, 1).cpu().numpy() for image in (fixed, moving, fused)
                )
                measured[name].append(fusion_measures(one, two, both, arrays[2]))
        means = {
            name: {key: float(np.nanmean([row[key] for row in rows])) for key in rows[0]}
            for name, rows in measured.items()
        }
        score = {"score": float(np.mean(losses))}
        return Scores(score | means["network"], self._table(means), {})

    def _table(self, means: Mapping[str, Mapping[str, float]]) -> str:
        network, pyramid = means["network"], means["pyramid"]
        ahead = sum(
            (network[key] > pyramid[key]) == (BY_KEY[key].better == "higher") for key in network
        )
        rows = "\n".join(
            f"| {BY_KEY[key].title} | {BY_KEY[key].better} "
            f"| {pyramid[key]:.3f} | {network[key]:.3f} |"
            for key in network
        )
        return (
            f"Means over {len(self._pairs)} aligned pairs of scenes that were not trained on, "
            "compared with the Laplacian\npyramid, which needs no training: better in "
            f"{ahead} of {len(network)} measures.\n\n"
            "| measure | better | Laplacian pyramid | this network |\n|---|---|---|---|\n"
            f"{rows}\n"
        )


def grey_pair(pair: PackedPair) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return both images as fusion methods see them, and their common mask.

    Returns
    -------
    fixed, moving : ndarray of float32, shape (H, W)
        In [0, 1], by percentiles.
    mask : ndarray of bool, shape (H, W)
        Where both have data. None stands for all three where an image has no contrast.
    """
    (fixed, fixed_mask), (moving, moving_mask) = to_grey(pair.fixed), to_grey(pair.moving)
    mask = fixed_mask & moving_mask
    if pair.mask is not None:
        mask &= pair.mask
    try:
        return normalise(fixed, mask, "fixed"), normalise(moving, mask, "moving"), mask
    except InputError:
        return None
