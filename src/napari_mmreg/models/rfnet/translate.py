"""TransNet: shows one image as the sensor of another would have seen it.

Xu et al., RFNet (CVPR 2022), section 3.1.1: an encoder keeps the content, a decoder per domain
gives it the domain's look. Ours: one encoder for all sensors, and instead of a decoder per domain
one that is told by a global code of the target image what the result should look like, so that
one set of weights serves pairs of any kind. Content is kept at two strides:
details would not pass the coarse one alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.nn.adain import AdaIN2d, ContentBlock, StyleBlock
from napari_mmreg.nn.conv import conv


class TransNet(nn.Module):
    """Image translation by the style of another image.

    Parameters
    ----------
    config : RFNetConfig
    """

    def __init__(self, config: RFNetConfig) -> None:
        super().__init__()
        half, quarter = config.translator
        self.detail = nn.Sequential(conv(4, half, 5), nn.InstanceNorm2d(half), nn.ReLU())
        self.content = nn.Sequential(
            conv(half, quarter, stride=2),
            nn.InstanceNorm2d(quarter),
            nn.ReLU(),
            *(ContentBlock(quarter) for _ in range(3)),
        )
        self.look = nn.Sequential(
            conv(4, half, stride=2), nn.GELU(), conv(half, quarter, stride=2), nn.GELU()
        )
        self.code = nn.Linear(2 * quarter, config.style)
        self.restyle = nn.ModuleList(StyleBlock(quarter, config.style) for _ in range(2))
        self.widen, self.pass_on = conv(quarter, half), conv(half, half)
        self.norm = AdaIN2d(half, config.style)
        self.last = conv(half, 4)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the content c = E(I) of (B, 1, H, W) at strides 2 and 4."""
        detail = self.detail(F.pixel_unshuffle(image, 2))
        return detail, self.content(detail)

    def style(self, image: Tensor) -> Tensor:
        """Return the code (B, style) of what an image looks like, wherever things are in it."""
        seen = self.look(F.pixel_unshuffle(image, 2))
        spread, mean = torch.var_mean(seen, (2, 3), correction=0)
        code: Tensor = self.code(torch.cat([mean, (spread + 1e-4).sqrt()], 1))
        return code

    def decode(self, content: tuple[Tensor, Tensor], style: Tensor) -> Tensor:
        """Return the image (B, 1, H, W), in [0, 1], of a content in a style."""
        detail, coarse = content
        for block in self.restyle:
            coarse = block(coarse, style)
        fine = self.widen(F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = F.relu(self.norm(fine + self.pass_on(detail), style))
        return F.pixel_shuffle(self.last(fine), 2).sigmoid()

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Show `image` as `target`'s sensor would: (B, 1, H, W), sides multiples of 4."""
        return self.decode(self.encode(image), self.style(target))
