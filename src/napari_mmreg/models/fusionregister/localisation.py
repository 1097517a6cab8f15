"""Misregistration localisation: field and gate, scale by scale from coarse to fine.

Ours for the small size: at each scale the moving features are warped by the field so far, compared
with the fixed ones nearby, and what the comparison adds is added to the field, as far as it is
trusted; features of the fused image, as it is and as the field moves it, join in. Where it is not
trusted, the field is the affine that most of the coarser comparisons obey: mild misalignment is
nearly affine, and pairs that are aligned stay so. Each scale adds to the gate's logit, too. The
paper's own localisation is in `paper`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.features import (
    Block,
    FusedEncoder,
    Scales,
    SourceEncoder,
)
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.correlation import peak_vote
from napari_mmreg.nn.global_affine import affine_flow, overlap
from napari_mmreg.nn.increment import Increment, IncrementHead
from napari_mmreg.nn.matching import robust_affine
from napari_mmreg.nn.sampling import doubled, pixel_grid, upsample_flow, warp

Masks = tuple[Tensor | None, Tensor | None]

QUARTER = 4
"""Stride at which the field is judged; from here on upwards affines are fitted."""

VOTERS = 64
"""At most so many cells along a side take part in the fit."""


@dataclass(slots=True)
class Localisation:
    """Where things are displaced, and by how much.

    Attributes
    ----------
    flow : Tensor of shape (B, 2, H, W)
        phi, (x, y) in pixels.
    gate : Tensor of shape (B, 1, H, W)
        M.
    log_scale : Tensor of shape (B, 1, H / 4, W / 4)
        Logarithm of the expected length of the error of phi, in pixels.
    misregistered : Tensor of shape (B, 1, H / 4, W / 4)
        Log-odds that the pair was displaced by more than `THRESHOLD`, before correction.
    steps : dict of int to Increment
        What each scale compared, by stride; empty for the paper's localisation.
    flows : dict of int to Tensor (B, 2, H / s, W / s)
        The field after each scale, in its cells, by stride.
    coarse : pair of Tensor, or None
        Fixed and moving features of unit length at stride 8.
    detail : tuple of three Tensor (B, C, H, W), or None
        Features at full resolution, if it has some: of the fused image, corrected, of the fixed
        one, and of the moving one, warped.
    """

    flow: Tensor
    gate: Tensor
    log_scale: Tensor
    misregistered: Tensor
    steps: dict[int, Increment]
    flows: dict[int, Tensor]
    coarse: tuple[Tensor, Tensor] | None = None
    detail: tuple[Tensor, Tensor, Tensor] | None = None


THRESHOLD = 2.0
"""Pixels at 256-px scale from which on a pixel counts as misregistered, as in certificates."""


class Judge(nn.Module):
    """Expected error of the field, and the probability that the pair was displaced (ours).

    Both learn from detached features, and touch nothing of what they judge. The probability knows
    the length of phi and its expected error in units of the threshold: the paper's M is a
    direction, and says nothing of the kind.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.error = nn.Sequential(conv(channels, 16), nn.GELU(), conv(16, 1))
        self.displaced = nn.Sequential(conv(channels + 3, 16), nn.GELU(), conv(16, 1))

    def forward(self, features: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-scale and log-odds.

        Parameters
        ----------
        features : Tensor of shape (B, C, H / 4, W / 4)
        flow : Tensor of shape (B, 2, H, W)
            In pixels; the longer side says what a pixel is at 256-px scale.
        """
        features, flow = features.detach(), flow.detach()
        log_scale = self.error(features).clamp(-4.0, 5.0)
        unit = THRESHOLD * max(flow.shape[-2:]) / 256
        length = (flow[..., ::QUARTER, ::QUARTER] / unit).norm(dim=1, keepdim=True)
        scale = log_scale.detach().exp() / unit
        # How many expected errors the length lies above the threshold is most of the answer.
        surplus = ((length - 1) / (scale + 0.05)).clamp(-10, 10)
        seen = [features, surplus, length.log1p(), scale.log1p()]
        return log_scale, self.displaced(torch.cat(seen, 1))


class Level(nn.Module):
    """One scale of the localisation."""

    def __init__(self, config: FusionRegisterConfig, stride: int, radius: int) -> None:
        super().__init__()
        hidden, fused = config.hidden, config.fused
        matched = config.matched[(2, 4, 8).index(stride)]
        self.step = IncrementHead(matched, radius, hidden, Block(hidden), context=2 * fused)
        self.trust = conv(hidden + 1, 1)
        self.gate = nn.Sequential(
            conv(hidden + 2 * fused + 3 * matched, hidden), nn.GELU(), conv(hidden, 1)
        )
        for last in (self.trust, self.gate[-1]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(
        self,
        sources: tuple[Tensor, Tensor],
        fused: Tensor,
        start: Tensor,
        mask: Tensor,
        *,
        refit: bool,
        hold: bool,
    ) -> tuple[Increment, Tensor, Tensor]:
        """Return what was compared, the field after this scale, and what it adds to the gate.

        Parameters
        ----------
        sources : pair of Tensor (B, C, h, w)
            Features of the fixed and of the moving image.
        fused : Tensor of shape (B, F, h, w)
        start : Tensor of shape (B, 2, h, w)
            The field before, in cells.
        mask : Tensor of shape (B, 1, h, w)
            Where both images have data.
        refit : bool
            The field without trust is the affine that most cells obey, instead of `start`.
        hold : bool
            The field stays as it starts.
        """
        fixed, moving = sources
        seen = torch.cat([fused, warp(fused, start)], 1)
        step: Increment = self.step(fixed, moving, start, mask, seen)
        flow = start if hold else self._moved(step, agreed_affine(step, mask) if refit else start)
        # The fused image shows the fixed content here, the moving one where the field points.
        there = flow.detach()
        parts = [step.features, fused, warp(fused, there), fixed, moving, warp(moving, there)]
        return step, flow, self.gate(torch.cat(parts, 1))

    def _moved(self, step: Increment, base: Tensor) -> Tensor:
        """Return the field after the step, as far as it is trusted against another one."""
        rest = step.flow - base
        # What lies far from its surroundings is more likely wrong than bent.
        apart = rest.detach().square().sum(1, keepdim=True).log1p()
        trusted: Tensor = self.trust(torch.cat([step.features, apart], 1)).sigmoid()
        return base + trusted * rest


def agreed_affine(step: Increment, mask: Tensor) -> Tensor:
    """Return the flow (B, 2, h, w) of the affine that most cells obey, without a gradient."""
    logits, start = step.logits.detach(), step.start
    vote, trust = peak_vote(logits, round(logits.shape[1] ** 0.5) // 2)
    rows, cols = vote.shape[-2:]
    grid = pixel_grid(rows, cols, vote).permute(2, 0, 1)
    # The warped image shows at p + vote what start points at from there.
    places = grid + vote + warp(start, vote)
    every = -(-max(rows, cols) // VOTERS)
    points, places, weight = (
        part[..., ::every, ::every].flatten(2).transpose(1, 2)
        for part in (grid.expand_as(places), places, trust.square() * mask)
    )
    return affine_flow(robust_affine(points, places, weight[..., 0]), rows, cols, 1)


class MatchingLocalisation(nn.Module):
    """Localisation by local correlations of source features.

    Parameters
    ----------
    config : FusionRegisterConfig
    """

    def __init__(self, config: FusionRegisterConfig) -> None:
        super().__init__()
        self.strides = config.strides
        self.sources = SourceEncoder(config)
        self.fused = FusedEncoder(config.fused)
        self.levels = nn.ModuleList(
            Level(config, stride, radius)
            for stride, radius in zip(config.strides, config.radii, strict=True)
        )
        self.judge = Judge(config.hidden)
        self.log_temperature = nn.Parameter(torch.tensor(-2.5))

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fused: Tensor,
        masks: Masks,
        start: Tensor | None,
        *,
        hold: bool = False,
    ) -> Localisation:
        """Localise; `start` (B, 2, H, W) is in pixels, and sides are multiples of 8.

        A start that is given is taken for nearly right: no affine is looked for. With `hold` it
        is taken for right: only the gate is looked for, and the errors are judged.
        """
        one: Scales = self.sources(fixed, masks[0])
        other: Scales = self.sources(moving, masks[1])
        prior: Scales = self.fused(fused)
        stride = self.strides[0]
        if start is None:
            flow = fixed.new_zeros(len(fixed), 2, *one[stride].shape[-2:])
        else:
            flow = start[..., ::stride, ::stride] / stride
        logit = flow.new_zeros(len(flow), 1, *flow.shape[-2:])
        steps: dict[int, Increment] = {}
        flows: dict[int, Tensor] = {}
        for stride, level in zip(self.strides, self.levels, strict=True):
            shape = one[stride].shape[-2:]
            if steps:
                # Each scale answers for itself: gradients stop between them.
                flow = upsample_flow(flow.detach(), (shape[0], shape[1]))
                if hold and start is not None:
                    flow = start[..., ::stride, ::stride] / stride
                logit = doubled(logit, shape)
            steps[stride], flow, more = level(
                (one[stride], other[stride]),
                prior[stride],
                flow,
                overlap(flow, masks, stride),
                refit=stride >= QUARTER and start is None,
                hold=hold,
            )
            flows[stride] = flow
            logit = logit + more
        size = (fixed.shape[-2], fixed.shape[-1])
        phi = start if hold and start is not None else upsample_flow(flow, size, stride)
        skip = max(QUARTER // stride, 1)
        features = steps[stride].features[..., ::skip, ::skip]
        log_scale, misregistered = self.judge(features, phi)
        gate = F.interpolate(logit, size=size, mode="bilinear", align_corners=False).sigmoid()
        return Localisation(phi, gate, log_scale, misregistered, steps, flows, (one[8], other[8]))
