"""HPPM: rigid parameters at the coarsest scale, then increments of the flow, coarse to fine.

Zhang et al., Disentangle-then-Align (arXiv 2603.19623). The paper's heads are two residual
state-space blocks and convolutions on concatenated features. Ours get the local correlation of
the shared features besides, and start from the displacement that it votes for: matching is
learned in far fewer steps than regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.hrnet.config import HRNetConfig
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.correlation import local_correlation, peak_vote
from napari_mmreg.nn.global_affine import frame_affine
from napari_mmreg.nn.norm import LayerNorm2d
from napari_mmreg.nn.rssb import RSSB, channel_attention_block
from napari_mmreg.nn.sampling import gaussian_blur, warp

VOTE_SIGMA = 1.5
"""Cells over which the votes of the local correlation are averaged."""


class ConvBlock(nn.Module):
    """The convolutional half of an RSSB alone, for scales with too many cells to scan."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.body = channel_attention_block(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        mixed: Tensor = features + self.body(self.norm(features))
        return mixed


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


@dataclass(slots=True)
class Increment:
    """What one scale adds to the flow.

    Attributes
    ----------
    flow : Tensor of shape (B, 2, h, w)
        The flow so far including this scale, (x, y) in cells of this scale.
    start : Tensor of shape (B, 2, h, w)
        The flow that the moving features were warped by.
    logits : Tensor of shape (B, (2 r + 1)^2, h, w)
        Local similarities over the temperature, see `local_correlation` for their order.
    features : Tensor of shape (B, hidden, h, w)
        What the increment was read from.
    """

    flow: Tensor
    start: Tensor
    logits: Tensor
    features: Tensor


class IncrementHead(nn.Module):
    """One non-rigid step: warp, correlate, vote, correct."""

    def __init__(self, channels: int, stride: int, radius: int, config: HRNetConfig) -> None:
        super().__init__()
        self.radius, self.compose = radius, config.accumulate == "compose"
        self.log_temperature = nn.Parameter(torch.tensor(-2.5))
        inputs = 2 * channels + (2 * radius + 1) ** 2 + 5
        self.enter = conv(inputs, config.hidden)
        self.block = hybrid_block(config.hidden, stride, config)
        self.last = conv(config.hidden, 2)
        nn.init.normal_(self.last.weight, std=1e-5)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, fixed: Tensor, moving: Tensor, start: Tensor, mask: Tensor) -> Increment:
        """Refine `start` (B, 2, h, w), in cells; `mask` (B, 1, h, w) is where both have data."""
        one = F.normalize(fixed, dim=1)
        two = F.normalize(warp(moving, start), dim=1)
        similarity = local_correlation(one, two, self.radius) * fixed.shape[1]
        logits = similarity.float() / self.log_temperature.exp()
        vote, trust = peak_vote(logits, self.radius)
        weight = trust.square() * mask + 1e-4
        agreed = gaussian_blur(vote * weight, VOTE_SIGMA) / (
            gaussian_blur(weight, VOTE_SIGMA) + 1e-3
        )
        inputs = [one, two, similarity, vote, agreed, trust]
        features = self.block(self.enter(torch.cat(inputs, 1)))
        step = agreed + self.last(features)
        before = warp(start, step) if self.compose else start
        return Increment(before + step, start, logits, features)
