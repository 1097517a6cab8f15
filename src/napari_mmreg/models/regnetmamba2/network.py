"""RegNetMamba-2: state space duality at three scales, from two images to matchable features.

Li, Wu, Hu, Dai, Li: Leveraging Structured State Space Duality for Cross-Modality Feature Fusion
in Multimodal Image Registration (arXiv 2606.03341). Only its abstract says how it is built:
state space duality (SSD) at three scales, a scaling of features towards edges and foreground,
cross-modality interaction (CMI) by an SSD in cross form at every scale, multi-scale fusion (MSF)
upwards, matching at 1/8 and 1/2. All sizes and details are ours: non-causal SSD, whose learned
token weights are the scaling; modality-robust input channels; no positional encoding, since
absolute position says nothing about where the other image shows a place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mmreg.nn.config import NetworkConfig
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.norm import LayerNorm2d, unit_channels
from napari_mmreg.nn.sampling import check_sides, pixel_grid, sample
from napari_mmreg.nn.ssd_mixer import SSDMixer2d
from napari_mmreg.nn.structure import CHANNELS, robust_channels

COARSE, FINE = 8, 2
"""Pixels per cell of the matched features; cell j is at pixel stride * j."""


@dataclass(frozen=True, slots=True)
class RegNetMamba2Config(NetworkConfig):
    """Constructor arguments; JSON types only.

    Attributes
    ----------
    widths : tuple of three int
        Channels at 1/2, 1/4 and 1/8.
    state : int
        Length of the keys and queries of the state space duality.
    blocks : int
        Pairs of blocks (one image, then across) at 1/8.
    cross, fusion : bool
        Interaction between the images (CMI) and multi-scale fusion (MSF), for ablations.
    """

    widths: tuple[int, ...] = (32, 48, 96)
    state: int = 16
    blocks: int = 2
    cross: bool = True
    fusion: bool = True


class SSDBlock(nn.Module):
    """Non-causal SSD, over an image itself or across two, and a feed-forward part.

    Parameters
    ----------
    channels, state : int
    local : bool
        The feed-forward part sees 3 x 3 neighbours; else it is pixel by pixel.
    """

    def __init__(self, channels: int, state: int, *, local: bool = True) -> None:
        super().__init__()
        self.place = conv(channels, channels, groups=channels)
        self.norm, self.mix = LayerNorm2d(channels), SSDMixer2d(channels, expand=1, state=state)
        self.forward_norm = LayerNorm2d(channels)
        self.feed = nn.Sequential(
            conv(channels, channels, 3 if local else 1), nn.GELU(), conv(channels, channels, 1)
        )

    def forward(self, x: Tensor, mask: Tensor, *, across: bool) -> Tensor:
        """Map (2 B, C, h, w), fixed images first; `mask` (2 B, 1, h, w) is where there is data."""
        x = x + self.place(x)
        normal = self.norm(x)
        context = _other(normal) if across else normal
        x = x + self.mix(normal, context, _other(mask) if across else mask)
        result: Tensor = x + self.feed(self.forward_norm(x))
        return result


class Interaction(nn.Module):
    """CMI: each image reads the other one's summary, with the same weights both ways."""

    def __init__(self, channels: int, config: RegNetMamba2Config, *, local: bool = True) -> None:
        super().__init__()
        self.block = SSDBlock(channels, config.state, local=local)
        self.across = config.cross

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (2 B, C, h, w) to the same shape."""
        mixed: Tensor = self.block(x, mask, across=self.across)
        return mixed


class Fusion(nn.Module):
    """MSF: coarser features join finer ones, then the images interact again."""

    def __init__(self, coarse: int, fine: int, config: RegNetMamba2Config) -> None:
        super().__init__()
        self.join = conv(coarse, fine, 1)
        self.body = nn.Sequential(LayerNorm2d(fine), conv(fine, fine), nn.GELU())
        self.interact = Interaction(fine, config, local=False)

    def forward(self, coarse: Tensor, fine: Tensor, mask: Tensor) -> Tensor:
        """Return features of the finer grid."""
        rows, cols = fine.shape[-2:]
        grid = (pixel_grid(rows, cols, fine) / 2).expand(len(fine), -1, -1, -1)
        joined = fine + sample(self.join(coarse), grid)
        fused: Tensor = self.interact(joined + self.body(joined), mask)
        return fused


@dataclass(slots=True)
class Features:
    """Features of unit length of both images.

    Attributes
    ----------
    coarse : pair of Tensor (B, C, H / 8, W / 8)
        Fixed, moving.
    fine : pair of Tensor (B, c, H / 2, W / 2)
    """

    coarse: tuple[Tensor, Tensor]
    fine: tuple[Tensor, Tensor]


class RegNetMamba2(nn.Module):
    """From two images to features whose similarity says what belongs together.

    Parameters
    ----------
    config : RegNetMamba2Config, optional
    """

    def __init__(self, config: RegNetMamba2Config | None = None) -> None:
        super().__init__()
        self.config = config = config or RegNetMamba2Config()
        half, quarter, eighth = config.widths
        self.stem = nn.Sequential(conv(CHANNELS, half), nn.GELU(), conv(half, half))
        self.at_half = Interaction(half, config, local=False)
        self.to_quarter = nn.Sequential(LayerNorm2d(half), conv(half, quarter, stride=2))
        self.own_quarter = SSDBlock(quarter, config.state)
        self.at_quarter = Interaction(quarter, config)
        self.to_eighth = nn.Sequential(LayerNorm2d(quarter), conv(quarter, eighth, stride=2))
        self.own_eighth = nn.ModuleList(
            SSDBlock(eighth, config.state) for _ in range(config.blocks)
        )
        self.at_eighth = nn.ModuleList(Interaction(eighth, config) for _ in range(config.blocks))
        self.coarse = conv(eighth, eighth, 1)
        if config.fusion:
            self.up_quarter = Fusion(eighth, quarter, config)
            self.up_half = Fusion(quarter, half, config)
        self.fine = conv(half, half, 1)
        # Similarities of unit vectors are divided by these before the softmax.
        self.log_temperatures = nn.Parameter(torch.tensor([-2.5, -2.5]))

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> Features:
        """Describe a batch.

        Parameters
        ----------
        fixed, moving : Tensor of shape (B, 1, H, W)
            Grey values in [0, 1]; sides are multiples of 8.
        fixed_mask, moving_mask : Tensor of shape (B, 1, H, W), optional
            Where the images have data.

        Raises
        ------
        ValueError
            If a side is not a multiple of 8.
        """
        check_sides(fixed, COARSE)
        masks = [
            torch.ones_like(image) if mask is None else mask.to(image)
            for image, mask in ((fixed, fixed_mask), (moving, moving_mask))
        ]
        mask = torch.cat(masks)
        known = [mask[..., ::stride, ::stride] for stride in (2, 4, 8)]
        half = self.stem(robust_channels(torch.cat([fixed, moving]), mask))
        half = self.at_half(half, known[0])
        quarter = self.own_quarter(self.to_quarter(half), known[1], across=False)
        quarter = self.at_quarter(quarter, known[1])
        eighth = self.to_eighth(quarter)
        for own, interact in zip(self.own_eighth, self.at_eighth, strict=True):
            eighth = interact(own(eighth, known[2], across=False), known[2])
        fine = half
        if self.config.fusion:
            fine = self.up_half(self.up_quarter(eighth, quarter, known[1]), half, known[0])
        return Features(_pair(self.coarse(eighth)), _pair(self.fine(fine)))


def _pair(both: Tensor) -> tuple[Tensor, Tensor]:
    fixed, moving = unit_channels(both.float()).chunk(2)
    return fixed, moving


def _other(both: Tensor) -> Tensor:
    """Swap fixed and moving images of a batch."""
    fixed, moving = both.chunk(2)
    return torch.cat([moving, fixed])
