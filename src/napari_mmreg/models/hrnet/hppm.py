"""HPPM: rigid parameters at the coarsest scale, then increments of the flow, coarse to fine.

Zhang et al., Disentangle-then-Align (arXiv 2603.19623). The paper's heads are two residual
state-space blocks and convolutions on concatenated features. Ours get the local correlation of
the shared features besides, and start from the displacement that it votes for: matching is
learned in far fewer steps than regression.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.hrnet.config import HRNetConfig
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.global_affine import frame_affine
from napari_mmreg.nn.increment import IncrementHead
from napari_mmreg.nn.rssb import RSSB, ConvBlock


def hybrid_block(channels: int, stride: int, config: HRNetConfig) -> nn.Sequential:
    """Return an HRB: two residual state-space blocks, or convolutional ones at fine scales."""
    if stride >= config.scan_from:
        return nn.Sequential(*(RSSB(channels, core=config.core) for _ in range(2)))
    return nn.Sequential(ConvBlock(channels), ConvBlock(channels))


class PooledAffine(nn.Module):
    """The paper's rigid head: HRB, global average pooling, two linear layers, identity start."""

    def __init__(self, channels: int, stride: int, config: HRNetConfig) -> None:
        super().__init__()
        self.enter = conv(2 * channels, config.hidden)
        self.block = hybrid_block(config.hidden, stride, config)
        self.hidden = nn.Linear(config.hidden, config.hidden)
        self.last = nn.Linear(config.hidden, 6)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, fixed: Tensor, moving: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (B, 2, 3) on (x, y, 1) in pixels of a frame of `size` rows and columns."""
        pooled = self.block(self.enter(torch.cat([fixed, moving], 1))).mean((2, 3))
        change = self.last(F.relu(self.hidden(pooled))).view(-1, 2, 3)
        return frame_affine(change, size)


def increment_head(channels: int, stride: int, radius: int, config: HRNetConfig) -> IncrementHead:
    """Return the non-rigid step of one scale."""
    return IncrementHead(
        channels,
        radius,
        config.hidden,
        hybrid_block(config.hidden, stride, config),
        compose=config.accumulate == "compose",
    )
