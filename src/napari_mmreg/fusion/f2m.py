"""Fusion by RFNet's F2M, whose weights are part of the model `rfnet`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mmreg.fusion.protocol import Fusion
from napari_mmreg.fusion.registry import get_fusion_info
from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.f2m import F2M, REACH
from napari_mmreg.models.rfnet.network import RFNet
from napari_mmreg.models.weights import load_weights, weights_folder
from napari_mmreg.nn.bands import bands

if TYPE_CHECKING:
    from napari_mmreg.run import Run

Image = NDArray[np.float32]


def build_network(settings: Mapping[str, Any]) -> RFNet:
    """Return a network without weights."""
    return RFNet(RFNetConfig.from_json(settings))


class F2MFusion(Fusion):
    """The fusing half of RFNet.

    Its gradient channel attention depends on the whole image. Large ones take it from their
    middle (ours).

    Raises
    ------
    ModelError
        If the weights of `rfnet` are missing or damaged.
    """

    info = get_fusion_info("f2m")
    reach = REACH
    stride = 1

    def __init__(self, network: F2M | None = None) -> None:
        if network is None:
            network = cast("RFNet", load_weights(weights_folder("rfnet"), build_network)).f2m
        self.network = network
        self._attention: Tensor | None = None

    def prepare(self, fixed: Image, moving: Image, run: Run) -> None:
        """Settle the weights of the channels."""
        self.network.to(run.device)
        with torch.inference_mode():
            self._attention = self.network.attend(*_tensors(fixed, moving, run), run.check)

    def fuse(
        self,
        fixed: Image,
        moving: Image,
        valid: NDArray[np.bool_],  # noqa: ARG002 - filled images need no mask here
        run: Run,
    ) -> Image:
        """Fuse two grey images; see `napari_mmreg.fusion.Fusion`."""
        self.network.to(run.device)
        run.check()
        fused = np.empty_like(fixed)
        with torch.inference_mode():
            one, other = _tensors(fixed, moving, run)
            attention = self._attention
            if attention is None:
                attention = self.network.attend(one, other, run.check)
            # A tile's feature maps, all at once, would be a hundred times as large as its images.
            for core, around, inner in bands(len(fixed), REACH):
                run.check()
                parts = one[..., around, :], other[..., around, :]
                band = self.network.fuse(*parts, attention=attention)
                fused[core] = band[0, 0, inner].cpu().numpy()
        return fused


def _tensors(fixed: Image, moving: Image, run: Run) -> tuple[Tensor, Tensor]:
    one, other = (
        torch.from_numpy(np.ascontiguousarray(image))[None, None].to(run.device)
        for image in (fixed, moving)
    )
    return one, other
