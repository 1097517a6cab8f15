"""The geometric head (ours): an explicit transform from the scenes of both images.

The paper's output is an image, rendered with the target's appearance; how alike it is to the
target says nothing about where things are. This head matches the scenes: all cells to all at
stride 8, the affine that most matches obey, then steps of a flow at stride 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.factors import EIGHTH, QUARTER, Scene
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.global_affine import (
    affine_flow,
    cell_affine_to_pixels,
    matched_affine,
    overlap,
)
from napari_mmreg.nn.increment import Increment, IncrementHead
from napari_mmreg.nn.rssb import ConvBlock

Masks = tuple[Tensor | None, Tensor | None]


@dataclass(slots=True)
class Geometry:
    """Where the fixed image's cells lie in the moving one.

    Attributes
    ----------
    affine : Tensor of shape (B, 2, 3)
        On (x, y, 1), fixed to moving pixels.
    steps : list of Increment
        At stride 4; the last one's flow is the answer, (x, y) in cells.
    log_scale : Tensor of shape (B, 1, H / 4, W / 4)
        Logarithm of the expected length of the error in pixels.
    """

    affine: Tensor
    steps: list[Increment]
    log_scale: Tensor

    @property
    def flow(self) -> Tensor:
        """The flow (B, 2, H / 4, W / 4), in cells of stride 4."""
        return self.steps[-1].flow


class GeometricHead(nn.Module):
    """From two scenes to a flow.

    Parameters
    ----------
    config : SASNetConfig
    """

    def __init__(self, config: SASNetConfig) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(-2.5))
        self.steps = nn.ModuleList(
            IncrementHead(config.matched, radius, config.hidden, ConvBlock(config.hidden))
            for radius in config.radii
        )
        self.error = nn.Sequential(conv(config.hidden + 1, 16), nn.GELU(), conv(16, 1))

    def forward(
        self, fixed: Scene, moving: Scene, masks: Masks, taught: Tensor | None = None
    ) -> Geometry:
        """Match two scenes.

        Parameters
        ----------
        fixed, moving : Scene
        masks : pair of Tensor (B, 1, H, W) or None
        taught : Tensor of shape (B, 2, 3), optional
            Replaces the affine for the steps, in pixels. In training it is found all the same;
            afterwards it is not looked for: images that are near need none.
        """
        if taught is None or self.training:
            known = None if masks[0] is None else masks[0][..., ::EIGHTH, ::EIGHTH].to(fixed.eighth)
            found, _ = matched_affine(
                fixed.eighth, moving.eighth, self.log_temperature.exp().float(), known
            )
            affine = cell_affine_to_pixels(found, EIGHTH)
        else:
            affine = taught
        start = (affine if taught is None else taught).detach().float()
        rows, cols = fixed.quarter.shape[-2:]
        flow = affine_flow(start, rows, cols, QUARTER)
        steps: list[Increment] = []
        for head in self.steps:
            mask = overlap(flow, masks, QUARTER)
            steps.append(head(fixed.quarter, moving.quarter, flow, mask))
            # Each step answers for itself: gradients stop between them.
            flow = steps[-1].flow.detach()
        return Geometry(affine, steps, self._log_scale(steps[-1]))

    def _log_scale(self, last: Increment) -> Tensor:
        """Expect an error per cell; it learns without touching what it judges."""
        trust = last.logits.detach().softmax(1).amax(1, keepdim=True)
        scale: Tensor = self.error(torch.cat([last.features.detach(), trust], 1))
        return scale.clamp(-4.0, 6.0)
