"""FusionRegister's losses: the paper's on the fused image, and the supervised ones (ours).

Bian et al., FusionRegister (CVPR 2026), equation 12. Unlike the released code, every sample of the
batch counts for every term. The detail term is weighted by how far the truth moves a pixel, in
place of the connected areas of the gate's extremes, which have no gradient and are no localisation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.models.fusionregister.config import Warping
from napari_mmreg.models.fusionregister.localisation import QUARTER, THRESHOLD, Localisation
from napari_mmreg.models.fusionregister.network import Answer
from napari_mmreg.models.fusionregister.prior import Fuse, fused_prior
from napari_mmreg.models.fusionregister.warping import corrected
from napari_mmreg.nn.sampling import fill_outside, gaussian_blur, pixel_grid
from napari_mmreg.training.batches import TrainingBatch
from napari_mmreg.training.losses import (
    bending,
    endpoint_loss,
    laplace_loss,
    masked_mean,
    matching_loss,
    vote_loss,
)

EDGE, SPATIAL, FREQUENCY, DETAIL = 10.0, 1.0, 0.1, 10.0
"""lambda_1 to lambda_4 of the paper."""

SIGMAS = (1.0, 2.0)
"""Of the difference of Gaussians, in px; the paper gives none."""


def edge_loss(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """L_e: mean absolute difference of the differences of Gaussians."""
    error = image - target
    bands = gaussian_blur(error, SIGMAS[0]) - gaussian_blur(error, SIGMAS[1])
    return masked_mean(bands.abs(), mask)


def spatial_loss(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """L_g: mean squared difference."""
    return masked_mean((image - target).square(), mask)


def frequency_loss(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """L_f: mean absolute difference of the Fourier coefficients, not normalised."""
    spectrum: Tensor = torch.fft.rfft2((image - target) * mask.to(image))
    return spectrum.abs().mean()


def detail_loss(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L_d: mean squared difference of the Sobel derivatives, where pixels are misregistered."""
    slope = image.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    kernels = torch.stack([slope, slope.T])[:, None]
    error = F.conv2d(F.pad(image - target, (1, 1, 1, 1), mode="replicate"), kernels)
    return masked_mean(error.square(), weight)


def displaced_weight(truth: Tensor, valid: Tensor) -> Tensor:
    """Return (B, 1, H, W): the true displacement in units of the threshold, at most 1."""
    weight: Tensor = (truth.norm(dim=1, keepdim=True) / threshold(truth)).clamp(max=1)
    return valid * weight


def threshold(truth: Tensor) -> float:
    """Return the displacement that counts as misregistered, in px of these frames."""
    return THRESHOLD * max(truth.shape[-2:]) / 256


def picture_losses(
    answer: Answer, target: Tensor, truth: Tensor, valid: Tensor
) -> dict[str, Tensor]:
    """Return the paper's four terms with its weights, against the fusion of the aligned pair.

    Parameters
    ----------
    answer : Answer
    target : Tensor of shape (B, 1, H, W)
        See `aligned_fusion`.
    truth, valid : Tensor
        The true flow and where both images show something.
    """
    weight = displaced_weight(truth, valid)
    # The warped image on its own, too: else the bias alone would learn.
    images, shown = torch.cat([answer.fused, answer.warped]), torch.cat([valid, valid])
    wanted = torch.cat([target, target])
    return {
        "edge": EDGE * edge_loss(images, wanted, shown),
        "spatial": SPATIAL * spatial_loss(images, wanted, shown),
        "frequency": FREQUENCY * frequency_loss(answer.fused, target, valid),
        "detail": DETAIL * detail_loss(answer.fused, target, weight),
    }


def gate_loss(
    gate: Tensor, fused: Tensor, target: Tensor, batch: TrainingBatch, warping: Warping
) -> Tensor:
    """Edge and spatial loss of the fused image, warped by the true field through the gate (ours).

    Through a field that is not right yet, the gate learns that it is best to move nothing.
    """
    moved = corrected(fused, batch.flow, gate, warping)
    edges = edge_loss(moved, target, batch.valid)
    return EDGE * edges + SPATIAL * spatial_loss(moved, target, batch.valid)


def aligned_fusion(fuse: Fuse, batch: TrainingBatch) -> Tensor:
    """Fuse the fixed image with the moving one as it is, warped by the truth (bicubic).

    Not with `TrainingBatch.aligned`, which lacks the sensor's blur and noise: a pair that is
    aligned already should come out as it is, not restored.
    """
    rows, cols = batch.flow.shape[-2:]
    places = pixel_grid(rows, cols, batch.flow) + batch.flow.permute(0, 2, 3, 1)
    unit = 2 * places / places.new_tensor([cols - 1.0, rows - 1.0]) - 1
    registered = F.grid_sample(
        fill_outside(batch.moving, batch.moving_mask),
        unit,
        mode="bicubic",
        padding_mode="border",
        align_corners=True,
    ).clamp(0, 1)
    return fused_prior(fuse, batch.fixed, registered, batch.fixed_mask, batch.valid)


def matching_losses(
    found: Localisation, temperature: Tensor, batch: TrainingBatch
) -> tuple[Tensor, Tensor]:
    """Cross-entropies: all cells to all at stride 8, and the local correlations of each scale."""
    if found.coarse is None:
        nothing = batch.flow.new_zeros(())
        return nothing, nothing
    coarse = matching_loss(
        *found.coarse,
        batch.flow,
        batch.valid,
        stride=8,
        offset=0.0,
        temperature=temperature.exp(),  # type: ignore[arg-type]
    )
    votes = [
        vote_loss(step.logits, step.start, *_at(batch, stride))
        for stride, step in found.steps.items()
    ]
    return coarse, torch.stack(votes).mean()


def flow_losses(found: Localisation, batch: TrainingBatch) -> dict[str, Tensor]:
    """Error of phi in px at every scale, its bending, and its expected error."""
    flows = {stride: flow.float() for stride, flow in found.flows.items()}
    errors = [stride * endpoint_loss(flow, *_at(batch, stride)) for stride, flow in flows.items()]
    truth, valid = _at(batch, QUARTER)
    error = found.flow[..., ::QUARTER, ::QUARTER] - QUARTER * truth
    return {
        "flow": torch.stack(errors).mean(),
        "smooth": torch.stack([bending(flow) for flow in flows.values()]).mean(),
        "error": laplace_loss(error, found.log_scale, valid),
    }


def displaced_loss(found: Localisation, batch: TrainingBatch) -> Tensor:
    """Cross-entropy of the probability that a pixel was displaced by more than the threshold."""
    truth, valid = _at(batch, QUARTER)
    displaced = QUARTER * truth.norm(dim=1, keepdim=True) > threshold(batch.flow)
    entropy = F.binary_cross_entropy_with_logits(
        found.misregistered.float(), displaced.float(), reduction="none"
    )
    return masked_mean(entropy, valid)


def _at(batch: TrainingBatch, stride: int) -> tuple[Tensor, Tensor]:
    """Return the true flow in cells of a stride, and its validity there."""
    return batch.flow[..., ::stride, ::stride] / stride, batch.valid[..., ::stride, ::stride]
