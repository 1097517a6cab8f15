"""RFNet behind the model protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_mmreg.models.cascade import NetworkInput, NetworkOutput
from napari_mmreg.models.registry import get_info
from napari_mmreg.models.rfnet.affine import EIGHTH
from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.network import RFNet, expected_error
from napari_mmreg.models.trained import TrainedModel
from napari_mmreg.nn.sampling import pixel_grid


class RFNetModel(TrainedModel):
    """RFNet for pairs of any size and aspect; `fusion.f2m` fuses with the same weights.

    The two passes are the paper's cascade: what the first one found, affine and fine field, is
    summed up in a homography; the second sees the moving image warped by it if it moves far (ours).
    """

    info = get_info("rfnet")
    multiple = EIGHTH
    far = 32.0  # chosen on val: nearer, refinement finds as much without the second pass

    @staticmethod
    def build_network(settings: Mapping[str, Any]) -> RFNet:
        """Return a network without weights."""
        return RFNet(RFNetConfig.from_json(settings))

    def call_network(self, inputs: NetworkInput) -> NetworkOutput:
        """One forward pass."""
        found = self.network(*inputs.images, before=inputs.fixed_features)
        flow = found.flow[0].permute(1, 2, 0)
        rows, cols = flow.shape[:2]
        error = expected_error(found.fine, (rows, cols))[0, 0]
        target = pixel_grid(rows, cols, flow) + flow
        return NetworkOutput(target, error, fixed_features=found.coarse)
