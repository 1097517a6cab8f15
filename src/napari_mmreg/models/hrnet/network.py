"""HRNet: one forward pass from two images to a global transform and a dense flow.

Zhang, Xia, Xiao, Jiang, Zhang: Disentangle-then-Align: Non-Iterative Hybrid Multimodal Image
Registration via Cross-Scale Feature Disentanglement, CVPR 2026 (arXiv 2603.19623). Built from
the paper's description; widths, gate, projection and head details are ours, and so are the
input channels, the global step on correlations and the votes (see the modules).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mmreg.models.hrnet.config import STRIDES, HRNetConfig
from napari_mmreg.models.hrnet.features import CDAP, FIXED, MOVING, Backbone, Scale, Side
from napari_mmreg.models.hrnet.hppm import PooledAffine, increment_head
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.global_affine import (
    affine_flow,
    cell_affine_to_pixels,
    matched_affine,
    overlap,
)
from napari_mmreg.nn.increment import Increment
from napari_mmreg.nn.sampling import check_sides, upsample_flow
from napari_mmreg.nn.structure import robust_channels

MATCH_LEVEL = 2
"""Scale whose shared features are matched all to all: stride 8."""


@dataclass(slots=True)
class HRNetOutput:
    """Everything that a forward pass makes.

    Attributes
    ----------
    flow : Tensor of shape (B, 2, H, W)
        Fixed to moving, (x, y) in pixels, ``align_corners=True``.
    affine : Tensor of shape (B, 2, 3)
        The global step, on (x, y, 1), fixed to moving pixels.
    increments : list of Increment
        Coarse to fine, for strides 16, 8, 4, 2; empty without the non-rigid part.
    scales : list of Scale
        Features, finest first.
    matches : Tensor of shape (B, 1, h, w), or None
        Weight of each cell's match in the global step.
    log_scale : Tensor of shape (B, 1, h, w), or None
        Logarithm of the expected length of the error in pixels, on the grid of stride 2.
    fixed_side : Side
        See `HRNet.describe`.
    """

    flow: Tensor
    affine: Tensor
    increments: list[Increment]
    scales: list[Scale]
    matches: Tensor | None
    log_scale: Tensor | None
    fixed_side: Side


class HRNet(nn.Module):
    """Disentangle-then-align registration network.

    Parameters
    ----------
    config : HRNetConfig
    """

    def __init__(self, config: HRNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HRNetConfig()
        ranks = config.ranks()
        self.backbone = Backbone(config)
        self.cdap = CDAP(config)
        self.match_log_temperature = nn.Parameter(torch.tensor(-2.5))
        self.rigid = (
            PooledAffine(ranks[-1], STRIDES[-1], config) if config.rigid == "pooled" else None
        )
        self.heads = nn.ModuleList(
            increment_head(ranks[level], STRIDES[level], config.radii[level], config)
            for level in reversed(range(len(STRIDES) - 1))
            if config.nonrigid
        )
        self.error = nn.Sequential(conv(config.hidden + 1, 16), nn.GELU(), conv(16, 1))

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
        start: Tensor | None = None,
        fixed_side: Side | None = None,
    ) -> HRNetOutput:
        """Register a batch.

        Parameters
        ----------
        fixed, moving : Tensor of shape (B, 1, H, W)
            Grey values in [0, 1]; sides are multiples of 32.
        fixed_mask, moving_mask : Tensor of shape (B, 1, H, W), optional
            Where the images have data.
        start : Tensor of shape (B, 2, 3), optional
            Replaces the global step for the increments, on (x, y, 1) in pixels (training).
        fixed_side : Side, optional
            What `describe` made of the fixed images before.

        Raises
        ------
        ValueError
            If a side is not a multiple of 32.
        """
        rows, cols = check_sides(fixed, STRIDES[-1])
        if fixed_side is None:
            fixed_side = self.describe(fixed, fixed_mask, FIXED)
        moving_side = self.describe(moving, moving_mask, MOVING)
        scales: list[Scale] = self.cdap(fixed_side, moving_side)
        affine, matches = self._global(scales, (rows, cols), fixed_mask)
        increments = self._increments(
            scales, affine if start is None else start, fixed_mask, moving_mask
        )
        flow = (
            upsample_flow(increments[-1].flow, (rows, cols))
            if increments
            else affine_flow(affine, rows, cols, 1)
        )
        return HRNetOutput(
            flow, affine, increments, scales, matches, self._log_scale(increments), fixed_side
        )

    def describe(self, image: Tensor, mask: Tensor | None, modality: int) -> Side:
        """Return the features of images (B, 1, H, W), the same whatever they are matched with."""
        return self.cdap.side(self.backbone(robust_channels(image, mask), modality), modality)

    def _global(
        self, scales: list[Scale], size: tuple[int, int], fixed_mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        if self.config.rigid == "correlation":
            fixed, moving = scales[MATCH_LEVEL].shared
            stride = STRIDES[MATCH_LEVEL]
            mask = None if fixed_mask is None else fixed_mask[..., ::stride, ::stride].to(fixed)
            affine, matches = matched_affine(
                fixed, moving, self.match_log_temperature.exp().float(), mask
            )
            return cell_affine_to_pixels(affine, stride), matches
        if self.rigid is not None:
            return self.rigid(*scales[-1].shared, size), None
        like = scales[0].shared[0]
        return torch.eye(2, 3, device=like.device).repeat(len(like), 1, 1), None

    def _increments(
        self,
        scales: list[Scale],
        start: Tensor,
        fixed_mask: Tensor | None,
        moving_mask: Tensor | None,
    ) -> list[Increment]:
        done: list[Increment] = []
        for head, level in zip(self.heads, reversed(range(len(STRIDES) - 1)), strict=False):
            fixed, moving = scales[level].shared
            shape = (fixed.shape[-2], fixed.shape[-1])
            if done:
                # Each scale answers for its own step: gradients stop between scales.
                flow = upsample_flow(done[-1].flow.detach(), shape)
            else:
                flow = affine_flow(start.detach().float(), *shape, STRIDES[level])
            mask = overlap(flow, (fixed_mask, moving_mask), STRIDES[level])
            done.append(head(fixed, moving, flow, mask))
        return done

    def _log_scale(self, increments: list[Increment]) -> Tensor | None:
        """Expect an error per cell of stride 2; it learns without touching what it judges."""
        if not increments:
            return None
        half = increments[-1]
        trust = half.logits.detach().softmax(1).amax(1, keepdim=True)
        scale: Tensor = self.error(torch.cat([half.features.detach(), trust], 1))
        return scale.clamp(-4.0, 6.0)
