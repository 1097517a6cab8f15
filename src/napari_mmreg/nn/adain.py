"""Adaptive instance normalisation: the content of one map, the channel statistics of a style.

Source: Huang and Belongie, *Arbitrary Style Transfer in Real-time with Adaptive Instance
Normalization* (arXiv 1703.06868).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
