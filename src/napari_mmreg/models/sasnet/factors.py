"""Scene, appearance, and the renderer that joins them: I = R(s, a).

Qin, SAS-Net (arXiv 2602.09050): instance normalisation takes an image's appearance away, global
average pooling takes its geometry away, adaptive instance normalisation puts any appearance on
any scene. Layouts are ours, and so are the structure channels and the stride of 8 below the scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.nn.adain import AdaIN2d, ContentBlock, StyleBlock
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.norm import unit_channels
from napari_mmreg.nn.sampling import doubled, fill_outside
from napari_mmreg.nn.structure import CHANNELS, robust_channels

QUARTER, EIGHTH = 4, 8
"""Pixels per cell of the scene and of the features below it; cell j is at pixel stride * j."""


@dataclass(slots=True)
class Scene:
    """What an image shows, whatever sensor saw it.

    Attributes
    ----------
    scene : Tensor of shape (B, C, H / 4, W / 4)
        s; each channel has mean 0 and variance 1 over the image.
    quarter, eighth : Tensor
        Of unit length, (B, M, H / 4, W / 4) and (B, D, H / 8, W / 8): what is matched.
    """

    scene: Tensor
    quarter: Tensor
    eighth: Tensor


def normalised(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution, instance normalisation and ReLU."""
    return nn.Sequential(
        conv(inputs, outputs, size, stride, bias=False), nn.InstanceNorm2d(outputs), nn.ReLU()
    )


class SceneEncoder(nn.Module):
    """E: instance normalisation after every convolution.

    What is matched and what is shown are different ends of one trunk (ours). Matching wants what
    no sensor's contrast touches, and one map of that in every channel fulfils scene consistency;
    the scene keeps grey values too, which the trunk gives up.
    """

    def __init__(self, config: SASNetConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.widths
        self.structure = config.structure
        self.stem = normalised(4 + CHANNELS * config.structure, half)
        self.quarter = nn.Sequential(
            normalised(half, quarter, stride=2),
            *(ContentBlock(quarter) for _ in range(config.blocks[0])),
        )
        self.eighth = nn.Sequential(
            normalised(quarter, eighth, stride=2),
            *(ContentBlock(eighth) for _ in range(config.blocks[1])),
        )
        self.around = conv(eighth, quarter, 1)
        self.last = nn.Sequential(conv(quarter, quarter, 1), nn.InstanceNorm2d(quarter))
        self.values = normalised(QUARTER**2, quarter)
        self.show = nn.Sequential(conv(2 * quarter, quarter), nn.InstanceNorm2d(quarter))
        self.leave_quarter = conv(quarter, config.matched, 1)
        self.leave_eighth = conv(eighth, eighth, 1)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Scene:
        """Describe an image.

        Parameters
        ----------
        image : Tensor of shape (B, 1, H, W)
            Grey values in [0, 1]; sides are multiples of 8.
        mask : Tensor of shape (B, 1, H, W), optional
            Where it has data.
        """
        filled = 2 * fill_outside(image, mask) - 1
        inputs = F.pixel_unshuffle(filled, 2)
        if self.structure:
            inputs = torch.cat([inputs, robust_channels(image, mask)], 1)
        quarter = self.quarter(self.stem(inputs))
        eighth = self.eighth(quarter)
        # Fine cells know what coarse ones know of their surroundings.
        trunk = F.relu(quarter + doubled(self.around(eighth), quarter.shape[-2:]))
        values = self.values(F.pixel_unshuffle(filled, QUARTER))
        return Scene(
            self.show(torch.cat([trunk, values], 1)),
            unit_channels(self.leave_quarter(self.last(trunk)).float()),
            unit_channels(self.leave_eighth(eighth).float()),
        )


class AppearanceEncoder(nn.Module):
    """a = A(I): pooled over the whole image, it cannot know where anything is."""

    def __init__(self, config: SASNetConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.appearance
        self.body = nn.Sequential(
            conv(4, half),
            nn.ReLU(),
            conv(half, quarter, stride=2),
            nn.ReLU(),
            conv(quarter, eighth, stride=2),
            nn.ReLU(),
        )
        self.code = nn.Sequential(nn.Linear(eighth, config.code), nn.ReLU())

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the code (B, code) of images (B, 1, H, W), of their data alone."""
        features = self.body(2 * F.pixel_unshuffle(fill_outside(image, mask), 2) - 1)
        if mask is None:
            pooled = features.mean((2, 3))
        else:
            weight = mask[..., ::EIGHTH, ::EIGHTH].to(features)
            pooled = (features * weight).sum((2, 3)) / weight.sum((2, 3)).clamp_min(1.0)
        code: Tensor = self.code(pooled)
        return code


class Painting(NamedTuple):
    """What the renderer makes of a scene.

    Attributes
    ----------
    picture : Tensor of shape (B, 1, H, W)
        In [0, 1].
    channels : Tensor of shape (B, M, H, W)
        What an appearance known from registration is mixed of, see `nn.mixing`.
    """

    picture: Tensor
    channels: Tensor


class Renderer(nn.Module):
    """R: a scene in an appearance, by adaptive instance normalisation.

    A pooled code says what a sensor's images look like, not what this one makes of a thing that
    it shows: whether roofs are brighter than trees to it. So the renderer also hands out channels
    (ours), of which that is mixed by least squares once it is known which pixels match.
    """

    def __init__(self, config: SASNetConfig) -> None:
        super().__init__()
        half, quarter = config.rendered, config.widths[1]
        self.enter = AdaIN2d(quarter, config.code)
        self.blocks = nn.ModuleList(
            StyleBlock(quarter, config.code) for _ in range(config.render_blocks)
        )
        self.widen = conv(quarter, 4 * half)
        # Before the shuffle: offsets between its phases would pass for contrast.
        self.norm = AdaIN2d(4 * half, config.code)
        self.last = conv(half, 4 * (1 + config.mixed))

    def forward(self, scene: Tensor, appearance: Tensor) -> Painting:
        """Paint a scene (B, C, H / 4, W / 4)."""
        scene = self.enter(scene, appearance)
        for block in self.blocks:
            scene = block(scene, appearance)
        half = F.relu(F.pixel_shuffle(self.norm(self.widen(scene), appearance), 2))
        full = F.pixel_shuffle(self.last(half), 2)
        return Painting(full[:, :1].sigmoid(), full[:, 1:].tanh())
