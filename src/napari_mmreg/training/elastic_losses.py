"""What the elastic stage learns from: the displacement after every step, votes, its own error."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.alignment.elastic.network import ElasticOutput, ElasticStep
from napari_mmreg.training.batches import TrainingBatch
from napari_mmreg.training.losses import laplace_loss, masked_mean, vote_loss

EPSILON = 0.1
"""Rounding of the error's length at 0, in px."""


def strided_truth(batch: TrainingBatch, stride: int) -> tuple[Tensor, Tensor]:
    """Return the true flow at every `stride`-th pixel in cells, and where it is valid."""
    truth, valid = (
        batch.flow[..., ::stride, ::stride] / stride,
        batch.valid[..., ::stride, ::stride],
    )
    return truth, valid.float()


def without_affine(error: Tensor, valid: Tensor) -> Tensor:
    """Take the affine map that fits an error best, by least squares, out of it.

    The images of a training pair are aligned to 1 or 2 px only, mostly by one shift for the
    whole image. What is left without an affine map says more about bending.

    Parameters
    ----------
    error : Tensor of shape (B, 2, h, w)
    valid : Tensor of shape (B, 1, h, w)
    """
    rows, cols = error.shape[-2:]
    y = torch.linspace(-1, 1, rows, device=error.device)[:, None].expand(rows, cols)
    x = torch.linspace(-1, 1, cols, device=error.device)[None].expand(rows, cols)
    basis = torch.stack([torch.ones_like(x), x, y], -1).view(1, -1, 3)
    weighted = (basis * valid.flatten(2).transpose(1, 2)).transpose(1, 2)
    ridge = 1e-3 * torch.eye(3, device=error.device)
    values = error.flatten(2).transpose(1, 2)
    affine = torch.linalg.solve(weighted @ basis + ridge, weighted @ values)
    bent: Tensor = error - (basis @ affine).transpose(1, 2).view_as(error)
    return bent


def step_loss(step: ElasticStep, batch: TrainingBatch, affine_share: float) -> Tensor:
    """Mean length in px of a step's error, in part without its best affine map."""
    truth, valid = strided_truth(batch, step.stride)
    error = (step.field.permute(0, 3, 1, 2) - truth) * step.stride
    whole, bent = (_length(part, valid) for part in (error, without_affine(error, valid)))
    return (1 - affine_share) * whole + affine_share * bent


def step_votes_loss(step: ElasticStep, batch: TrainingBatch) -> Tensor:
    """Cross-entropy of a step's votes."""
    if step.votes is None:
        raise ValueError("There are no votes in this step.")
    truth, valid = strided_truth(batch, step.stride)
    before = step.before.permute(0, 3, 1, 2)
    return vote_loss(step.votes.logits, before, truth, valid > 0.5)


def error_scale_loss(output: ElasticOutput, batch: TrainingBatch) -> Tensor:
    """Laplace likelihood of the expected error, in px; the answer itself does not learn from it."""
    last = output.steps[-1]
    truth, valid = strided_truth(batch, last.stride)
    error = (last.field.permute(0, 3, 1, 2) - truth).detach() * last.stride
    length = F.avg_pool2d(error.norm(dim=1, keepdim=True), 2, ceil_mode=True)
    valid = F.avg_pool2d(valid, 2, ceil_mode=True)
    return laplace_loss(length, output.log_error.clamp(-4, 4), valid)


def elastic_errors(output: ElasticOutput, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
    """Mean length in px without the best affine map: of the error, and of doing nothing."""
    last = output.steps[-1]
    truth, valid = strided_truth(batch, last.stride)
    error = (last.field.permute(0, 3, 1, 2) - truth) * last.stride
    with torch.no_grad():
        left = _length(without_affine(error, valid), valid)
        return left, _length(without_affine(truth * last.stride, valid), valid)


def _length(error: Tensor, valid: Tensor) -> Tensor:
    return masked_mean((error.square().sum(1, keepdim=True) + EPSILON**2).sqrt(), valid)
