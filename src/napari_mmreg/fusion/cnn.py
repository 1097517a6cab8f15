"""Fusion by a small trained network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mmreg.errors import ModelError
from napari_mmreg.fusion.network import FusionNet
from napari_mmreg.fusion.protocol import Fusion
from napari_mmreg.fusion.registry import get_fusion_info
from napari_mmreg.models.weights import load_weights, weights_folder
from napari_mmreg.nn.bands import bands

if TYPE_CHECKING:
    from napari_mmreg.run import Run

FOLDER = "fusion-cnn"
"""Name of the folder of its weights."""


def build_network(settings: Mapping[str, Any]) -> FusionNet:
    """Return a network without weights."""
    return FusionNet(**settings)


class CNNFusion(Fusion):
    """The network of `napari_mmreg.fusion.network` with its weights.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """

    info = get_fusion_info("cnn")
    stride = 1

    def __init__(self) -> None:
        try:
            folder = weights_folder(FOLDER)
        except ModelError as error:
            raise ModelError(
                "The weights of the fusion network are not installed. Install napari-mmreg again, "
                "or choose the method 'laplacian', which needs none."
            ) from error
        self.network = cast("FusionNet", load_weights(folder, build_network))
        self.reach = self.network.reach

    def fuse(
        self,
        fixed: NDArray[np.float32],
        moving: NDArray[np.float32],
        valid: NDArray[np.bool_],  # noqa: ARG002 - filled images need no mask here
        run: Run,
    ) -> NDArray[np.float32]:
        """Fuse two grey images; see `napari_mmreg.fusion.Fusion`."""
        self.network.to(run.device)
        fused = np.empty_like(fixed)
        with torch.inference_mode():
            one, other = (
                torch.from_numpy(np.ascontiguousarray(image))[None, None].to(run.device)
                for image in (fixed, moving)
            )
            for core, around, inner in bands(len(fixed), self.reach):
                run.check()
                band = self.network(one[..., around, :], other[..., around, :])
                fused[core] = band[0, 0, inner].float().cpu().numpy()
        return fused
