"""RegNetMamba-2's losses: coarse focal, fine matching, sub-pixel error.

The paper's text on its losses was not available; the kinds are those of its relatives (LoFTR,
arXiv 2104.00680, and successors), their exact form is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_mmreg.models.regnetmamba2.network import COARSE, FINE, Features
from napari_mmreg.nn.correlation import all_pairs_correlation
from napari_mmreg.nn.matching import subpixel_peak, window_logits
from napari_mmreg.training.batches import TrainingBatch
from napari_mmreg.training.losses import matching_targets, window_loss

POINTS = 384
"""Fixed pixels of each pair that are matched finely."""

RADIUS = 4
"""Reach of the fine windows in training, in cells of 2 px."""

JITTER = 2.5
"""Largest distance of a window's centre from the true place, in cells."""

GAMMA = 1.0
"""Focal exponent: how fast a match that is already likely stops counting."""

CLIP = 4.0
"""Pixels above which the sub-pixel error does not grow: that is a wrong match, not a bad one."""


def coarse_loss(features: Features, batch: TrainingBatch, temperature: Tensor) -> Tensor:
    """Focal cross-entropy of the dual softmax over all pairs of cells, bilinear targets.

    Each fixed cell's probability, times that of its place seen from the moving image, should
    be high; pairs that are likely already count less.
    """
    fixed, moving = features.coarse
    index, weight = matching_targets(
        batch.flow, batch.valid, (fixed.shape[-2], fixed.shape[-1]), COARSE, 0.0
    )
    similarity = all_pairs_correlation(fixed, moving) * fixed.shape[1] / temperature
    picked = similarity.gather(2, index)
    columns = similarity.logsumexp(1).gather(1, index.flatten(1)).view_as(picked)
    log_probability = 2 * picked - similarity.logsumexp(2, keepdim=True) - columns
    focus = (1 - log_probability.detach().exp()).clamp_min(0) ** GAMMA
    return -0.5 * (weight * focus * log_probability).sum() / weight.sum().clamp_min(1.0)


def fine_losses(
    features: Features, batch: TrainingBatch, temperature: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy inside windows near the truth at 1/2, and the sub-pixel error in pixels.

    Returns
    -------
    matching, subpixel : Tensor
    """
    fixed, moving = features.fine
    cols = fixed.shape[-1]
    truth = batch.flow[..., ::FINE, ::FINE].flatten(2).transpose(1, 2) / FINE
    valid = batch.valid[..., ::FINE, ::FINE].flatten(1)
    # Prefer valid cells; the few others that fill up have no weight.
    cells = (valid + torch.rand_like(truth[..., 0])).topk(min(POINTS, valid.shape[1]), 1).indices
    known = valid.gather(1, cells)
    place = torch.stack([cells % cols, cells // cols], -1) + truth.gather(
        1, cells[..., None].expand(-1, -1, 2)
    )
    queries = fixed.flatten(2).transpose(1, 2)
    queries = queries.gather(1, cells[..., None].expand(-1, -1, queries.shape[2]))
    centre = (place + JITTER * (2 * torch.rand_like(place) - 1)).round()
    logits = window_logits(queries, moving, centre.long(), RADIUS, temperature)
    offset = place - centre
    peak, _ = subpixel_peak(logits, 2 * RADIUS + 1)
    error = FINE * (peak - RADIUS - offset).square().sum(2).add(1e-4).sqrt()
    near = known * (error.detach() < CLIP)
    subpixel = (near * error).sum() / near.sum().clamp_min(1.0)
    return window_loss(logits, offset, known), subpixel
