"""HRNet's losses: the paper's seven, and two of ours that carry the learning.

Zhang et al., Disentangle-then-Align (arXiv 2603.19623), section "Loss & Training":
L = a_r L_r + a_n L_n + a_s L_s + a_tri L_tri + a_cs L_cs + a_ccd L_ccd + a_bo L_bo. The paper
gives the terms' ideas and the schedule of a_n; their exact form is ours where it is silent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.models.hrnet.config import STRIDES
from napari_mmreg.models.hrnet.network import MATCH_LEVEL, HRNet, HRNetOutput
from napari_mmreg.nn.increment import Increment
from napari_mmreg.nn.sampling import warp
from napari_mmreg.training.batches import TrainingBatch
from napari_mmreg.training.losses import (
    affine_loss,
    bending,
    endpoint_loss,
    laplace_loss,
    masked_mean,
    matching_loss,
    vote_loss,
)

COARSE_LEVELS = (1, 2, 3, 4)
"""Scales whose features are shaped by the regularisers; the finest would cost most."""
MARGIN = 0.4


def cell_truth(batch: TrainingBatch, stride: int) -> tuple[Tensor, Tensor]:
    """Return the true flow in cells and its validity at the cells of a stride."""
    flow = batch.flow[..., ::stride, ::stride] / stride
    return flow, batch.valid[..., ::stride, ::stride]


def rigid_loss(affine: Tensor, batch: TrainingBatch) -> Tensor:
    """L_r: parameter error and reprojection error of the global step, both on points."""
    rows, cols = batch.fixed.shape[-2:]
    return affine_loss(affine, batch.matrix, (rows, cols))


def increment_loss(increments: Sequence[Increment], batch: TrainingBatch) -> Tensor:
    """L_n: endpoint error of the accumulated flow at every scale, in cells of that scale."""
    terms = []
    for increment, stride in zip(increments, reversed(STRIDES[:-1]), strict=True):
        truth, valid = cell_truth(batch, stride)
        terms.append(endpoint_loss(increment.flow, truth, valid))
    return torch.stack(terms).mean()


def photometric_loss(output: HRNetOutput, batch: TrainingBatch) -> Tensor:
    """L_n's image part: the moving image pulled by the flow against the truly aligned one."""
    error = (warp(batch.moving, output.flow.float()) - batch.aligned).abs()
    return masked_mean(error.mean(1, keepdim=True), batch.valid)


def votes_loss(increments: Sequence[Increment], batch: TrainingBatch) -> Tensor:
    """Cross-entropy of the local correlations at every scale, where in reach (ours)."""
    terms = []
    for increment, stride in zip(increments, reversed(STRIDES[:-1]), strict=True):
        terms.append(vote_loss(increment.logits, increment.start, *cell_truth(batch, stride)))
    return torch.stack(terms).mean()


def triplet_loss(output: HRNetOutput, batch: TrainingBatch) -> Tensor:
    """L_tri: co-located shared features of both images alike, shared and private ones not."""
    terms = [output.flow.new_zeros(())]
    for level in COARSE_LEVELS:
        scale = output.scales[level]
        if scale.private is None:
            continue
        truth, valid = cell_truth(batch, STRIDES[level])
        anchor, positive = scale.shared[0], warp(scale.shared[1], truth)
        private = scale.private[0]
        if scale.basis is not None:
            private = torch.einsum("brc,bchw->brhw", scale.basis, private)
        near = F.cosine_similarity(anchor, positive, 1)
        far = F.cosine_similarity(anchor, private, 1)
        terms.append(masked_mean(F.relu(far - near + MARGIN).unsqueeze(1), valid))
    return torch.stack(terms).sum() / len(COARSE_LEVELS)


def consistency_loss(model: HRNet, output: HRNetOutput) -> Tensor:
    """L_cs: shared features of adjacent scales point the same way (1 - cosine)."""
    terms = []
    for level in COARSE_LEVELS[:-1]:
        for fine, coarse in zip(
            output.scales[level].shared, output.scales[level + 1].shared, strict=True
        ):
            bridged = model.cdap.bridges[level](coarse)
            small = F.adaptive_avg_pool2d(fine, bridged.shape[-2:])
            terms.append((1 - F.cosine_similarity(small, bridged, 1)).mean())
    return torch.stack(terms).mean()


def decorrelation_loss(output: HRNetOutput) -> Tensor:
    """L_ccd: squared cross-covariance of shared and private features of unit variance."""
    terms = [output.flow.new_zeros(())]
    for level in COARSE_LEVELS:
        scale = output.scales[level]
        for shared, private in zip(scale.shared, scale.private or (), strict=False):
            one, two = (_standard(features) for features in (shared, private))
            covariance = one @ two.transpose(1, 2) / one.shape[2]
            terms.append(covariance.square().mean())
    return torch.stack(terms).sum() / (2 * len(COARSE_LEVELS))


def _standard(features: Tensor) -> Tensor:
    flat = features.float().flatten(2)
    centred = flat - flat.mean(2, keepdim=True)
    return centred / (centred.square().mean(2, keepdim=True) + 1e-4).sqrt()


def basis_loss(output: HRNetOutput) -> Tensor:
    """L_bo: squared distance of W W^T from the identity, per row."""
    terms = [output.flow.new_zeros(())]
    for scale in output.scales:
        if scale.basis is not None:
            gram = scale.basis @ scale.basis.transpose(1, 2)
            eye = torch.eye(gram.shape[1], device=gram.device)
            terms.append((gram - eye).square().sum((1, 2)).mean() / gram.shape[1])
    return torch.stack(terms).sum()


def error_scale_loss(output: HRNetOutput, batch: TrainingBatch) -> Tensor:
    """Laplace likelihood of the flow's error in px given the predicted scale (ours)."""
    if output.log_scale is None:
        return output.flow.new_zeros(())
    truth, valid = cell_truth(batch, 2)
    return laplace_loss(output.flow[..., ::2, ::2] - 2 * truth, output.log_scale, valid)


def global_matching_loss(model: HRNet, output: HRNetOutput, batch: TrainingBatch) -> Tensor:
    """Symmetric cross-entropy of all pairs of shared features at stride 8 (ours)."""
    fixed, moving = output.scales[MATCH_LEVEL].shared
    return matching_loss(
        F.normalize(fixed, dim=1),
        F.normalize(moving, dim=1),
        batch.flow,
        batch.valid,
        stride=STRIDES[MATCH_LEVEL],
        offset=0.0,
        temperature=model.match_log_temperature.exp(),  # type: ignore[arg-type]
    )


def smoothness_loss(output: HRNetOutput) -> Tensor:
    """L_s: second differences of the flow at every scale, in cells."""
    return torch.stack([bending(step.flow.float()) for step in output.increments]).mean()
