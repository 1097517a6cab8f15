"""A step of a coarse-to-fine flow: local correlation, votes, and a learned correction (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.correlation import local_correlation, peak_vote
from napari_mmreg.nn.norm import unit_channels
from napari_mmreg.nn.sampling import gaussian_blur, warp

VOTE_SIGMA = 1.5
"""Cells over which the votes of the local correlation are averaged."""


@dataclass(slots=True)
class Increment:
    """What one scale adds to the flow.

    Attributes
    ----------
    flow : Tensor of shape (B, 2, h, w)
        The flow so far including this scale, (x, y) in cells of this scale.
    start : Tensor of shape (B, 2, h, w)
        The flow that the moving features were warped by.
    logits : Tensor of shape (B, (2 r + 1)^2, h, w)
        Local similarities over the temperature, see `local_correlation` for their order.
    features : Tensor of shape (B, hidden, h, w)
        What the increment was read from.
    """

    flow: Tensor
    start: Tensor
    logits: Tensor
    features: Tensor


class IncrementHead(nn.Module):
    """One step of a flow: warp, correlate, vote, correct.

    Parameters
    ----------
    channels : int
        Of the features.
    radius : int
        Reach of the correlation, in cells.
    hidden : int
        Channels inside.
    block : nn.Module
        What sees the votes in their surroundings: `hidden` channels to as many.
    compose : bool
        The step is taken on the warped image, so that flows compose; else they are added.
    context : int
        Channels of what else it sees.
    """

    def __init__(
        self,
        channels: int,
        radius: int,
        hidden: int,
        block: nn.Module,
        *,
        compose: bool = True,
        context: int = 0,
    ) -> None:
        super().__init__()
        self.radius, self.compose = radius, compose
        self.log_temperature = nn.Parameter(torch.tensor(-2.5))
        inputs = 2 * channels + (2 * radius + 1) ** 2 + 5 + context
        self.enter = conv(inputs, hidden)
        self.block = block
        self.last = conv(hidden, 2)
        nn.init.normal_(self.last.weight, std=1e-5)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        start: Tensor,
        mask: Tensor,
        context: Tensor | None = None,
    ) -> Increment:
        """Refine `start` (B, 2, h, w), in cells; `mask` (B, 1, h, w) is where both have data."""
        one = unit_channels(fixed)
        two = unit_channels(warp(moving, start))
        similarity = local_correlation(one, two, self.radius) * fixed.shape[1]
        logits = similarity.float() / self.log_temperature.exp()
        vote, trust = peak_vote(logits, self.radius)
        weight = trust.square() * mask + 1e-4
        agreed = gaussian_blur(vote * weight, VOTE_SIGMA) / (
            gaussian_blur(weight, VOTE_SIGMA) + 1e-3
        )
        inputs = [one, two, similarity, vote, agreed, trust]
        if context is not None:
            inputs.append(context)
        features = self.block(self.enter(torch.cat(inputs, 1)))
        step = agreed + self.last(features)
        before = warp(start, step) if self.compose else start
        return Increment(before + step, start, logits, features)
