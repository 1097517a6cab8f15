"""The global step: all-pairs matches of shared features, and the affine that most obey (ours)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.correlation import all_pairs_correlation, dual_softmax

HYPOTHESES = 384
SCALES = (3.0, 1.5, 1.0, 0.75)
"""Residual scales of the robust refits, in cells, one refit each."""


def soft_matches(
    fixed: Tensor, moving: Tensor, temperature: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Find each fixed cell's place on the moving grid.

    Parameters
    ----------
    fixed, moving : Tensor of shape (B, C, h, w)
        Features of unit length.
    temperature : float
        Similarities are divided by it.

    Returns
    -------
    places : Tensor of shape (B, h * w, 2)
        (x, y) in cells: the mean around the best cell, weighted by the matching probability;
        only its 3 x 3 neighbourhood counts, a wider mean would be drawn to the centre.
    weights : Tensor of shape (B, h * w)
        Probability mass of that neighbourhood in the product of the softmaxes over moving and
        over fixed cells.
    """
    rows, cols = moving.shape[-2:]
    similarity = all_pairs_correlation(fixed, moving) * fixed.shape[1]
    probability = dual_softmax(similarity / temperature, 1.0)
    best = probability.argmax(2)
    around = torch.arange(-1, 2, device=best.device)
    y = (best // cols)[..., None, None] + around.view(1, 1, 3, 1)
    x = (best % cols)[..., None, None] + around.view(1, 1, 1, 3)
    inside = ((y >= 0) & (y < rows) & (x >= 0) & (x < cols)).flatten(2)
    x, y = (x + 0 * y).flatten(2), (y + 0 * x).flatten(2)
    index = y.clamp(0, rows - 1) * cols + x.clamp(0, cols - 1)
    share = probability.gather(2, index) * inside
    weights = share.sum(2)
    share = share / weights[..., None].clamp_min(1e-12)
    places = torch.stack([(share * x).sum(2), (share * y).sum(2)], -1)
    return places, weights


def fit_affine(points: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """Weighted least-squares affine (..., 2, 3) taking points (..., N, 2) to places."""
    ones = torch.ones_like(points[..., :1])
    design = torch.cat([points, ones], -1)
    weighted = design * weights[..., None]
    normal = weighted.transpose(-1, -2) @ design
    scale = normal.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    ridge = 1e-6 * scale * torch.eye(3, device=points.device, dtype=points.dtype)
    solution: Tensor = torch.linalg.solve(
        normal + ridge + 1e-12 * ridge.new_ones(()), weighted.transpose(-1, -2) @ places
    )
    return solution.transpose(-1, -2)


def robust_affine(points: Tensor, places: Tensor, weights: Tensor, seed: int = 0) -> Tensor:
    """Find the affine that the weight of most matches obeys.

    Many affines through three weighted random matches are scored by how much weight lies
    close to them; the best is refitted with shrinking Geman-McClure weights. Gradients flow
    through the last refit only.

    Parameters
    ----------
    points, places : Tensor of shape (B, N, 2)
        (x, y) in cells.
    weights : Tensor of shape (B, N)
        Trust in each match.

    Returns
    -------
    affine : Tensor of shape (B, 2, 3)
        On (x, y, 1), fixed cells to moving cells.
    """
    with torch.no_grad():
        trust = weights.detach() + 1e-9
        generator = torch.Generator().manual_seed(seed)
        picks = torch.multinomial(
            trust.cpu().double(), 3 * HYPOTHESES, replacement=True, generator=generator
        ).to(places.device)
        picks = picks.view(len(points), HYPOTHESES, 3)
        rows = torch.arange(len(points), device=points.device).view(-1, 1, 1)
        equal = torch.ones_like(picks, dtype=points.dtype)
        affine = fit_affine(points[rows, picks], places[rows, picks], equal)
        size = torch.linalg.det(affine[..., :2])
        sane = (size > 0.2) & (size < 5.0)
        residual = _residual(affine, points[:, None], places[:, None])
        score = (trust[:, None] * torch.exp(-0.5 * residual)).sum(2).masked_fill(~sane, -1.0)
        best = affine[torch.arange(len(points)), score.argmax(1)]
        for scale in SCALES[:-1]:
            near = _geman_mcclure(_residual(best, points, places), scale)
            best = fit_affine(points, places, trust * near)
    near = _geman_mcclure(_residual(best, points, places), SCALES[-1])
    return fit_affine(points, places, (weights + 1e-9) * near)


def _residual(affine: Tensor, points: Tensor, places: Tensor) -> Tensor:
    mapped = points @ affine[..., :2].transpose(-1, -2) + affine[..., 2].unsqueeze(-2)
    return (mapped - places).square().sum(-1)


def _geman_mcclure(squared: Tensor, scale: float) -> Tensor:
    return (scale**2 / (scale**2 + squared)).square()


def matched_affine(
    fixed: Tensor, moving: Tensor, temperature: Tensor | float, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the affine (B, 2, 3) between two feature grids in cells, and the matches' weights."""
    rows, cols = fixed.shape[-2:]
    with torch.autocast(fixed.device.type, enabled=False):
        unit = [F.normalize(f.float(), dim=1) for f in (fixed, moving)]
        places, weights = soft_matches(unit[0], unit[1], temperature)
        if mask is not None:
            weights = weights * mask.flatten(1)
        y, x = torch.meshgrid(
            torch.arange(rows, device=fixed.device, dtype=torch.float32),
            torch.arange(cols, device=fixed.device, dtype=torch.float32),
            indexing="ij",
        )
        points = torch.stack([x, y], -1).view(1, -1, 2).expand_as(places)
        return robust_affine(points, places, weights), weights.view(-1, 1, rows, cols)


def cell_affine_to_pixels(affine: Tensor, stride: int) -> Tensor:
    """Bring an affine between cells to pixels: cell (j, i) is at pixel stride * (j, i)."""
    return torch.cat([affine[..., :2], affine[..., 2:] * stride], -1)


def affine_flow(affine: Tensor, rows: int, cols: int, stride: int) -> Tensor:
    """Return the flow (B, 2, rows, cols), in cells, of a pixel affine on a grid of cells."""
    y = torch.arange(rows, device=affine.device, dtype=affine.dtype) * stride
    x = torch.arange(cols, device=affine.device, dtype=affine.dtype) * stride
    grid = torch.stack([x[None].expand(rows, cols), y[:, None].expand(rows, cols)], 0)
    mapped = torch.einsum("bij,jhw->bihw", affine[..., :2], grid) + affine[..., 2, None, None]
    return (mapped - grid) / stride
