"""Backbone and CDAP: from two images to clean shared features at five scales.

Zhang et al., Disentangle-then-Align, CVPR 2026 (arXiv 2603.19623): decompose features into
shared and private ones, gate the shared by the private across scales, project the rest on a
data-adaptive basis.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.hrnet.config import HRNetConfig
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.norm import ModalityBatchNorm2d
from napari_mmreg.nn.sampling import doubled
from napari_mmreg.nn.structure import CHANNELS

FIXED, MOVING = 0, 1


class Norm(nn.Module):
    """Batch normalisation, per modality or common."""

    def __init__(self, channels: int, config: HRNetConfig) -> None:
        super().__init__()
        self.norm = ModalityBatchNorm2d(channels, 2 if config.modality_norm else 1)
        self._per_modality = config.modality_norm

    def forward(self, features: Tensor, modality: int) -> Tensor:
        """Normalise (B, C, H, W) by the statistics of a modality."""
        normal: Tensor = self.norm(features, modality if self._per_modality else 0)
        return normal


class Residual(nn.Module):
    """A convolution with normalisation per modality, added to what goes in."""

    def __init__(self, width: int, config: HRNetConfig) -> None:
        super().__init__()
        self.stay, self.norm = conv(width, width, bias=False), Norm(width, config)

    def forward(self, features: Tensor, modality: int) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return F.relu(features + self.norm(self.stay(features), modality))


class Stage(nn.Module):
    """A convolution to the next scale and some residual ones, normalised per modality."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, blocks: int, config: HRNetConfig
    ) -> None:
        super().__init__()
        self.enter = conv(inputs, outputs, stride=stride, bias=False)
        self.norm = Norm(outputs, config)
        self.blocks = nn.ModuleList(Residual(outputs, config) for _ in range(blocks))

    def forward(self, features: Tensor, modality: int) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride)."""
        features = F.relu(self.norm(self.enter(features), modality))
        for block in self.blocks:
            features = block(features, modality)
        return features


class Backbone(nn.Module):
    """Shared convolutions over both images, and back up: each scale knows the coarser ones."""

    def __init__(self, config: HRNetConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stages = nn.ModuleList(
            Stage(before, width, 1 if level == 0 else 2, config.blocks[level], config)
            for level, (before, width) in enumerate(pairwise((CHANNELS, *widths)))
        )
        self.context = nn.ModuleList(conv(coarse, fine, 1) for fine, coarse in pairwise(widths))

    def forward(self, channels: Tensor, modality: int) -> list[Tensor]:
        """Return the features of one image, finest first."""
        pyramid = []
        for stage in self.stages:
            channels = stage(channels, modality)
            pyramid.append(channels)
        for level in reversed(range(len(pyramid) - 1)):
            context = self.context[level](pyramid[level + 1])
            pyramid[level] = pyramid[level] + doubled(context, pyramid[level].shape[-2:])
        return pyramid


class Extractor(nn.Module):
    """conv3x3, normalisation, ReLU, conv1x1."""

    def __init__(self, width: int, config: HRNetConfig) -> None:
        super().__init__()
        self.spread, self.norm = conv(width, width, bias=False), Norm(width, config)
        self.mix = conv(width, width, 1)

    def forward(self, features: Tensor, modality: int) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        mixed: Tensor = self.mix(F.relu(self.norm(self.spread(features), modality)))
        return mixed


class Gate(nn.Module):
    """ILDA: attention over channels between adjacent scales opens and closes features.

    Queries come from a scale, keys and values from its neighbours brought to its grid. The
    attention is channel by channel, so its cost is linear in pixels (our choice).
    """

    def __init__(self, width: int, around: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            conv(inputs, width, 1) for inputs in (width, around, around)
        )
        self.sharpness = nn.Parameter(torch.ones(()))
        self.open = conv(width, 2 * width, 1)
        # Features pass at the start; gating is learned.
        nn.init.zeros_(self.open.weight)
        nn.init.constant_(self.open.bias, 2.0)  # type: ignore[arg-type]
        self.private_share = nn.Parameter(torch.zeros(()))

    def forward(self, shared: Tensor, private: Tensor, around: Tensor) -> Tensor:
        """Gate (B, C, h, w) features; `around` holds the adjacent scales on this grid."""
        query = F.normalize(self.query(shared).flatten(2), dim=2)
        key = F.normalize(self.key(around).flatten(2), dim=2)
        attention = (self.sharpness * query @ key.transpose(1, 2)).softmax(2)
        mixed = (attention @ self.value(around).flatten(2)).view_as(shared)
        of_shared, of_private = self.open(mixed).sigmoid().chunk(2, 1)
        gated: Tensor = of_shared * shared - torch.tanh(self.private_share) * of_private * private
        return gated


class Projection(nn.Module):
    """DSS: features projected on a basis that is generated from the pair.

    The basis is a learned orthonormal start plus what a small network makes of both images'
    mean features, so both images share it; `basis_loss` keeps it nearly orthonormal.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.start = nn.Parameter(nn.init.orthogonal_(torch.empty(rank, width)))
        self.generate = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, rank * width)
        )
        nn.init.zeros_(cast("nn.Linear", self.generate[2]).weight)
        nn.init.zeros_(cast("nn.Linear", self.generate[2]).bias)

    def forward(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return both images' projections (B, r, h, w) and the basis (B, r, C)."""
        mean = 0.5 * (fixed.mean((2, 3)) + moving.mean((2, 3)))
        basis = self.start + self.generate(mean).view(-1, *self.start.shape)
        project = "brc,bchw->brhw"
        return (
            torch.einsum(project, basis, fixed),
            torch.einsum(project, basis, moving),
            basis,
        )


@dataclass(slots=True)
class Scale:
    """Features of one scale; (fixed, moving) each.

    Attributes
    ----------
    shared : pair of Tensor (B, r, h, w)
        Projected shared features.
    private : pair of Tensor (B, C, h, w), or None
        Private features, if they are separated.
    basis : Tensor of shape (B, r, C), or None
        What the projection used.
    """

    shared: tuple[Tensor, Tensor]
    private: tuple[Tensor, Tensor] | None
    basis: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Features of one image, finest first.

    Attributes
    ----------
    shared : list of Tensor (B, C, h, w)
        Gated by the private ones.
    private : list of Tensor (B, C, h, w)
        Empty if they are not separated.
    """

    shared: list[Tensor]
    private: list[Tensor]


class CDAP(nn.Module):
    """Cross-scale disentanglement and adaptive projection of both pyramids."""

    def __init__(self, config: HRNetConfig) -> None:
        super().__init__()
        widths, ranks = config.widths, config.ranks()
        last = len(widths) - 1
        apart = widths if config.disentangle else ()
        self.shared = nn.ModuleList(Extractor(w, config) for w in apart)
        self.private = nn.ModuleList(
            nn.ModuleList(Extractor(w, config) for w in apart) for _ in (FIXED, MOVING)
        )
        around = [
            (widths[i - 1] if i > 0 else 0) + (widths[i + 1] if i < last else 0)
            for i in range(len(widths))
        ]
        self.gates = nn.ModuleList(
            Gate(w, a)
            for w, a in zip(widths, around, strict=True)
            if config.gate and config.disentangle
        )
        self.projections = nn.ModuleList(
            Projection(w, r) for w, r in zip(widths, ranks, strict=True) if config.project
        )
        # Bring a scale's shared features to the channels of the next finer one (training).
        self.bridges = nn.ModuleList(conv(coarse, fine, 1) for fine, coarse in pairwise(ranks))

    def forward(self, fixed: Side, moving: Side) -> list[Scale]:
        """Return the features of all scales, finest first, of what `side` makes of each image."""
        shared, private = (fixed.shared, moving.shared), (fixed.private, moving.private)
        scales = []
        for level, (ours, theirs) in enumerate(zip(*shared, strict=True)):
            basis = None
            if self.projections:
                ours, theirs, basis = self.projections[level](ours, theirs)  # noqa: PLW2901
            own = (private[FIXED][level], private[MOVING][level]) if self.shared else None
            scales.append(Scale((ours, theirs), own, basis))
        return scales

    def side(self, pyramid: list[Tensor], modality: int) -> Side:
        """Return one image's gated shared features and its private ones."""
        if not self.shared:
            return Side(pyramid, [])
        own = cast("nn.ModuleList", self.private[modality])
        shared = [extract(f, modality) for extract, f in zip(self.shared, pyramid, strict=True)]
        private = [extract(f, modality) for extract, f in zip(own, pyramid, strict=True)]
        gated = [
            gate(shared[i], private[i], _neighbours(shared, i)) for i, gate in enumerate(self.gates)
        ]
        return Side(gated or shared, private)


def _neighbours(pyramid: list[Tensor], level: int) -> Tensor:
    """Return the adjacent scales on this scale's grid, side by side."""
    rows, cols = pyramid[level].shape[-2:]
    parts = []
    if level > 0:
        parts.append(F.adaptive_avg_pool2d(pyramid[level - 1], (rows, cols)))
    if level + 1 < len(pyramid):
        parts.append(doubled(pyramid[level + 1], pyramid[level].shape[-2:]))
    return torch.cat(parts, 1)
