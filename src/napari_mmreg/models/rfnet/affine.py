"""AffineNet: the affine map between two images of one look.

Xu et al., RFNet (CVPR 2022), section 3.1.2: deformable convolutions, pooling, six numbers. That
is ``head="regression"``. Ours is ``head="correlation"``: the same encoder describes each image by
itself, cells are matched all to all at stride 8, again near the first answer at stride 4, and a
robust fit gives the affine; a few hundred steps of training suffice where pooled features stay
near zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.correlation import local_correlation, peak_vote
from napari_mmreg.nn.deform import DeformConv2d
from napari_mmreg.nn.global_affine import (
    affine_flow,
    cell_affine_to_pixels,
    frame_affine,
    matched_affine,
    overlap,
)
from napari_mmreg.nn.matching import robust_affine
from napari_mmreg.nn.norm import LayerNorm2d, unit_channels
from napari_mmreg.nn.sampling import pixel_grid, sample, warp
from napari_mmreg.nn.structure import CHANNELS, robust_channels

QUARTER, EIGHTH = 4, 8
"""Pixels per cell of the features; cell j is at pixel stride * j."""

RADIUS = 3
"""Reach of the second matching, in cells of stride 4."""

MATCHED = 32
"""Channels that the second matching compares."""


@dataclass(slots=True)
class AffineAnswer:
    """What AffineNet found.

    Attributes
    ----------
    affine : Tensor of shape (B, 2, 3)
        On (x, y, 1), fixed to moving pixels.
    quarter, eighth : pair of Tensor
        Features of unit length, fixed and moving, (B, C, H / 4, W / 4) and (B, D, H / 8, W / 8).
    start : Tensor of shape (B, 2, H / 4, W / 4), or None
        The flow of the first answer in cells, by which the moving features were warped before
        the second matching; None for the regression.
    logits : Tensor of shape (B, 49, H / 4, W / 4), or None
        The second matching's similarities, see `local_correlation`.
    """

    affine: Tensor
    quarter: tuple[Tensor, Tensor]
    eighth: tuple[Tensor, Tensor]
    start: Tensor | None = None
    logits: Tensor | None = None


class SampledBlock(nn.Module):
    """A residual block whose first convolution may look where its input tells it to."""

    def __init__(self, channels: int, *, deformable: bool) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.first = DeformConv2d(channels, channels) if deformable else conv(channels, channels)
        self.second = conv(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        mixed: Tensor = features + self.second(F.gelu(self.first(self.norm(features))))
        return mixed


class Encoder(nn.Module):
    """Describe an image at strides 4 and 8."""

    def __init__(self, config: RFNetConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.widths
        self.structure = config.structure
        self.stem = nn.Sequential(
            conv(4 + CHANNELS * config.structure, half), nn.GELU(), conv(half, half)
        )
        self.to_quarter = nn.Sequential(LayerNorm2d(half), conv(half, quarter, stride=2))
        self.at_quarter = nn.Sequential(
            SampledBlock(quarter, deformable=False), SampledBlock(quarter, deformable=False)
        )
        self.to_eighth = nn.Sequential(LayerNorm2d(quarter), conv(quarter, eighth, stride=2))
        self.at_eighth = nn.Sequential(
            SampledBlock(eighth, deformable=config.deformable),
            SampledBlock(eighth, deformable=config.deformable),
            SampledBlock(eighth, deformable=False),
        )
        self.leave_quarter = conv(quarter + eighth, MATCHED, 1)
        self.leave_eighth = conv(eighth, eighth, 1)

    def forward(
        self, shown: Tensor, original: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return features of unit length at strides 4 and 8.

        Parameters
        ----------
        shown, original : Tensor of shape (B, 1, H, W)
            The image in the common look, and as it is.
        mask : Tensor of shape (B, 1, H, W), optional
        """
        inputs = 2 * F.pixel_unshuffle(shown, 2) - 1
        if self.structure:
            inputs = torch.cat([inputs, robust_channels(original, mask)], 1)
        quarter = self.at_quarter(self.to_quarter(self.stem(inputs)))
        eighth = self.at_eighth(self.to_eighth(quarter))
        # Fine cells know what coarse ones know of their surroundings.
        rows, cols = quarter.shape[-2:]
        grid = (pixel_grid(rows, cols, eighth) / 2).expand(len(eighth), -1, -1, -1)
        around = sample(eighth, grid)
        fine = self.leave_quarter(torch.cat([quarter, around], 1))
        return unit_channels(fine.float()), unit_channels(self.leave_eighth(eighth).float())


