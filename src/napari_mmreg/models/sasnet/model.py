"""SAS-Net behind the model protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from napari_mmreg.models.cascade import NetworkInput, NetworkOutput
from napari_mmreg.models.registry import get_info
from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.factors import EIGHTH, QUARTER
from napari_mmreg.models.sasnet.network import SASNet
from napari_mmreg.models.trained import TrainedModel
from napari_mmreg.nn.sampling import pixel_grid, separable_filter

PHASES = (1 / 8, 2 / 8, 2 / 8, 2 / 8, 1 / 8)
"""Takes out what repeats every two or four pixels: the renderer's shuffles draw patterns."""


class SASNetModel(TrainedModel):
    """SAS-Net for pairs of any size and aspect.

    The transform is that of the geometric head, which the paper does not have. The paper's own
    output, the moving image as the fixed sensor would show it, is mixed of
    `Prediction.rendering` after the registration (ours): channels that are rendered before they
    are warped, so that the image's geometry is that of the final transform, and no other.
    """

    info = get_info("sasnet")
    multiple = EIGHTH
    sizes: ClassVar[tuple[int, ...]] = (128, 256)
    cell = QUARTER

    @staticmethod
    def build_network(settings: Mapping[str, Any]) -> SASNet:
        """Return a network without weights."""
        return SASNet(SASNetConfig.from_json(settings))

    def call_network(self, inputs: NetworkInput) -> NetworkOutput:
        """One forward pass; without a search where the images are near, with an image at last."""
        nothing = torch.eye(2, 3, device=inputs.fixed.device)[None] if inputs.near else None
        found = self.network(*inputs.images, taught=nothing)
        flow = found.flow[0].permute(1, 2, 0)
        rendered = None
        if inputs.last:
            channels = self.network.rerender(found, inputs.fixed, inputs.fixed_mask).channels
            rendered = separable_filter(channels, PHASES, PHASES)[0]
        error = F.interpolate(found.geometry.log_scale, scale_factor=QUARTER, mode="bilinear").exp()
        return NetworkOutput(
            target_points=pixel_grid(flow.shape[0], flow.shape[1], flow) + flow,
            error=error[0, 0],
            rendered=rendered,
        )
