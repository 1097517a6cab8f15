"""Losses that every recipe may need; each returns one number and ignores what is not valid.

*Convention*: flows are (B, 2, H, W), channel 0 = x, channel 1 = y, in px, fixed to moving;
masks are (B, 1, H, W), bool or weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.sampling import warp


def masked_mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Average `values` (B, C, H, W) over the mask (B, 1, H, W); 0 where the mask is empty."""
    if mask is None:
        return values.mean()
    weights = mask.to(values).expand_as(values)
    return (values * weights).sum() / weights.sum().clamp_min(1.0)


def endpoint_loss(
    flow: Tensor, truth: Tensor, valid: Tensor | None = None, epsilon: float = 0.05
) -> Tensor:
    """Charbonnier length of the flow's error in px, averaged over valid pixels."""
    error = (flow.float() - truth).square().sum(1, keepdim=True)
    return masked_mean((error + epsilon**2).sqrt() - epsilon, valid)


def resize_truth(truth: Tensor, valid: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Bring the true flow to another grid, its values scaled per axis (``align_corners=True``).

    Returns
    -------
    flow : Tensor of shape (B, 2, h, w)
        In px of the new grid.
    valid : Tensor of bool, shape (B, 1, h, w)
        Where all contributing pixels are valid.
    """
    rows, cols = truth.shape[-2:]
    if (rows, cols) == shape:
        return truth, valid.bool()
    scale = truth.new_tensor([(shape[1] - 1) / (cols - 1), (shape[0] - 1) / (rows - 1)])
    flow = F.interpolate(truth, size=shape, mode="bilinear", align_corners=True)
    share = F.interpolate(valid.to(truth), size=shape, mode="bilinear", align_corners=True)
    return flow * scale.view(1, 2, 1, 1), share > 0.999


def affine_loss(affine: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Compare global maps by what they do to the frame's nine-point grid.

    The truth may have perspective, which the affine has not. In 1/8 px, large errors damped: a
    global step that is lost tells little about where to go.

    Parameters
    ----------
    affine : Tensor of shape (B, 2, 3)
        On (x, y, 1) in px, fixed to moving.
    matrix : Tensor of shape (B, 3, 3)
        The truth.
    size : (int, int)
        Rows and columns of the frame.
    """
    y, x = torch.meshgrid(
        torch.linspace(0, size[0] - 1, 3, device=affine.device),
        torch.linspace(0, size[1] - 1, 3, device=affine.device),
        indexing="ij",
    )
    points = torch.stack([x.flatten(), y.flatten(), torch.ones_like(x.flatten())], 0)
    true = matrix.float() @ points
    true = true[:, :2] / true[:, 2:]
    found = affine.float() @ points
    error = ((found - true).square().sum(1) + 1e-4).sqrt().mean(1) / 8
    return torch.log1p(error).mean()


def bending(flow: Tensor) -> Tensor:
    """Return the mean squared second difference of a flow: affine flows cost nothing."""
    xx = flow.diff(n=2, dim=-1).square().mean()
    yy = flow.diff(n=2, dim=-2).square().mean()
    xy = flow.diff(dim=-1).diff(dim=-2).square().mean()
    return xx + yy + 2 * xy


def folding(flow: Tensor, least: float = 0.1) -> Tensor:
    """Return by how much the Jacobian determinant of p + flow(p) is below `least`, on average."""
    dx = flow.diff(dim=-1)[..., :-1, :]
    dy = flow.diff(dim=-2)[..., :-1]
    determinant = (1 + dx[:, 0]) * (1 + dy[:, 1]) - dx[:, 1] * dy[:, 0]
    return (least - determinant).clamp_min(0).mean()


def cell_centres(rows: int, cols: int, stride: float, offset: float, like: Tensor) -> Tensor:
    """Return where the cells of a feature grid lie: (rows * cols, 2), (x, y) in image px.

    Cell (i, j) is at ``stride * (j, i) + offset``; pooling has ``offset = (stride - 1) / 2``,
    strided convolutions with centred kernels have 0.
    """
    y = torch.arange(rows, device=like.device, dtype=torch.float32) * stride + offset
    x = torch.arange(cols, device=like.device, dtype=torch.float32) * stride + offset
    return torch.stack([x.repeat(rows), y.repeat_interleave(cols)], -1)


def matching_targets(
    flow: Tensor, valid: Tensor, grid: tuple[int, int], stride: float, offset: float
) -> tuple[Tensor, Tensor]:
    """Where each fixed cell lies on the moving feature grid.

    Returns
    -------
    index : Tensor of int64, shape (B, N, 4)
        The four neighbouring moving cells of each of the N fixed cells, row-major.
    weight : Tensor of float32, shape (B, N, 4)
        Their bilinear weights; 0 for cells that are not valid or fall outside the grid.
    """
    rows, cols = grid
    height, width = flow.shape[-2:]
    centres = cell_centres(rows, cols, stride, offset, flow)
    unit = 2 * centres / centres.new_tensor([width - 1.0, height - 1.0]) - 1
    unit = unit.view(1, 1, -1, 2).expand(flow.shape[0], -1, -1, -1)
    packed = torch.cat([flow.float(), valid.float()], 1)
    picked = F.grid_sample(packed, unit, align_corners=True, padding_mode="border")[:, :, 0]
    place = (centres + picked[:, :2].transpose(1, 2) - offset) / stride
    limit = place.new_tensor([cols - 1.0, rows - 1.0])
    known = (picked[:, 2] > 0.999) & ((place >= 0) & (place <= limit)).all(-1)
    corner = place.floor().clamp_min(0).minimum((limit - 1).clamp_min(0))
    share = (place - corner).clamp(0, 1)
    index, weight = [], []
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        cell = (corner + corner.new_tensor([dx, dy])).minimum(limit).long()
        index.append(cell[..., 1] * cols + cell[..., 0])
        wx = share[..., 0] if dx else 1 - share[..., 0]
        wy = share[..., 1] if dy else 1 - share[..., 1]
        weight.append(wx * wy * known)
    return torch.stack(index, -1), torch.stack(weight, -1)


def matching_loss(
    fixed: Tensor,
    moving: Tensor,
    flow: Tensor,
    valid: Tensor,
    *,
    stride: float,
    offset: float | None = None,
    temperature: float = 0.1,
) -> Tensor:
    """Symmetric cross-entropy of all-pairs similarities with bilinear targets.

    Each fixed cell should be most like the (up to four) moving cells around its true place,
    among all moving cells; and each of those most like this fixed cell, among all fixed ones.

    Parameters
    ----------
    fixed, moving : Tensor of shape (B, C, h, w)
        Features of unit length.
    flow, valid : Tensor
        The truth on the image grid.
    stride, offset : float
        Where cells lie in the image, see `cell_centres`; the default offset is that of
        pooling.
    temperature : float
        Similarities are divided by it.
    """
    rows, cols = fixed.shape[-2:]
    offset = (stride - 1) / 2 if offset is None else offset
    index, weight = matching_targets(flow, valid, (rows, cols), stride, offset)
    similarity = torch.einsum("bcn,bcm->bnm", fixed.flatten(2).float(), moving.flatten(2).float())
    similarity = similarity / temperature
    forward = similarity.gather(2, index) - similarity.logsumexp(2)[:, :, None]
    column = similarity.logsumexp(1)
    backward = similarity.gather(2, index) - column.gather(1, index.flatten(1)).view_as(weight)
    total = weight.sum().clamp_min(1.0)
    return -0.5 * (weight * (forward + backward)).sum() / total


def window_loss(logits: Tensor, offset: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy of similarities inside windows, with bilinear targets.

    Parameters
    ----------
    logits : Tensor of shape (B, N, (2 r + 1)^2)
        Row by row, as of `napari_mmreg.nn.matching.window_logits`.
    offset : Tensor of shape (B, N, 2)
        The true place from the window's central cell, (x, y) in cells.
    known : Tensor of bool or weights, shape (B, N)
        Which of them count; those out of the window do not.
    """
    side = round(logits.shape[2] ** 0.5)
    radius = side // 2
    known = known * (offset.abs().amax(2) <= radius)
    corner = offset.floor().clamp(-radius, radius - 1)
    share = (offset - corner).clamp(0, 1)
    log_probability = logits.log_softmax(2)
    total = logits.new_zeros(())
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = (share[..., 0] if dx else 1 - share[..., 0]) * (
            share[..., 1] if dy else 1 - share[..., 1]
        )
        index = (corner[..., 1] + radius + dy) * side + corner[..., 0] + radius + dx
        # A target outside the image has no probability; it must not rule the loss.
        picked = log_probability.gather(2, index.long()[..., None])[..., 0].clamp_min(-20.0)
        total = total - (weight * known * picked).sum()
    return total / known.sum().clamp_min(1.0)


def vote_loss(logits: Tensor, start: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy of local correlations with bilinear targets, where the truth is in reach.

    Parameters
    ----------
    logits : Tensor of shape (B, (2 r + 1)^2, h, w)
        Order as of `napari_mmreg.nn.correlation.local_correlation`.
    start : Tensor of shape (B, 2, h, w)
        The flow by which the moving features were warped, in cells.
    truth, valid : Tensor
        On this grid, in cells.
    """
    side = round(logits.shape[1] ** 0.5)
    radius = side // 2
    # The truth as a step on the warped image: p + step shows what start points at.
    step = _local_step(truth, start)
    reach = (step.abs().amax(1, keepdim=True) < radius) & valid
    low = step.floor().clamp(-radius, radius - 1)
    share = (step - low).clamp(0, 1)
    log_probability = logits.log_softmax(1)
    total = step.new_zeros(())
    for dx in (0, 1):
        for dy in (0, 1):
            index = (low[:, 1:] + radius + dy) * side + low[:, :1] + radius + dx
            weight = (share[:, :1] if dx else 1 - share[:, :1]) * (
                share[:, 1:] if dy else 1 - share[:, 1:]
            )
            total = total - masked_mean(weight * log_probability.gather(1, index.long()), reach)
    return total


def _local_step(truth: Tensor, start: Tensor) -> Tensor:
    """Return b with truth(p) = b(p) + start(p + b(p)), by three fixed-point steps."""
    step = truth - start
    for _ in range(3):
        step = truth - warp(start, step)
    return step


def laplace_loss(error: Tensor, log_scale: Tensor, valid: Tensor) -> Tensor:
    """Likelihood of an expected error: `error` (B, 2, h, w) is detached, the scale learns."""
    length = error.detach().square().sum(1, keepdim=True).sqrt()
    return masked_mean(length * torch.exp(-log_scale) + log_scale, valid)


def masked_ncc(one: Tensor, two: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the correlation coefficient per image, (B,), over the mask; all channels at once."""
    weights = torch.ones_like(one[:, :1]) if mask is None else mask.to(one)
    weights = weights.expand_as(one).flatten(1)
    total = weights.sum(1, keepdim=True).clamp_min(1.0)
    first, second = one.flatten(1), two.flatten(1)
    first = first - (first * weights).sum(1, keepdim=True) / total
    second = second - (second * weights).sum(1, keepdim=True) / total
    covariance = (first * second * weights).sum(1)
    power = (first.square() * weights).sum(1) * (second.square() * weights).sum(1)
    return covariance / (power + 1e-10).sqrt()