class Regression(nn.Module):
    """The paper's head: convolutions on both images' features, pooling, six numbers."""

    def __init__(self, channels: int, *, deformable: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(2 * channels, channels, stride=2),
            SampledBlock(channels, deformable=deformable),
            SampledBlock(channels, deformable=deformable),
        )
        self.last = nn.Linear(channels, 6)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, fixed: Tensor, moving: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (B, 2, 3) on (x, y, 1) in pixels of a frame of `size` rows and columns."""
        pooled = self.body(torch.cat([fixed, moving], 1)).mean((2, 3))
        return frame_affine(self.last(pooled).view(-1, 2, 3), size)


class AffineNet(nn.Module):
    """From two images in one look to the affine between them.

    Parameters
    ----------
    config : RFNetConfig
    """

    def __init__(self, config: RFNetConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.regression = (
            Regression(config.widths[-1], deformable=config.deformable)
            if config.head == "regression"
            else None
        )
        self.log_temperatures = nn.Parameter(torch.tensor([-2.5, -2.5]))

    def forward(
        self,
        shown: tuple[Tensor, Tensor],
        originals: tuple[Tensor, Tensor],
        masks: tuple[Tensor | None, Tensor | None],
        taught: Tensor | None = None,
        before: AffineAnswer | None = None,
    ) -> AffineAnswer:
        """Register a batch.

        Parameters
        ----------
        shown, originals : pair of Tensor (B, 1, H, W)
            Fixed and moving image in one look, and as they are; sides are multiples of 8.
        masks : pair of Tensor (B, 1, H, W) or None
        taught : Tensor of shape (B, 2, 3), optional
            Replaces the first answer for the second matching, in pixels (training).
        before : AffineAnswer, optional
            To the same fixed images: their features are taken from it.
        """
        if before is None:
            fixed = self.encoder(shown[0], originals[0], masks[0])
        else:
            fixed = before.quarter[0], before.eighth[0]
        moving = self.encoder(shown[1], originals[1], masks[1])
        quarter, eighth = (fixed[0], moving[0]), (fixed[1], moving[1])
        if self.regression is not None:
            size = (shown[0].shape[-2], shown[0].shape[-1])
            return AffineAnswer(self.regression(*eighth, size), quarter, eighth)
        coarse, fine = self.log_temperatures.exp().unbind()
        known = None if masks[0] is None else masks[0][..., ::EIGHTH, ::EIGHTH].to(fixed[1])
        if taught is None:
            first, _ = matched_affine(*eighth, coarse, known)
            taught = cell_affine_to_pixels(first.detach(), EIGHTH)
        rows, cols = quarter[0].shape[-2:]
        start = affine_flow(taught, rows, cols, QUARTER)
        logits = match_near(*quarter, start, RADIUS, fine)
        vote, trust = peak_vote(logits, RADIUS)
        weight = trust.square() * overlap(start, masks, QUARTER)
        refined = _refit(start, vote, weight)
        affine = cell_affine_to_pixels(refined, QUARTER)
        return AffineAnswer(affine, quarter, eighth, start, logits)


def match_near(
    fixed: Tensor, moving: Tensor, start: Tensor, radius: int, temperature: Tensor
) -> Tensor:
    """Compare unit features with those near where a flow in cells points: logits."""
    similarity = local_correlation(fixed, warp(moving, start), radius) * fixed.shape[1]
    return similarity / temperature


def _refit(start: Tensor, vote: Tensor, weight: Tensor) -> Tensor:
    """Return the affine (B, 2, 3), in cells, that most cells obey after their votes."""
    rows, cols = vote.shape[-2:]
    grid = pixel_grid(rows, cols, vote).permute(2, 0, 1)
    # The warped image shows at p + vote what start points at from there.
    places = grid + vote + warp(start, vote)
    points = grid.expand_as(places)
    return robust_affine(
        points.flatten(2).transpose(1, 2), places.flatten(2).transpose(1, 2), weight.flatten(1)
    )
