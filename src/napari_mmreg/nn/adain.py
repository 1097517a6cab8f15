"""Adaptive instance normalisation: the content of one map, the channel statistics of a style.

Source: Huang and Belongie, *Arbitrary Style Transfer in Real-time with Adaptive Instance
Normalization* (arXiv 1703.06868).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.nn.conv import conv


def adain(content: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    """Give every channel of a map a new spread and a new mean.

    Parameters
    ----------
    content : Tensor
        Shape (B, C, H, W).
    scale, shift : Tensor
        New standard deviation and mean of each channel, shape (B, C).
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor
        Shape (B, C, H, W), dtype of `content`.
    """
    work = content.to(torch.promote_types(content.dtype, torch.float32))
    variance, mean = torch.var_mean(work, (2, 3), correction=0, keepdim=True)
    normal = (work - mean) * (variance + eps).rsqrt()
    return (normal * scale[..., None, None] + shift[..., None, None]).to(content.dtype)


class AdaIN2d(nn.Module):
    """Adaptive instance normalisation whose statistics are a linear map of a style code.

    Starts as plain instance normalisation for every style: scale 1, shift 0.

    Parameters
    ----------
    channels : int
        Channels C of the maps (B, C, H, W).
    style : int
        Length S of the style code (B, S).
    eps : float
        Added to the variance.
    """

    def __init__(self, channels: int, style: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.to_statistics = nn.Linear(style, 2 * channels)
        nn.init.zeros_(self.to_statistics.weight)
        nn.init.zeros_(self.to_statistics.bias)
        self.eps = eps

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Restyle `content` (B, C, H, W) by `style` (B, S); same shape."""
        scale, shift = self.to_statistics(style).chunk(2, dim=1)
        return adain(content, 1 + scale, shift, self.eps)


class StyleBlock(nn.Module):
    """A residual block whose normalisation is told a style."""

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels), conv(channels, channels)
        self.norms = nn.ModuleList(AdaIN2d(channels, style) for _ in range(2))

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        mixed = F.relu(self.norms[0](self.first(content), style))
        restyled: Tensor = content + self.norms[1](self.second(mixed), style)
        return restyled


class ContentBlock(nn.Module):
    """A residual block with instance normalisation: the domain's contrast does not pass."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            conv(channels, channels),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, content: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        mixed: Tensor = content + self.body(content)
        return mixed
