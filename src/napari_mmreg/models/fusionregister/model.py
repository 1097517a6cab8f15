"""FusionRegister behind the model protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from napari_mmreg.models.cascade import NetworkInput, NetworkOutput
from napari_mmreg.models.fusionregister import correct
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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mmreg.models.fusionregister.correct import Correction
    from napari_mmreg.run import Run


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

    def correct(
        self,
        fixed: NDArray[np.float32],
        registered: NDArray[np.float32],
        fused: NDArray[np.float32],
        valid: NDArray[np.bool_],
        run: Run,
        displacement: NDArray[np.float32] | None = None,
    ) -> Correction:
        """Register what is misaligned in a fused image, see `correct.correct`."""
        self.move_network(run.device)
        return correct.correct(self.network, fixed, registered, fused, valid, run, displacement)

    def call_network(self, inputs: NetworkInput) -> NetworkOutput:
        """Localise; nothing is corrected."""
        images, masks = (inputs.fixed, inputs.moving), (inputs.fixed_mask, inputs.moving_mask)
        fused = fused_prior(laplacian_fusion, *images, *masks)
        found = self.network.localise(*images, fused, *masks)
        flow = found.flow[0].permute(1, 2, 0)
        shape = (flow.shape[0], flow.shape[1])
        return NetworkOutput(
            target_points=pixel_grid(*shape, flow) + flow,
            error=expected_error(found.log_scale, shape)[0, 0],
            localisation=probability(found.misregistered, shape)[0, 0],
        )
