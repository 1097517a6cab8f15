"""HRNet behind the model protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F

from napari_mmreg.models import looks
from napari_mmreg.models.hrnet.config import STRIDES, HRNetConfig
from napari_mmreg.models.hrnet.network import HRNet
from napari_mmreg.models.registry import get_info
from napari_mmreg.models.weights import load_weights, weights_folder
from napari_mmreg.nn.sampling import pixel_grid

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models.protocol import Prediction
    from napari_mmreg.run import Run


def build_network(settings: Mapping[str, Any]) -> HRNet:
    """Return a network without weights."""
    return HRNet(HRNetConfig.from_json(settings))


class HRNetModel:
    """HRNet for pairs of any size and aspect, see `napari_mmreg.models.looks`.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """

    info = get_info("hrnet")

    def __init__(self) -> None:
        folder = weights_folder(self.info.name)
        self.network = cast("HRNet", load_weights(folder, build_network))

    def predict(self, pair: Pair, run: Run) -> Prediction:
        """Estimate a homography and a displacement of the pair's grid.

        Parameters
        ----------
        pair : Pair
        run : Run

        Returns
        -------
        Prediction
            With `global_part`, the homography alone, and `error_scale`.
        """
        self.network.to(run.device)
        with torch.inference_mode():
            return looks.predict(self.look, STRIDES[-1], pair, run)

    def look(self, seen: looks.Seen) -> looks.Look:
        """One forward pass."""
        found = self.network(seen.fixed, seen.moving, seen.fixed_mask, seen.moving_mask)
        flow = found.flow[0].permute(1, 2, 0)
        error = F.interpolate(found.log_scale, scale_factor=2, mode="bilinear").exp()
        return looks.Look(pixel_grid(flow.shape[0], flow.shape[1], flow) + flow, error[0, 0])
