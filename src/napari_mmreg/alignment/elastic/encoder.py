"""What the elastic stage sees in each image, fixed and moving alike."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.alignment.elastic.config import ElasticConfig
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.norm import unit_channels
from napari_mmreg.nn.structure import CHANNELS, robust_channels

_MAGNITUDE, _COSINE, _SINE = 1, 2, 3
"""Places of the gradient's magnitude and double-angle direction in `robust_channels`."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageChannels:
    """Channels of a batch of images at one stride.

    Attributes
    ----------
    context : Tensor of shape (B, K, h, w)
        Read by the heads that say how far to believe the other channels.
    followed : Tensor of shape (B, C, h, w)
        Followed along their gradients.
    """

    context: Tensor
    followed: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What the encoder makes of a batch of images.

    Attributes
    ----------
    channels : tuple of ImageChannels
        At strides 2 and 4; cell j is at pixel 2 j or 4 j.
    matched : Tensor of shape (B, D, ceil(H / 4), ceil(W / 4))
        Of length 1, to be correlated.
    """

    channels: tuple[ImageChannels, ImageChannels]
    matched: Tensor

    def split(self, count: int) -> tuple[Encoded, Encoded]:
        """Take the first `count` images from the others."""
        return self._part(slice(count)), self._part(slice(count, None))

    def swapped(self) -> Encoded:
        """Return the images in the opposite order."""
        fine, coarse = (
            ImageChannels(channels.context.flip(0), channels.followed.flip(0))
            for channels in self.channels
        )
        return Encoded((fine, coarse), self.matched.flip(0))

    def _part(self, images: slice) -> Encoded:
        fine, coarse = (
            ImageChannels(channels.context[images], channels.followed[images])
            for channels in self.channels
        )
        return Encoded((fine, coarse), self.matched[images])


def quiet(layer: nn.Conv2d) -> nn.Conv2d:
    """Let a layer begin by saying almost nothing."""
    nn.init.normal_(layer.weight, std=0.01)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _gradient_map(channels: int) -> nn.Conv2d:
    """Return a linear map of the robust channels that begins with their gradients."""
    layer = nn.Conv2d(CHANNELS, channels, 1, bias=False)
    nn.init.normal_(layer.weight, std=0.05)
    with torch.no_grad():
        layer.weight[0, _COSINE] = layer.weight[1, _SINE] = 1.0
        layer.weight[2, _MAGNITUDE] = 0.5
    return layer


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels), conv(channels, channels)
        self.norms = nn.ModuleList([nn.GroupNorm(4, channels), nn.GroupNorm(4, channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        inner = F.relu(self.norms[0](self.first(x)))
        return F.relu(x + self.norms[1](self.second(inner)))


class Encoder(nn.Module):
    """A small U-Net over the modality-robust channels.

    Both kinds of channels begin as linear maps of `robust_channels`, to which the U-Net adds
    what training finds: gradients can be followed before anything was learned.
    """

    def __init__(self, config: ElasticConfig) -> None:
        super().__init__()
        widths = config.widths
        self.matched, self.context = config.matched, config.context
        first = nn.Sequential(conv(CHANNELS, widths[0]), nn.ReLU(), Block(widths[0]))
        deeper = [
            nn.Sequential(conv(a, b, 3, 2), nn.ReLU(), Block(b))
            for a, b in itertools.pairwise(widths)
        ]
        self.down = nn.ModuleList([first, *deeper])
        self.up = nn.ModuleList([conv(b, a, 1) for a, b in itertools.pairwise(widths)])
        self.merge = nn.ModuleList([Block(width) for width in widths[:-1]])
        self.contexts = nn.ModuleList([conv(width, config.context) for width in widths[:2]])
        self.matching = conv(widths[1], config.matched)
        self.matching_base = nn.Conv2d(CHANNELS, config.matched, 1, bias=False)
        self.following = nn.ModuleList(
            [quiet(conv(width, config.followed)) for width in widths[:2]]
        )
        self.following_base = nn.ModuleList([_gradient_map(config.followed) for _ in range(2)])

    def forward(self, image: Tensor, mask: Tensor) -> Encoded:
        """Describe grey images.

        Parameters
        ----------
        image, mask : Tensor of shape (B, 1, H, W)
            Grey values, and 1 where there is data.
        """
        robust = robust_channels(image, mask)
        maps, features = [], robust
        for layer in self.down:
            features = layer(features)
            maps.append(features)
        for i in reversed(range(len(self.up))):
            above = F.interpolate(
                self.up[i](maps[i + 1]),
                size=maps[i].shape[-2:],
                mode="bilinear",
                align_corners=False,
            )
            maps[i] = self.merge[i](maps[i] + above)
        half = F.avg_pool2d(F.pad(robust, (1, 1, 1, 1), mode="replicate"), 3, 2)
        fine, coarse = (
            ImageChannels(
                self.contexts[i](maps[i]),
                self.following[i](maps[i]) + self.following_base[i](base),
            )
            for i, base in enumerate((robust, half))
        )
        matched = unit_channels(self.matching(maps[1]) + self.matching_base(half))
        return Encoded((fine, coarse), matched)
