"""Where each cell of the fixed image is found again nearby, and how surely in which direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mmreg.alignment.elastic.config import ElasticConfig
from napari_mmreg.alignment.elastic.encoder import Block, quiet
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.correlation import local_correlation

_LEAST_VARIANCE = 0.05
"""Of a vote, in squared cells: none is surer than about a quarter of a cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Displacements that local matching asks for.

    Attributes
    ----------
    logits : Tensor of shape (B, (2 r + 1)^2, h, w)
        Order as of `local_correlation`.
    step : Tensor of shape (B, h, w, 2)
        The expected displacement, (x, y) in cells.
    precision : Tensor of shape (B, 3, h, w)
        Inverse of its covariance: xx, xy, yy.
    gain : Tensor of shape (B, h, w)
        How much matching has learned here, in [0, 1]: 0 where every displacement of the window
        is as likely as any other, times a learned confidence.
    log_spread : Tensor of shape (B, h, w)
        Logarithm of the covariance's determinant.
    """

    logits: Tensor
    step: Tensor
    precision: Tensor
    gain: Tensor
    log_spread: Tensor


class Matcher(nn.Module):
    """Correlates in a window and reads a Gaussian off what a few convolutions make of it."""

    offsets: Tensor

    def __init__(self, config: ElasticConfig) -> None:
        super().__init__()
        self.radius = config.radius
        steps = torch.arange(-config.radius, config.radius + 1).float()
        dy, dx = torch.meshgrid(steps, steps, indexing="ij")
        self.register_buffer("offsets", torch.stack([dx.flatten(), dy.flatten()], -1))
        count, hidden = len(self.offsets), config.hidden
        self.scale = float(config.matched)  # correlations are means over channels
        self.sharpness = nn.Parameter(torch.tensor(math.log(12.0)))
        self.body = nn.Sequential(
            conv(count + 2 * config.context, hidden),
            nn.ReLU(),
            conv(hidden, hidden),
            nn.ReLU(),
            Block(hidden),
        )
        self.head = quiet(nn.Conv2d(hidden, count + 1, 1))

    def forward(
        self, fixed: Tensor, moving: Tensor, fixed_context: Tensor, moving_context: Tensor
    ) -> Votes:
        """Match the cells of two feature maps (B, D, h, w) near themselves."""
        cosine = self.scale * local_correlation(fixed, moving, self.radius)
        found = self.head(self.body(torch.cat([cosine, fixed_context, moving_context], 1)))
        logits = cosine * self.sharpness.exp() + found[:, :-1]
        probability = logits.softmax(1)
        step = torch.einsum("bkhw,kc->bhwc", probability, self.offsets)
        away = self.offsets[None, :, None, None, :] - step[:, None]
        xx = (probability * away[..., 0].square()).sum(1) + _LEAST_VARIANCE
        yy = (probability * away[..., 1].square()).sum(1) + _LEAST_VARIANCE
        xy = (probability * away[..., 0] * away[..., 1]).sum(1)
        determinant = (xx * yy - xy.square()).clamp_min(1e-6)
        uniform = self.radius * (self.radius + 1) / 3  # variance where nothing is known
        known = (1 - determinant.sqrt() / uniform).clamp_min(0)
        return Votes(
            logits,
            step,
            torch.stack([yy, -xy, xx], 1) / determinant[:, None],
            found[:, -1].sigmoid() * known,
            determinant.log(),
        )
