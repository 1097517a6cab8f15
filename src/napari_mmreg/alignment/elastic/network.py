"""The network of the elastic stage: how a nearly aligned pair still has to bend, and how surely.

Ours, no paper's. Two ways of measuring feed one kind of normal equations:

1. At stride 4, cells of the fixed image are matched in a window of the moving one. A few
   convolutions turn correlations into a distribution over displacements, taught by
   cross-entropy: where nothing can be told it is broad. Its Gaussian is the vote of the cell, and
   the field is the smooth one closest to all votes. Repeated around the field found.
2. At strides 4 and 2, learned channels are followed along their gradients, each cell weighted by
   a confidence that is read off both images under the field found so far.

Smoothness is absolute, not relative to the data's curvature: without confidence nothing moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.alignment.bspline import ControlGrid, control_grid
from napari_mmreg.alignment.elastic.config import ElasticConfig
from napari_mmreg.alignment.elastic.encoder import Encoded, Encoder, ImageChannels, quiet
from napari_mmreg.alignment.elastic.matcher import Matcher, Votes
from napari_mmreg.alignment.elastic.solver import (
    fit_votes,
    follow_gradients,
    linearise,
    robust_weight,
)
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.sampling import pixel_grid, sample, upsample_flow

COARSE, FINE = 4, 2
"""Strides."""

SOLVES = 2
"""Fits to one set of votes; the second one trusts contradicted votes less."""

ROBUST = 0.05
VOTE_RIDGE, STEP_RIDGE = 1e-2, 3e-3
HEAD_WIDTH = 32


@dataclass(frozen=True, slots=True, eq=False)
class ElasticStep:
    """One estimate on the way.

    Attributes
    ----------
    stride : int
        Pixels a cell.
    field : Tensor of shape (B, h, w, 2)
        *Convention*: (x, y) in cells, cell j at pixel ``stride * j``, fixed to moving (pull).
    votes : Votes or None
        Votes that it was fitted to, if it was.
    before : Tensor of shape (B, h, w, 2)
        The field around which these were looked for.
    """

    stride: int
    field: Tensor
    votes: Votes | None
    before: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ElasticOutput:
    """What the stage finds.

    Attributes
    ----------
    steps : tuple of ElasticStep
        The last one is the answer.
    log_error : Tensor of shape (B, 1, h, w)
        Logarithm of the expected error in pixels, at stride 4.
    """

    steps: tuple[ElasticStep, ...]
    log_error: Tensor

    def flow(self, shape: tuple[int, int]) -> Tensor:
        """Return the answer for every pixel of (H, W): (B, 2, H, W), (x, y) in px."""
        last = self.steps[-1]
        return upsample_flow(last.field.permute(0, 3, 1, 2), shape, last.stride)


class ElasticNetwork(nn.Module):
    """Bends a moving image, warped by a global alignment, onto the fixed one.

    Parameters
    ----------
    config : ElasticConfig
    """

    def __init__(self, config: ElasticConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.matcher = Encoder(config), Matcher(config)
        context = config.context
        # Logarithms of the stiffness against bending and against any change, absolute.
        self.vote_stiffness = nn.Parameter(torch.tensor([1.0, -1.0]))
        self.step_stiffness = nn.Parameter(torch.tensor([[-2.0, -3.2], [-1.5, -2.8]]))
        self.vote_weight = nn.Parameter(torch.tensor(-1.0))
        self.vote_softness = nn.Parameter(torch.tensor(1.0))
        # What both images look like as a whole changes the stiffness of this pair.
        self.pair_stiffness = nn.ModuleList([_silent(4 * context + 2, 2) for _ in range(2)])
        self.confidence = nn.ModuleList([_head(2 * context + 4) for _ in range(2)])
        self.error = _head(2 * context + 5)

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> ElasticNetwork:
        """Build from the constructor's arguments in ``config.json``."""
        return cls(ElasticConfig.from_json(settings))

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor,
        moving_mask: Tensor,
        check: Callable[[], None] = lambda: None,
        encoded: Encoded | None = None,
        encoded_moving: Encoded | None = None,
    ) -> ElasticOutput:
        """Estimate what is left of a misalignment.

        Parameters
        ----------
        fixed, moving : Tensor of shape (B, 1, H, W)
            Grey values in [0, 1]; `moving` on the fixed grid, warped by what is known already.
        fixed_mask, moving_mask : Tensor of shape (B, 1, H, W)
            1 where there is data.
        check : callable
            Called now and then; raises to cancel.
        encoded : Encoded, optional
            What the encoder has made of the fixed images before.
        encoded_moving : Encoded, optional
            And of the moving ones; only read together with `encoded`.
        """
        masks = fixed_mask, moving_mask
        if encoded is None:
            both = self.encoder(torch.cat([fixed, moving]), torch.cat(masks))
            pair = both.split(len(fixed))
        else:
            pair = encoded, encoded_moving or self.encoder(moving, moving_mask)
        steps, pooled = self._vote(pair, masks, check)
        votes = steps[-1].votes
        assert votes is not None  # noqa: S101  # for the type checker
        gain, spread = votes.gain[:, None], votes.log_spread[:, None]
        field, parts = steps[-1].field, gain
        for index, stride in ((1, COARSE), (0, FINE)):
            sides = pair[0].channels[index], pair[1].channels[index]
            size = sides[0].context.shape[-2:]
            if stride == FINE:
                gain, spread = _resize(gain, size), _resize(spread, size)
                field = upsample_flow(field.permute(0, 3, 1, 2), size, 2).permute(0, 2, 3, 1)
            seen = gain, spread
            new, parts = self._follow(index, stride, sides, masks, field, seen, pooled, check)
            steps += [ElasticStep(stride, found, None, field) for found in new]
            field = new[-1]
        log_error = self.error(F.avg_pool2d(parts.detach(), 2, ceil_mode=True))
        return ElasticOutput(tuple(steps), log_error)

    def _grid(self, index: int, stride: int, like: Tensor) -> ControlGrid:
        rows, cols = like.shape[-2:]
        return control_grid(rows, cols, self.config.spacing[index] / stride, like)

    def _penalty(self, grid: ControlGrid, stiffness: Tensor, of_pair: Tensor) -> Tensor:
        """Return the penalty (B, n, n) of bending and of any change of the control points."""
        bending, membrane = (stiffness + of_pair).exp().unbind(1)
        rough = bending[:, None, None] * grid.roughness(2)
        return rough + membrane[:, None, None] * grid.roughness(1)

    def _vote(
        self,
        pair: tuple[Encoded, Encoded],
        masks: tuple[Tensor, Tensor],
        check: Callable[[], None],
    ) -> tuple[list[ElasticStep], Tensor]:
        """Match, fit a field, and match again around it."""
        fixed, moving = (side.matched for side in pair)
        context, moving_context = (side.channels[1].context for side in pair)
        known, moving_known = (mask[..., ::COARSE, ::COARSE] for mask in masks)
        base = pixel_grid(fixed.shape[-2], fixed.shape[-1], fixed)[None]
        grid = self._grid(1, COARSE, fixed)
        field = torch.zeros_like(base).expand(len(fixed), -1, -1, -1)
        steps: list[ElasticStep] = []
        for look in range(self.config.looks):
            check()
            warped = sample(moving, base + field)
            warped_context = sample(moving_context, base + field)
            votes = self.matcher(fixed, warped, context, warped_context)
            # A step leads to a cell of the warped image, and the field there further on.
            beyond = sample(field.permute(0, 3, 1, 2), base + votes.step).permute(0, 2, 3, 1)
            target = votes.step + beyond
            seen = known[:, 0] * sample(moving_known, base + target, padding="zeros")[:, 0]
            trust = votes.gain * seen
            pooled = _pooled(context, warped_context, trust, votes.log_spread)
            penalty = self._penalty(grid, self.vote_stiffness, self.pair_stiffness[1](pooled))
            precision = votes.precision * trust[:, None]
            before = field
            for solve in range(SOLVES):
                weight = precision * self.vote_weight.exp()
                if look or solve:
                    softness = self.vote_softness.exp()
                    weight = weight * robust_weight(field, target, precision, softness)[:, None]
                field = fit_votes(grid, target, weight, penalty, VOTE_RIDGE)
            steps.append(ElasticStep(COARSE, field, votes, before))
        return steps, pooled

    def _follow(
        self,
        index: int,
        stride: int,
        sides: tuple[ImageChannels, ImageChannels],
        masks: tuple[Tensor, Tensor],
        field: Tensor,
        votes_seen: tuple[Tensor, Tensor],
        pooled: Tensor,
        check: Callable[[], None],
    ) -> tuple[list[Tensor], Tensor]:
        """Follow gradients at one stride; return the fields and what the error is read from."""
        (fixed, moving), (gain, spread) = sides, votes_seen
        known, moving_known = (mask[..., ::stride, ::stride] for mask in masks)
        where = pixel_grid(field.shape[1], field.shape[2], field)[None] + field
        context = sample(moving.context, where)
        apart = (sample(moving.followed, where) - fixed.followed).square().sum(1, keepdim=True)
        strength = fixed.followed.square().sum(1, keepdim=True)
        seen = [fixed.context, context, (apart + 1e-3).log(), (strength + 1e-4).log(), gain, spread]
        confidence = self.confidence[index](torch.cat(seen, 1))[:, 0].sigmoid() * known[:, 0]
        grid = self._grid(index, stride, fixed.followed)
        of_pair = self.pair_stiffness[0](pooled)
        fields, difference, weight = follow_gradients(
            grid,
            linearise(fixed.followed),
            moving.followed,
            moving_known,
            confidence,
            field,
            self._penalty(grid, self.step_stiffness[index], of_pair),
            steps=self.config.steps[index],
            robust=ROBUST,
            ridge=STEP_RIDGE,
            check=check,
        )
        moved = fields[-1].norm(dim=-1)
        numbers = [spread[:, 0], confidence, (difference + 1e-3).log(), weight, moved]
        return fields, torch.cat([fixed.context, context, torch.stack(numbers, 1)], 1)


def _head(inputs: int) -> nn.Sequential:
    first, second = conv(inputs, HEAD_WIDTH), conv(HEAD_WIDTH, HEAD_WIDTH)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), quiet(conv(HEAD_WIDTH, 1)))


def _silent(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _pooled(fixed: Tensor, moving: Tensor, trust: Tensor, log_spread: Tensor) -> Tensor:
    """Describe a pair as a whole: means and spreads of its contexts, and of its votes."""
    parts = [f(context) for f in (_mean, _deviation) for context in (fixed, moving)]
    votes = torch.stack([trust.mean((1, 2)), log_spread.mean((1, 2))], 1)
    return torch.cat([*parts, votes], 1)


def _mean(maps: Tensor) -> Tensor:
    return maps.mean((2, 3))


def _deviation(maps: Tensor) -> Tensor:
    return maps.std((2, 3))


def _resize(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
