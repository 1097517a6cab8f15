"""The fusion method ``laplacian``; `napari_mmreg.nn.laplacian` says how it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mmreg.fusion.protocol import Fusion
from napari_mmreg.fusion.registry import get_fusion_info
from napari_mmreg.nn.laplacian import LEVELS, laplacian_fusion

if TYPE_CHECKING:
    from napari_mmreg.run import Run


class LaplacianFusion(Fusion):
    """Chooses details by their energy, and mixes the rest by the amount of detail."""

    info = get_fusion_info("laplacian")
    reach = 4 * 2**LEVELS
    stride = 2**LEVELS

    def fuse(
        self,
        fixed: NDArray[np.float32],
        moving: NDArray[np.float32],
        valid: NDArray[np.bool_],  # noqa: ARG002 - filled images need no mask here
        run: Run,
    ) -> NDArray[np.float32]:
        """Fuse two grey images; see `napari_mmreg.fusion.Fusion`."""
        run.check()
        with torch.inference_mode():
            images = (
                torch.from_numpy(np.ascontiguousarray(image))[None, None].to(run.device)
                for image in (fixed, moving)
            )
            fused: NDArray[np.float32] = laplacian_fusion(*images)[0, 0].float().cpu().numpy()
        run.check()
        return fused
