"""F2M: fine registration and fusion in one module.

Xu et al., RFNet (CVPR 2022), section 3.2. Both images share the first three layers; shallow
features tell the deformation block how to bend the coarsely registered image; its features are
resampled, normalised, passed through a residual block, weighted by gradient channel attention,
added to the other image's and mapped back to one image. Ours: the deformation block also sees
how well AffineNet's features agree near every cell, its field lives at stride 4, it is bounded,
and it says how large its error may be. Without a field the module fuses registered images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.nn.bands import bands
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.norm import LayerNorm2d
from napari_mmreg.nn.sampling import warp

SHALLOW = 4
"""Stride of the deformation block's grid."""

REACH = 8
"""How far a pixel acts on the fused image, in pixels: eight convolutions of 3 x 3."""

RADIUS = 2
"""Reach of the correlations that the deformation block sees, in cells of that stride."""


@dataclass(slots=True)
class FineAnswer:
    """What the deformation block found.

    Attributes
    ----------
    field : Tensor of shape (B, 2, H / 4, W / 4)
        (x, y) in pixels: the coarsely registered image shows at p + field(p) what belongs at p.
    log_scale : Tensor of shape (B, 1, H / 4, W / 4)
        Logarithm of the expected length of the error in pixels.
    """

    field: Tensor
    log_scale: Tensor


class DeformationBlock(nn.Module):
    """From shallow features and local correlations to a small smooth field; starts at zero."""

    def __init__(self, config: RFNetConfig) -> None:
        super().__init__()
        self.reach = config.reach
        shallow, width = config.fusion[0], config.fine
        self.shrink = conv(2 * shallow, width, 5, stride=4)
        self.enter = conv(width + (2 * RADIUS + 1) ** 2 + 3, width)
        self.body = nn.ModuleList(
            nn.Sequential(LayerNorm2d(width), conv(width, width), nn.GELU(), conv(width, width))
            for _ in range(3)
        )
        self.last = conv(width, 2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]
        self.error = nn.Sequential(conv(width, 16), nn.GELU(), conv(16, 1))

    def forward(self, shallow: tuple[Tensor, Tensor], agreement: Tensor) -> FineAnswer:
        """Return the field of two images' shallow features at full size.

        Parameters
        ----------
        shallow : pair of Tensor (B, C, H, W)
            Fixed, coarsely registered moving.
        agreement : Tensor of shape (B, 28, H / 4, W / 4)
            Correlation, vote and trust, see `RFNet`.
        """
        seen = self.shrink(torch.cat(shallow, 1))
        features = self.enter(torch.cat([seen, agreement], 1))
        for block in self.body:
            features = features + block(features)
        field = self.reach * torch.tanh(self.last(features) / self.reach)
        # It learns without touching what it judges.
        return FineAnswer(field, self.error(features.detach()).clamp(-3.0, 5.0))


class GradientAttention(nn.Module):
    """Weights of the channels, the same for both images, by the gradients that they hold."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        small = max(channels // 4, 2)
        self.perceptrons = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, small), nn.ReLU(), nn.Linear(small, channels))
            for _ in range(2)
        )

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        """Return the weights (B, C, 1, 1) of the channels of both images, (B, C, H, W)."""
        lengths = torch.stack([_gradient_length(features) for features in (one, two)])
        return self.weigh(lengths.mean((3, 4)).sum(0), lengths.amax((3, 4)).sum(0))

    def weigh(self, mean: Tensor, largest: Tensor) -> Tensor:
        """Return the weights for the gradients' means and maxima, (B, C), of both images summed."""
        weight: Tensor = (self.perceptrons[0](mean) + self.perceptrons[1](largest)).sigmoid()
        return weight[..., None, None]


def _gradient_length(features: Tensor) -> Tensor:
    padded = F.pad(features, (0, 1, 0, 1), mode="replicate")
    across = padded[..., :-1, 1:] - features
    down = padded[..., 1:, :-1] - features
    return across.abs() + down.abs()


class F2M(nn.Module):
    """Fine registration and fusion of a fixed and a coarsely registered image.

    Parameters
    ----------
    config : RFNetConfig
    """

    def __init__(self, config: RFNetConfig) -> None:
        super().__init__()
        first, width = config.fusion
        self.shallow = nn.Sequential(conv(1, first), nn.GELU())
        self.shared = nn.Sequential(conv(first, first), nn.GELU(), conv(first, width), nn.GELU())
        leave = conv(width, width)
        # Both images start with the same say: else the normalised one drowns the other.
        nn.init.zeros_(leave.weight)
        nn.init.zeros_(leave.bias)  # type: ignore[arg-type]
        self.adapt = nn.Sequential(nn.BatchNorm2d(width), conv(width, width), nn.GELU(), leave)
        self.attention = GradientAttention(width)
        self.merge = nn.Sequential(
            conv(width, width), nn.GELU(), conv(width, first), nn.GELU(), conv(first, 1)
        )
        self.deformation = DeformationBlock(config)

    def fusion_parts(self) -> list[nn.Module]:
        """Return what learns to fuse; frozen while the deformation block learns."""
        return [self.shallow, self.shared, self.adapt, self.attention, self.merge]

    def fuse(
        self,
        fixed: Tensor,
        registered: Tensor,
        field: Tensor | None = None,
        attention: Tensor | None = None,
    ) -> Tensor:
        """Fuse two luminances.

        Parameters
        ----------
        fixed, registered : Tensor of shape (B, 1, H, W)
            In [0, 1], of any size.
        field : Tensor of shape (B, 2, H, W), optional
            Bends the registered image first: (x, y) in pixels, pull.
        attention : Tensor of shape (B, C, 1, 1), optional
            What `attend` returned; by default what it would return for these images.

        Returns
        -------
        Tensor of shape (B, 1, H, W)
            In [0, 1].
        """
        one, two = self._features(fixed, registered, field)
        if attention is None:
            attention = self.attention(one, two)
        fused: Tensor = self.merge(attention * (one + two)).sigmoid()
        return fused

    def attend(
        self, fixed: Tensor, registered: Tensor, check: Callable[[], None] = lambda: None
    ) -> Tensor:
        """Return the weights (B, C, 1, 1) that these images give to the channels.

        As `fuse` finds them, in bands: memory does not grow with the rows. `check` is called
        before each, and may raise to stop.
        """
        total, largest = [], []
        for _, around, inner in bands(fixed.shape[-2], REACH):
            check()
            parts = self._features(fixed[..., around, :], registered[..., around, :], None)
            lengths = torch.stack([_gradient_length(part)[..., inner, :] for part in parts])
            total.append(lengths.sum((3, 4)))
            largest.append(lengths.amax((3, 4)))
        pixels = fixed.shape[-2] * fixed.shape[-1]
        mean = torch.stack(total).sum((0, 1)) / pixels
        return self.attention.weigh(mean, torch.stack(largest).amax(0).sum(0))

    def _features(
        self, fixed: Tensor, registered: Tensor, field: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        one, two = self.shared(self.shallow(fixed)), self.shared(self.shallow(registered))
        if field is not None:
            two = warp(two, field)
        return one, two + self.adapt(two)

    def forward(self, fixed: Tensor, registered: Tensor, agreement: Tensor) -> FineAnswer:
        """Find the field that is left between the images; sides are multiples of 4."""
        shallow = (self.shallow(fixed), self.shallow(registered))
        answer: FineAnswer = self.deformation(shallow, agreement)
        return answer
