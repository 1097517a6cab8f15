"""The small fusion network: a few convolutions at full resolution.

Its default shape, 2 -> 4 -> 1 channels with 113 parameters, is that of the network which
MMDRFuse (Deng et al., ACM Multimedia 2024) distils and FusionRegister (Bian et al., CVPR 2026)
fuses with: 3 x 3 convolutions with reflected borders, ReLU between them, tanh at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class FusionNet(nn.Module):
    """Plain convolutions from two luminances to one.

    Parameters
    ----------
    widths : sequence of int
        Channels of the hidden layers.
    """

    def __init__(self, widths: Sequence[int] = (4,)) -> None:
        super().__init__()
        channels = (2, *widths, 1)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect"), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1], nn.Tanh())
        self.reach = len(channels) - 1

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Fuse (B, 1, H, W) images in [0, 1]; the answer is trained to lie there too."""
        fused: Tensor = self.layers(torch.cat([fixed, moving], 1))
        return fused
