"""RFNet's losses: equations 1 to 10 of the paper, and what keeps them from cheating.

Xu et al., RFNet (CVPR 2022). Norms are means over valid pixels. Ours: the masks, the guards
against small overlap and folding, and the supervised terms, which the caller may leave out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.models.rfnet.affine import EIGHTH, QUARTER, AffineAnswer
from napari_mmreg.models.rfnet.f2m import FineAnswer
from napari_mmreg.models.rfnet.network import RFNet
from napari_mmreg.nn.global_affine import affine_flow
from napari_mmreg.nn.sampling import fill_outside, pixel_grid, warp
from napari_mmreg.training.batches import TrainingBatch
from napari_mmreg.training.losses import (
    affine_loss,
    laplace_loss,
    masked_mean,
    masked_ncc,
    matching_loss,
    vote_loss,
)

ETA = 2.0
"""Weight of L_trans against L_recon (the paper's)."""

DELTA, GAMMA = 100.0, 0.7
"""Weight of the gradient loss, and of the fixed image in the content loss (the paper's)."""

LAMBDA, ALPHA = 0.1, 0.5
"""Weight of the bilateral smoothness, and its fall with contrast (the paper's)."""

LEAST_OVERLAP = 0.5
"""Share of the fixed frame that must fall into the moving one to cost nothing."""


def translation_losses(network: RFNet, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
    """L_recon and L_trans (eq. 1) of a fixed image and a truly aligned one."""
    translator = network.translator
    fixed = fill_outside(batch.fixed, batch.fixed_mask)
    aligned = fill_outside(batch.aligned, batch.valid)
    pictures = torch.cat([aligned, fixed])
    detail, coarse = translator.encode(pictures)
    styles = torch.cat([translator.style(pictures), translator.style(torch.cat([fixed, aligned]))])
    made = translator.decode((torch.cat([detail, detail]), torch.cat([coarse, coarse])), styles)
    errors = (made - torch.cat([pictures, fixed, aligned])).abs()
    masks = (batch.valid, batch.fixed_mask, batch.valid, batch.valid)
    parts = [masked_mean(e, m) for e, m in zip(errors.chunk(4), masks, strict=True)]
    return parts[0] + parts[1], parts[2] + parts[3]


def similarity_loss(
    shown: tuple[Tensor, Tensor],
    affine: Tensor,
    masks: tuple[Tensor, Tensor],
    *,
    kind: str = "ncc",
) -> Tensor:
    """L_coarse (eqs. 4 and 5) where both images have data, or the mean absolute difference.

    Parameters
    ----------
    shown : pair of Tensor (B, 1, H, W)
        Fixed and moving image in one look.
    affine : Tensor of shape (B, 2, 3)
        On (x, y, 1) in px, fixed to moving.
    masks : pair of Tensor (B, 1, H, W)
    kind : {"ncc", "l1"}
    """
    flow = affine_flow(affine, shown[0].shape[-2], shown[0].shape[-1], 1)
    known = masks[0].to(flow) * warp(masks[1].to(flow), flow, padding="zeros")
    moved = warp(shown[1], flow)
    if kind == "ncc":
        return -masked_ncc(moved, shown[0], known).mean()
    return masked_mean((moved - shown[0]).abs(), known)


def overlap_guard(affine: Tensor, size: tuple[int, int]) -> Tensor:
    """How far the overlap of the frames is below `LEAST_OVERLAP`: a sliver always correlates."""
    rows, cols = size
    y, x = torch.meshgrid(
        torch.linspace(0, rows - 1, 9, device=affine.device),
        torch.linspace(0, cols - 1, 9, device=affine.device),
        indexing="ij",
    )
    points = torch.stack([x.flatten(), y.flatten(), torch.ones_like(x.flatten())], 0)
    place = affine @ points
    limit = place.new_tensor([cols - 1.0, rows - 1.0]).view(1, 2, 1)
    # Soft edges of a cell's width, so that points outside are drawn back.
    inside = (place / EIGHTH).sigmoid() * ((limit - place) / EIGHTH).sigmoid()
    share = inside.prod(1).mean(1)
    return (LEAST_OVERLAP - share).clamp_min(0).mean()


def supervised_affine_loss(answer: AffineAnswer, batch: TrainingBatch) -> Tensor:
    """Error of the affine against the true global step (ours)."""
    return affine_loss(answer.affine, batch.matrix, _size(batch))


def matching_losses(
    network: RFNet, answer: AffineAnswer, batch: TrainingBatch
) -> tuple[Tensor, Tensor]:
    """Cross-entropies of both matchings (ours): all to all at stride 8, near ones at stride 4."""
    coarse = matching_loss(
        *answer.eighth,
        batch.flow,
        batch.valid,
        stride=EIGHTH,
        offset=0.0,
        temperature=network.affine.log_temperatures[0].exp(),  # type: ignore[arg-type]
    )
    if answer.logits is None or answer.start is None:
        return coarse, coarse.new_zeros(())
    truth = batch.flow[..., ::QUARTER, ::QUARTER] / QUARTER
    known = batch.valid[..., ::QUARTER, ::QUARTER]
    return coarse, vote_loss(answer.logits, answer.start, truth, known)


def gradients(image: Tensor) -> Tensor:
    """Forward differences along x and y as two channels, (B, 2, H, W), 0 at the far edges."""
    dx = F.pad(image.diff(dim=-1), (0, 1, 0, 0))
    dy = F.pad(image.diff(dim=-2), (0, 0, 0, 1))
    return torch.cat([dx, dy], 1)


def fusion_loss(fused: Tensor, fixed: Tensor, registered: Tensor, mask: Tensor) -> Tensor:
    """L_fus (eqs. 6 to 8): content of both images, and the stronger gradient of either."""
    content = (1 - GAMMA) * (fused - registered).abs() + GAMMA * (fused - fixed).abs()
    one, two = gradients(registered), gradients(fixed)
    wanted = torch.sign(one + two) * torch.maximum(one.abs(), two.abs())
    texture = (gradients(fused) - wanted).square()
    return masked_mean(content, mask) + DELTA * masked_mean(texture, mask)


def bilateral_smoothness(field: Tensor, image: Tensor) -> Tensor:
    """L_smooth (eq. 10) over the neighbours to the right and below; field in px."""
    total = field.new_zeros(())
    for axis in (-1, -2):
        weight = torch.exp(-ALPHA * image.diff(dim=axis).abs())
        total = total + (weight * field.diff(dim=axis).abs()).sum(1).mean()
    return total


def deformation_loss(fused: Tensor, fixed: Tensor, field: Tensor, mask: Tensor) -> Tensor:
    """L_defor (eqs. 9 and 10): like the fixed image's gradients, sparse, and smoothly bent."""
    found = gradients(fused)
    likeness = masked_mean((found - gradients(fixed)).abs(), mask)
    sparsity = masked_mean(found.abs(), mask)
    return likeness + sparsity + LAMBDA * bilateral_smoothness(field, fused)


def remaining(affine: Tensor, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
    """Return what an affine leaves, on the grid of stride 4.

    Returns
    -------
    field : Tensor of shape (B, 2, h, w)
        u with A (p + u(p)) = p + flow(p), in px.
    valid : Tensor of bool, shape (B, 1, h, w)
    """
    rows, cols = batch.fixed.shape[-2:]
    grid = pixel_grid(rows, cols, affine)[::QUARTER, ::QUARTER].permute(2, 0, 1)
    places = grid + batch.flow[..., ::QUARTER, ::QUARTER]
    # A hopeless prediction may have no inverse: the step is not finite then, and left out.
    inverse, _ = torch.linalg.inv_ex(affine[..., :2])
    back = torch.einsum("bij,bjhw->bihw", inverse, places - affine[..., 2, None, None])
    return back - grid, batch.valid[..., ::QUARTER, ::QUARTER]


def supervised_field_losses(
    answer: FineAnswer, affine: Tensor, batch: TrainingBatch, reach: float
) -> tuple[Tensor, Tensor]:
    """Error of the fine field in px, where it can reach, and of its expected error (ours)."""
    truth, valid = remaining(affine, batch)
    error = answer.field - truth
    near = valid & (truth.abs().amax(1, keepdim=True) < reach)
    length = (error.square().sum(1, keepdim=True) + 0.01).sqrt()
    return masked_mean(length, near), laplace_loss(error, answer.log_scale, valid)


def _size(batch: TrainingBatch) -> tuple[int, int]:
    return batch.fixed.shape[-2], batch.fixed.shape[-1]
