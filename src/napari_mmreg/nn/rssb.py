"""Residual state-space blocks (RSSB).

Source: Guo et al., *MambaIR: A Simple Baseline for Image Restoration with State-Space Model*
(arXiv 2402.15648), sections 3.3 to 3.5. Our choices: Mamba-2's scan as the default core and
replicated borders in all convolutions (see `napari_mmreg.nn.ss2d`).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from napari_mmreg.nn.norm import LayerNorm2d
from napari_mmreg.nn.ss2d import SS2D, Core, Padding


class ChannelAttention(nn.Module):
    """Scale every channel by a gate computed from the means of all channels.

    Parameters
    ----------
    channels : int
        Channels C of the maps (B, C, H, W).
    squeeze : int
        Channels per hidden unit.
    """

    def __init__(self, channels: int, squeeze: int = 30) -> None:
        super().__init__()
        hidden = max(1, channels // squeeze)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale (B, C, H, W); same shape."""
        gated: Tensor = x * self.gate(x)
        return gated


def channel_attention_block(
    channels: int, *, compress: int = 3, light: bool = False, padding_mode: Padding = "replicate"
) -> nn.Sequential:
    """Build the convolutional half of an RSSB, (B, C, H, W) to the same shape.

    Parameters
    ----------
    channels : int
        Channels C.
    compress : int
        Channels per hidden channel.
    light : bool
        1 x 1 and depth-wise 3 x 3 convolutions (the second one dilated by 2) in place of full
        3 x 3 ones.
    padding_mode : {"replicate", "zeros", "reflect"}
        What the convolutions see outside.

    Returns
    -------
    torch.nn.Sequential
        Convolution, GELU, convolution, channel attention.
    """
    hidden = max(1, channels // compress)
    conv = partial(nn.Conv2d, padding_mode=padding_mode)
    if light:
        first = [conv(channels, hidden, 1), conv(hidden, hidden, 3, padding=1, groups=hidden)]
        second = [
            conv(hidden, channels, 1),
            conv(channels, channels, 3, padding=2, dilation=2, groups=channels),
        ]
    else:
        first = [conv(channels, hidden, 3, padding=1)]
        second = [conv(hidden, channels, 3, padding=1)]
    return nn.Sequential(*first, nn.GELU(), *second, ChannelAttention(channels))


class RSSB(nn.Module):
    """Residual state-space block.

    ``x = s1 * x + SS2D(LN(x))``, then ``x = s2 * x + CAB(LN(x))`` with learnable scales per
    channel that start at 1.

    Parameters
    ----------
    channels : int
        Channels C of the maps (B, C, H, W).
    state : int
        States of each channel of the scan.
    expand : int
        Inner channels of the scan per channel.
    core : {"ssd", "selective_scan"}
        Which scan runs.
    compress : int
        Channels per hidden channel of the convolutional half.
    light : bool
        Depth-wise convolutions in the convolutional half.
    padding_mode : {"replicate", "zeros", "reflect"}
        What all convolutions see outside.
    """

    def __init__(
        self,
        channels: int,
        *,
        state: int = 16,
        expand: int = 2,
        core: Core = "ssd",
        compress: int = 3,
        light: bool = False,
        padding_mode: Padding = "replicate",
    ) -> None:
        super().__init__()
        self.scan_norm = LayerNorm2d(channels)
        self.scan = SS2D(channels, state=state, expand=expand, core=core, padding_mode=padding_mode)
        self.scan_skip = nn.Parameter(torch.ones(channels, 1, 1))
        self.conv_norm = LayerNorm2d(channels)
        self.conv = channel_attention_block(
            channels, compress=compress, light=light, padding_mode=padding_mode
        )
        self.conv_skip = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Transform (B, C, H, W), any H and W; same shape."""
        x = self.scan_skip * x + self.scan(self.scan_norm(x))
        y: Tensor = self.conv_skip * x + self.conv(self.conv_norm(x))
        return y


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
