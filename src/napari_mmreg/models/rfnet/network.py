"""RFNet: translate, register by an affine, then bend and fuse.

Xu, Ma, Yuan, Le, Liu: RFNet: Unsupervised Network for Mutually Reinforcing Multi-modal Image
Registration and Fusion, CVPR 2022. Sizes, the style code, the matching head and what the
deformation block sees beside shallow features are ours, see the modules.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.rfnet.affine import (
    EIGHTH,
    QUARTER,
    AffineAnswer,
    AffineNet,
    match_near,
)
from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.f2m import F2M, RADIUS, FineAnswer
from napari_mmreg.models.rfnet.translate import TransNet
from napari_mmreg.nn.correlation import peak_vote
from napari_mmreg.nn.global_affine import affine_flow, overlap
from napari_mmreg.nn.sampling import check_sides, fill_outside, pixel_grid, upsample_flow, warp

Masks = tuple[Tensor | None, Tensor | None]


@dataclass(slots=True)
class RFNetOutput:
    """Everything that a forward pass makes.

    Attributes
    ----------
    flow : Tensor of shape (B, 2, H, W)
        Fixed to moving, (x, y) in pixels: the affine after the fine field.
    shown : pair of Tensor (B, 1, H, W)
        Fixed image, and moving image in the fixed one's look.
    coarse : AffineAnswer
    fine : FineAnswer
    field : Tensor of shape (B, 2, H, W)
        The fine field alone, in pixels.
    """

    flow: Tensor
    shown: tuple[Tensor, Tensor]
    coarse: AffineAnswer
    fine: FineAnswer
    field: Tensor


class RFNet(nn.Module):
    """Coarse and fine registration, and fusion.

    Parameters
    ----------
    config : RFNetConfig, optional
    """

    def __init__(self, config: RFNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RFNetConfig()
        self.translator = TransNet(config)
        self.affine = AffineNet(config)
        self.f2m = F2M(config)

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
        before: AffineAnswer | None = None,
    ) -> RFNetOutput:
        """Register a batch.

        Parameters
        ----------
        fixed, moving : Tensor of shape (B, 1, H, W)
            Grey values in [0, 1]; sides are multiples of 8.
        fixed_mask, moving_mask : Tensor of shape (B, 1, H, W), optional
            Where the images have data.
        before : AffineAnswer, optional
            See `AffineNet`.

        Raises
        ------
        ValueError
            If a side is not a multiple of 8.
        """
        masks = (fixed_mask, moving_mask)
        shown, coarse = self.register_coarsely(fixed, moving, masks, before=before)
        fine = self.register_finely(fixed, moving, masks, coarse, coarse.affine)
        rows, cols = fixed.shape[-2:]
        field = upsample_flow(fine.field / QUARTER, (rows, cols), QUARTER)
        return RFNetOutput(composed(coarse.affine, field), shown, coarse, fine, field)

    def register_coarsely(
        self,
        fixed: Tensor,
        moving: Tensor,
        masks: Masks,
        taught: Tensor | None = None,
        before: AffineAnswer | None = None,
    ) -> tuple[tuple[Tensor, Tensor], AffineAnswer]:
        """Show the moving image in the fixed one's look; find the affine, see `AffineNet`."""
        check_sides(fixed, EIGHTH)
        shown = (fill_outside(fixed, masks[0]), fill_outside(moving, masks[1]))
        if self.config.translate:
            shown = (shown[0], self.translator(shown[1], shown[0]))
        return shown, self.affine(shown, (fixed, moving), masks, taught, before)

    def register_finely(
        self,
        fixed: Tensor,
        moving: Tensor,
        masks: Masks,
        coarse: AffineAnswer,
        affine: Tensor,
    ) -> FineAnswer:
        """Find what an affine (B, 2, 3), in pixels, leaves; AffineNet is not taught by it."""
        rows, cols = fixed.shape[-2:]
        affine = affine.detach().float()
        registered = warp(
            fill_outside(moving, masks[1]), affine_flow(affine, rows, cols, 1).to(moving)
        )
        start = affine_flow(affine, rows // QUARTER, cols // QUARTER, QUARTER)
        one, two = (features.detach() for features in coarse.quarter)
        temperature = self.affine.log_temperatures[1].exp().detach()
        logits = match_near(one, two, start, RADIUS, temperature)
        vote, trust = peak_vote(logits, RADIUS)
        inside = overlap(start, masks, QUARTER)
        agreement = torch.cat([logits * temperature, vote, trust], 1) * inside
        answer: FineAnswer = self.f2m(fill_outside(fixed, masks[0]), registered, agreement)
        return answer

    def fuse(self, fixed: Tensor, registered: Tensor) -> Tensor:
        """Fuse registered luminances (B, 1, H, W) in [0, 1], of any size."""
        return self.f2m.fuse(fixed, registered)


def composed(affine: Tensor, field: Tensor) -> Tensor:
    """Return the flow of an affine after a field: p to A (p + field(p)), both in pixels."""
    rows, cols = field.shape[-2:]
    places = pixel_grid(rows, cols, field).permute(2, 0, 1) + field
    mapped = torch.einsum("bij,bjhw->bihw", affine[..., :2].to(field), places)
    return (
        mapped
        + affine[..., 2, None, None].to(field)
        - pixel_grid(rows, cols, field).permute(2, 0, 1)
    )


def expected_error(fine: FineAnswer, shape: tuple[int, int]) -> Tensor:
    """Return the expected length of the error in pixels, (B, 1, H, W)."""
    return F.interpolate(fine.log_scale, size=shape, mode="bilinear").exp()
