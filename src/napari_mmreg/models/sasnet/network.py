"""SAS-Net: two images, their scenes and appearances, and a transform between the scenes.

Qin: SAS-Net: Cross-Domain Image Registration as Inverse Rendering via Structure-Appearance
Factorization (arXiv 2602.09050). The scene encoder, the appearance encoder and the renderer follow
the paper's description; the transform is ours, see `geometry`: the paper has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.factors import (
    EIGHTH,
    QUARTER,
    AppearanceEncoder,
    Painting,
    Renderer,
    Scene,
    SceneEncoder,
)
from napari_mmreg.models.sasnet.geometry import GeometricHead, Geometry
from napari_mmreg.nn.sampling import check_sides, upsample_flow


@dataclass(slots=True)
class SASNetOutput:
    """What a forward pass finds.

    Attributes
    ----------
    flow : Tensor of shape (B, 2, H, W)
        Fixed to moving, (x, y) in pixels, ``align_corners=True``.
    geometry : Geometry
    fixed, moving : Scene
    """

    flow: Tensor
    geometry: Geometry
    fixed: Scene
    moving: Scene


class SASNet(nn.Module):
    """Scene-appearance separation network with a geometric head.

    Parameters
    ----------
    config : SASNetConfig, optional
    """

    def __init__(self, config: SASNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SASNetConfig()
        self.scene = SceneEncoder(config)
        self.appearance = AppearanceEncoder(config)
        self.renderer = Renderer(config)
        self.head = GeometricHead(config)

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
        taught: Tensor | None = None,
    ) -> SASNetOutput:
        """Find the scenes of a batch and match them.

        Parameters
        ----------
        fixed, moving : Tensor of shape (B, 1, H, W)
            Grey values in [0, 1]; sides are multiples of 8.
        fixed_mask, moving_mask : Tensor of shape (B, 1, H, W), optional
            Where the images have data.
        taught : Tensor of shape (B, 2, 3), optional
            Replaces the affine for the steps of the flow, on (x, y, 1) in pixels, see
            `GeometricHead`.

        Raises
        ------
        ValueError
            If a side is not a multiple of 8.
        """
        rows, cols = check_sides(fixed, EIGHTH)
        scenes = self.scenes(fixed, moving, fixed_mask, moving_mask)
        geometry = self.head(*scenes, (fixed_mask, moving_mask), taught)
        flow = upsample_flow(geometry.flow, (rows, cols), QUARTER)
        return SASNetOutput(flow, geometry, *scenes)

    def scenes(
        self,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> tuple[Scene, Scene]:
        """Describe both images, in one batch where they can share it, which is faster."""
        if fixed.shape != moving.shape or (fixed_mask is None) != (moving_mask is None):
            return self.scene(fixed, fixed_mask), self.scene(moving, moving_mask)
        masks = None
        if fixed_mask is not None and moving_mask is not None:
            masks = torch.cat([fixed_mask, moving_mask])
        both = self.scene(torch.cat([fixed, moving]), masks)
        count = len(fixed)
        return (
            Scene(both.scene[:count], both.quarter[:count], both.eighth[:count]),
            Scene(both.scene[count:], both.quarter[count:], both.eighth[count:]),
        )

    def rendering_parts(self) -> list[nn.Module]:
        """Return what nothing but images comes from; geometry does not depend on it."""
        return [self.scene.values, self.scene.show, self.appearance, self.renderer]

    def rerender(
        self, output: SASNetOutput, fixed: Tensor, fixed_mask: Tensor | None = None
    ) -> Painting:
        """Show what the moving image shows, where it shows it, as the fixed sensor would.

        Returns
        -------
        Painting
            On the moving grid: rendered, not measured.
        """
        painting: Painting = self.renderer(output.moving.scene, self.appearance(fixed, fixed_mask))
        return painting
