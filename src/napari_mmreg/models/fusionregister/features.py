"""What the small size's localisation compares: features of both sources, and of the fused image.

The paper's three extractors have one architecture and weights of their own. Ours: the two sources
share theirs, since features that are correlated must mean the same; the fused image has a smaller
one; the sources' contrast is normalised besides (see `nn.structure`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.norm import LayerNorm2d, unit_channels
from napari_mmreg.nn.sampling import doubled, fill_outside
from napari_mmreg.nn.structure import CHANNELS, robust_channels

Scales = dict[int, Tensor]
"""Features by stride; cell j is at pixel stride * j."""


class Block(nn.Module):
    """A residual block that looks no further than its kernels: tiles do not differ by it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            LayerNorm2d(channels), conv(channels, channels), nn.GELU(), conv(channels, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        mixed: Tensor = features + self.body(features)
        return mixed


class SourceEncoder(nn.Module):
    """Describe a source image at strides 2, 4 and 8 by vectors of unit length."""

    def __init__(self, config: FusionRegisterConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.widths
        self.stem = nn.Sequential(conv(4 + CHANNELS, half), nn.GELU(), conv(half, half))
        self.to_quarter = nn.Sequential(LayerNorm2d(half), conv(half, quarter, stride=2))
        self.at_quarter = nn.Sequential(Block(quarter), Block(quarter))
        self.to_eighth = nn.Sequential(LayerNorm2d(quarter), conv(quarter, eighth, stride=2))
        self.at_eighth = nn.Sequential(Block(eighth), Block(eighth))
        self.leave_half = conv(half + quarter, config.matched[0], 1)
        self.leave_quarter = conv(quarter + eighth, config.matched[1], 1)
        self.leave_eighth = conv(eighth, config.matched[2], 1)

    def forward(self, image: Tensor, mask: Tensor | None) -> Scales:
        """Return (B, C, H / s, W / s) for s = 2, 4, 8 of (B, 1, H, W)."""
        pixels = 2 * F.pixel_unshuffle(fill_outside(image, mask), 2) - 1
        half = self.stem(torch.cat([pixels, robust_channels(image, mask)], 1))
        quarter = self.at_quarter(self.to_quarter(half))
        eighth = self.at_eighth(self.to_eighth(quarter))
        # Fine cells know what coarse ones know of their surroundings.
        quarter_more = torch.cat([quarter, doubled(eighth, quarter.shape[-2:])], 1)
        half_more = torch.cat([half, doubled(quarter, half.shape[-2:])], 1)
        found = {
            8: self.leave_eighth(eighth),
            4: self.leave_quarter(quarter_more),
            2: self.leave_half(half_more),
        }
        return {stride: unit_channels(f.float()) for stride, f in found.items()}


class FusedEncoder(nn.Module):
    """Describe the fused image at strides 2, 4 and 8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(4, channels), nn.GELU(), conv(channels, channels))
        self.down = nn.ModuleList(
            nn.Sequential(LayerNorm2d(channels), conv(channels, channels, stride=2), nn.GELU())
            for _ in range(2)
        )

    def forward(self, fused: Tensor) -> Scales:
        """Return (B, channels, H / s, W / s) for s = 2, 4, 8 of (B, 1, H, W)."""
        half = self.stem(2 * F.pixel_unshuffle(fused, 2) - 1)
        quarter = self.down[0](half)
        return {2: half, 4: quarter, 8: self.down[1](quarter)}
