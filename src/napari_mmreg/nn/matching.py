"""From feature similarities to matches, and from matches to what most of them obey.

*Convention*: points and places are (x, y) in cells of the feature grids or in pixels, as said;
maps act on (x, y, 1), fixed to moving.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_mmreg.nn.correlation import all_pairs_correlation, dual_softmax
from napari_mmreg.nn.sampling import gaussian_blur

HYPOTHESES = 384
SCALES = (3.0, 1.5, 1.0, 0.75)
"""Residual scales of the robust refits, in cells, one refit each."""

BIG = 1e4

NO_BEND = 0.02
"""Weight of not bending; a fully trusted cell has 1."""


def soft_matches(
    fixed: Tensor, moving: Tensor, temperature: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Find each fixed cell's place on the moving grid.

    Parameters
    ----------
    fixed, moving : Tensor of shape (B, C, h, w)
        Features of unit length; the two grids may differ in size.
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


def window_logits(
    queries: Tensor, moving: Tensor, centre: Tensor, radius: int, temperature: Tensor | float
) -> Tensor:
    """Compare feature vectors with windows of moving cells.

    Parameters
    ----------
    queries : Tensor of shape (B, N, C)
    moving : Tensor of shape (B, C, h, w)
    centre : Tensor of int64, shape (B, N, 2)
        The windows' central cells; outside the grid nothing matches.
    radius : int
        The window has (2 r + 1)^2 cells.
    temperature : float

    Returns
    -------
    Tensor of float32, shape (B, N, (2 r + 1)^2)
        Row by row.
    """
    rows, cols = moving.shape[-2:]
    side = torch.arange(-radius, radius + 1, device=moving.device)
    place = centre[:, :, None] + torch.cartesian_prod(side, side).flip(1)
    known = ((place >= 0) & (place < place.new_tensor([cols, rows]))).all(-1)
    index = place[..., 1].clamp(0, rows - 1) * cols + place[..., 0].clamp(0, cols - 1)
    batch, count, window = index.shape
    channels = moving.shape[1]
    keys = moving.flatten(2).gather(2, index.view(batch, 1, -1).expand(-1, channels, -1))
    keys = keys.view(batch, channels, count, window)
    logits = torch.einsum("bnc,bcnk->bnk", queries.float(), keys.float()) / temperature
    return logits.masked_fill(~known, -BIG)


def subpixel_peak(logits: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Read the sub-cell peak off windows.

    Parameters
    ----------
    logits : Tensor of shape (B, N, side^2)
    side : int

    Returns
    -------
    place : Tensor of shape (B, N, 2)
        (x, y) from the window's first cell: the mean over the 3 x 3 cells around the highest.
        Over a wide window it would be drawn to the middle.
    weight : Tensor of shape (B, N)
        Probability of those cells.
    """
    best = logits.argmax(2)
    y, x = torch.div(best, side, rounding_mode="floor"), best % side
    step = torch.tensor([-1, 0, 1], device=logits.device)
    near = torch.cartesian_prod(step, step)
    ny, nx = y[..., None] + near[:, 0], x[..., None] + near[:, 1]
    known = (ny >= 0) & (ny < side) & (nx >= 0) & (nx < side)
    index = ny.clamp(0, side - 1) * side + nx.clamp(0, side - 1)
    share = logits.softmax(2).gather(2, index) * known
    weight = share.sum(2)
    share = share / weight[..., None].clamp_min(1e-12)
    return torch.stack([(share * nx).sum(2), (share * ny).sum(2)], -1), weight


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
        score = _weight_near(affine, points, places, trust).masked_fill(~sane, -1.0)
        best = affine[torch.arange(len(points)), score.argmax(1)]
        for scale in SCALES[:-1]:
            near = _geman_mcclure(squared_residual(best, points, places), scale)
            best = fit_affine(points, places, trust * near)
    near = _geman_mcclure(squared_residual(best, points, places), SCALES[-1])
    return fit_affine(points, places, (weights + 1e-9) * near)


def _weight_near(affine: Tensor, points: Tensor, places: Tensor, trust: Tensor) -> Tensor:
    """Return the weight (B, K) of the matches that each of many affines (B, K, 2, 3) brings close.

    A coordinate at a time, in place: all pairs of affines and matches do not fit the cache.
    """
    whole = torch.cat([points, torch.ones_like(points[..., :1])], -1).mT
    x, y = (
        torch.baddbmm(places[..., axis][:, None], affine[:, :, axis], whole, beta=-1)
        for axis in (0, 1)
    )
    close = x.square_().addcmul_(y, y).mul_(-0.5).exp_()
    return (close @ trust[..., None])[..., 0]


def squared_residual(affine: Tensor, points: Tensor, places: Tensor) -> Tensor:
    """Squared distance (..., N) of mapped points from their places."""
    mapped = points @ affine[..., :2].transpose(-1, -2) + affine[..., 2].unsqueeze(-2)
    return (mapped - places).square().sum(-1)


def _geman_mcclure(squared: Tensor, scale: float) -> Tensor:
    return (scale**2 / (scale**2 + squared)).square()


def smooth_residual(rigid: Tensor, places: Tensor, trust: Tensor, sigma: float) -> Tensor:
    """Average by trust what differs from rigid places.

    Far from the rigid places, an answer is more likely wrong than bent; without trust nothing
    bends.

    Parameters
    ----------
    rigid, places : Tensor of shape (h, w, 2)
        Two answers to where each fixed cell lies.
    trust : Tensor of shape (h, w)
        Of `places`, in [0, 1].
    sigma : float
        Of the Gaussian average, in cells.

    Returns
    -------
    Tensor of shape (h, w, 2)
    """
    rest = places - rigid
    weight = trust / (1 + rest.square().sum(-1) / sigma**2).square()
    both = torch.cat([rest * weight[..., None], weight[..., None]], -1).permute(2, 0, 1)
    total = gaussian_blur(both[None], sigma)[0]
    return rigid + (total[:2] / (total[2:] + NO_BEND)).permute(1, 2, 0)
