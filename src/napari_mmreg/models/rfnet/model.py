"""RFNet behind the model protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_mmreg.models import looks
from napari_mmreg.models.protocol import ModelInfo, Prediction
from napari_mmreg.models.rfnet.affine import EIGHTH
from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.network import RFNet, expected_error
from napari_mmreg.models.trained import TrainedModel
from napari_mmreg.nn.sampling import pixel_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run


class RFNetModel(TrainedModel):
    """RFNet for pairs of any size and aspect; registers and fuses.

    The two looks are the paper's cascade: what the first one found, affine and fine field, is
    summed up in a homography; the second sees the moving image warped by it.
    """

    info = ModelInfo(
        name="rfnet",
        title="RFNet",
        purpose="Trained network that registers and fuses; for pairs that are to become one image.",
        licence="BSD-3-Clause",
        reference="Xu et al., RFNet, CVPR 2022",
    )
    multiple = EIGHTH

    @staticmethod
    def build_network(settings: Mapping[str, Any]) -> RFNet:
        """Return a network without weights."""
        return RFNet(RFNetConfig.from_json(settings))

    def look(self, seen: looks.Seen) -> looks.Look:
        """One forward pass."""
        found = self.network(seen.fixed, seen.moving, seen.fixed_mask, seen.moving_mask)
        flow = found.flow[0].permute(1, 2, 0)
        rows, cols = flow.shape[:2]
        error = expected_error(found.fine, (rows, cols))[0, 0]
        return looks.Look(pixel_grid(rows, cols, flow) + flow, error)

    def predict(self, pair: Pair, run: Run) -> Prediction:
        """Register, then fuse.

        Parameters
        ----------
        pair : Pair
        run : Run

        Returns
        -------
        Prediction
            With `global_part`, `error_scale`, and the fused grey image ``extras["fused"]``,
            float32 (h, w) in [0, 1], on the pair's grid; where the moving image has no data it
            is the fixed one.
        """
        found = super().predict(pair, run)
        run.check()
        fused = self._fuse(pair, found, run.device)
        return replace(found, extras={**found.extras, "fused": fused})

    def _fuse(self, pair: Pair, found: Prediction, device: str) -> NDArray[np.float32]:
        registered = found.transform.resample(pair.moving, pair.shape, fill=np.nan)
        known = np.isfinite(registered) & (
            found.transform.resample(pair.moving_mask.astype(np.float32), pair.shape) > 0.99
        )
        images = [
            torch.from_numpy(image.astype(np.float32))[None, None].to(device)
            for image in (pair.fixed, np.where(known, registered, pair.fixed))
        ]
        with torch.inference_mode():
            fused = self.network.fuse(*images)[0, 0].cpu().numpy()
        return np.where(known, fused, pair.fixed).astype(np.float32)
