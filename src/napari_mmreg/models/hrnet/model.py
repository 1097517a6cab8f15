"""HRNet behind the model protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F

from napari_mmreg.models.cascade import NetworkInput, NetworkOutput
from napari_mmreg.models.hrnet.config import STRIDES, HRNetConfig
from napari_mmreg.models.hrnet.network import HRNet
from napari_mmreg.models.registry import get_info
from napari_mmreg.models.trained import TrainedModel
from napari_mmreg.nn.sampling import pixel_grid


class HRNetModel(TrainedModel):
    """HRNet for pairs of any size and aspect."""

    info = get_info("hrnet")
    multiple = STRIDES[-1]

    @staticmethod
    def build_network(settings: Mapping[str, Any]) -> HRNet:
        """Return a network without weights."""
        return HRNet(HRNetConfig.from_json(settings))

    def call_network(self, inputs: NetworkInput) -> NetworkOutput:
        """One forward pass."""
        found = self.network(*inputs.images, fixed_side=inputs.fixed_features)
        flow = found.flow[0].permute(1, 2, 0)
        error = F.interpolate(found.log_scale, scale_factor=2, mode="bilinear").exp()
        target = pixel_grid(flow.shape[0], flow.shape[1], flow) + flow
        return NetworkOutput(target, error[0, 0], fixed_features=found.fixed_side)
