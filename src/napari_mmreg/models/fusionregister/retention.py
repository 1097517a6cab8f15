"""The modality retention block: what warping took away is put back from the sources.

Bian et al., FusionRegister (CVPR 2026), equations 5 to 11: for each source a correlation of its
features with those of the warped fused image, gMLPs inside windows with spatial gating, weighted by
softmax, and attention: over channels for the fixed image, in space for the moving one; together
they predict a bias of the image. At full resolution only, as in the released code. Ours: the
moving features are warped by phi, so that the bias can rebuild the aligned fusion; the bias starts
at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.correlation import local_correlation

REACH = 1
"""Of the correlation, in pixels: p = 1, nine channels."""


class WindowMLP(nn.Module):
    """A gMLP inside square windows, equation 6.

    Parameters
    ----------
    channels, side : int
        Side of the windows, which begin at the top left corner, in pixels.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.enter = nn.Conv2d(channels, 2 * channels, 1)
        self.gate = nn.Linear(side * side, side * side)
        # Gates start open, and pass everything.
        nn.init.zeros_(self.gate.weight)
        nn.init.ones_(self.gate.bias)
        self.leave = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        rows, cols = features.shape[-2:]
        values, gates = self.enter(features).chunk(2, 1)
        mixed: Tensor = self.leave(values * F.relu(self._mix(gates)))
        return features + mixed[..., :rows, :cols]

    def _mix(self, gates: Tensor) -> Tensor:
        """Mix the pixels of every window linearly, the same way in all channels."""
        side, (rows, cols) = self.side, gates.shape[-2:]
        margin = (0, -cols % side, 0, -rows % side)
        if side == 1:  # a factor and a constant
            scaled: Tensor = gates * self.gate.weight[0, 0] + self.gate.bias[0]
            return scaled
        padded = F.pad(gates, margin, mode="replicate")
        batch, channels = padded.shape[:2]
        high, wide = padded.shape[-2] // side, padded.shape[-1] // side
        windows = padded.view(batch, channels, high, side, wide, side).permute(0, 1, 2, 4, 3, 5)
        mixed: Tensor = self.gate(windows.reshape(batch, channels, high, wide, side * side))
        mixed = mixed.view(batch, channels, high, wide, side, side).permute(0, 1, 2, 4, 3, 5)
        return mixed.reshape(padded.shape)[..., :rows, :cols]


@dataclass(slots=True)
class Attention:
    """What a branch takes from the image as a whole; tiles of an image share it.

    Attributes
    ----------
    windows : Tensor of shape (B, S)
        Weights of the window sizes.
    channels : Tensor of shape (B, C, 1, 1), or None
        Weights of the channels, in the branch of the fixed image.
    """

    windows: Tensor
    channels: Tensor | None


class Branch(nn.Module):
    """What one source says about the fused image."""

    def __init__(
        self, channels: int, windows: Sequence[int], attention: Literal["channel", "spatial"]
    ) -> None:
        super().__init__()
        self.enter = conv(2 * channels + (2 * REACH + 1) ** 2, channels)
        self.mlps = nn.ModuleList(WindowMLP(channels, side) for side in windows)
        self.choose = nn.Linear(channels, len(windows))
        squeezed = max(channels // 4, 4)
        self.attend = (
            conv(2, 1, 7)
            if attention == "spatial"
            else nn.Sequential(
                nn.Linear(channels, squeezed), nn.GELU(), nn.Linear(squeezed, channels)
            )
        )
        self.spatial = attention == "spatial"

    def forward(
        self, fused: Tensor, source: Tensor, attention: Attention | None = None
    ) -> tuple[Tensor, Attention]:
        """Return features (B, C, H, W), and the attention: the given one, or this image's."""
        similarity = local_correlation(fused, source, REACH)
        features = self.enter(torch.cat([fused, source, similarity], 1))
        parts = [mlp(features) for mlp in self.mlps]
        if attention is None:
            weights = self.choose(torch.stack(parts).sum(0).mean((2, 3))).softmax(1)
        else:
            weights = attention.windows.expand(len(features), -1)
        mixed = torch.stack(
            [part * weights[:, i, None, None, None] for i, part in enumerate(parts)]
        ).sum(0)
        if self.spatial:
            seen = torch.cat([mixed.amax(1, keepdim=True), mixed.mean(1, keepdim=True)], 1)
            return mixed + mixed * self.attend(seen).sigmoid(), Attention(weights, None)
        if attention is None or attention.channels is None:
            channels = self.attend(mixed.mean((2, 3))).sigmoid()[..., None, None]
        else:
            channels = attention.channels
        return mixed + mixed * channels, Attention(weights, channels)


class RetentionBlock(nn.Module):
    """From warped fused features and those of the sources to a bias of the image.

    Parameters
    ----------
    channels : int
    windows : sequence of int
    """

    def __init__(self, channels: int, windows: Sequence[int] = (1, 3)) -> None:
        super().__init__()
        self.fixed = Branch(channels, windows, "channel")
        self.moving = Branch(channels, windows, "spatial")
        self.bias = nn.Sequential(conv(channels, channels), nn.GELU(), conv(channels, 1))
        nn.init.zeros_(self.bias[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.bias[-1].bias)  # type: ignore[arg-type]

    def forward(
        self,
        fused: Tensor,
        fixed: Tensor,
        moving: Tensor,
        attention: tuple[Attention, Attention] | None = None,
    ) -> tuple[Tensor, tuple[Attention, Attention]]:
        """Return the bias (B, 1, H, W), and the attention that made it.

        Parameters
        ----------
        fused, fixed, moving : Tensor of shape (B, C, H, W)
            Features; those of the fused and of the moving image are warped.
        attention : pair of Attention, optional
            That of the whole image, for its tiles.
        """
        one, here = self.fixed(fused, fixed, None if attention is None else attention[0])
        other, there = self.moving(fused, moving, None if attention is None else attention[1])
        bias: Tensor = self.bias(one + other + fused)
        return bias, (here, there)
