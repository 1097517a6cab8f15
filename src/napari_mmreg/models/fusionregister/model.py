"""FusionRegister behind the model protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from napari_mmreg.models import looks
from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.network import (
    MULTIPLE,
    FusionRegister,
    expected_error,
    probability,
)
from napari_mmreg.models.fusionregister.prior import fused_prior
from napari_mmreg.models.registry import get_info
from napari_mmreg.models.trained import TrainedModel
from napari_mmreg.nn.laplacian import laplacian_fusion
from napari_mmreg.nn.sampling import pixel_grid


class FusionRegisterModel(TrainedModel):
    """FusionRegister's field phi as a registration of pairs that are nearly aligned.

    The paper registers the fused image alone, see `correct`. Ours: phi is taught to be the
    displacement of the moving image, so that it moves other layers, too. It looks for displacements
    of some 24 px at 256-px scale and no more: what it says about others is nothing that a
    certificate would pass. The fused image that it sees is the Laplacian pyramid's, which needs no
    weights: one set of weights serves all backbones.
    """

    info = get_info("fusionregister")
    multiple = MULTIPLE
    sizes: ClassVar[tuple[int, ...]] = (256, 384)
    cell = 2

    @staticmethod
    def build_network(settings: Mapping[str, Any]) -> FusionRegister:
        """Return a network without weights."""
        return FusionRegister(FusionRegisterConfig.from_json(settings))

    def look(self, seen: looks.Seen) -> looks.Look:
        """Localise; nothing is corrected."""
        images, masks = (seen.fixed, seen.moving), (seen.fixed_mask, seen.moving_mask)
        fused = fused_prior(laplacian_fusion, *images, *masks)
        found = self.network.localise(*images, fused, *masks)
        flow = found.flow[0].permute(1, 2, 0)
        shape = (flow.shape[0], flow.shape[1])
        return looks.Look(
            places=pixel_grid(*shape, flow) + flow,
            error=expected_error(found.log_scale, shape)[0, 0],
            localisation=probability(found.misregistered, shape)[0, 0],
        )
