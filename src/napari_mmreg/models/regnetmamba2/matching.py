"""From RegNetMamba-2's features to places: coarse matches, what they obey, fine matches.

The abstract of arXiv 2606.03341 gives matching probabilities at 1/8 and 1/2 and pixel-wise
correspondences; the windows, the guided second match and the fits are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.models.regnetmamba2.network import COARSE, FINE, Features
from napari_mmreg.nn.homography import fit_homography, transformed
from napari_mmreg.nn.matching import (
    robust_affine,
    smooth_residual,
    soft_matches,
    squared_residual,
    subpixel_peak,
    window_logits,
)
from napari_mmreg.nn.sampling import pixel_grid

SPACING = 4
"""Pixels between the points that are matched finely."""

RADII = (4, 2)
"""Reach of the two fine matches, in cells of 2 px, around what the matches before obey."""

SCALES = (12.0, 6.0, 3.0, 2.0)
"""Residual scales of the robust fits, in pixels."""

SMOOTH = 2.0
"""Gaussian sigma of what bends, in points."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What belongs together.

    Attributes
    ----------
    points : Tensor of shape (h, w, 2)
        A regular grid of fixed pixels, (x, y).
    places : Tensor of shape (h, w, 2)
        Their places in the moving image.
    probability : Tensor of shape (h, w)
        Of the fine match; 0 without data.
    matrix : Tensor of float64, shape (3, 3)
        The homography that most obey.
    consensus : float
        Share of the coarse matches' weight that obeys one affine map within two cells, times
        the mean weight: how much of the image locks together, in [0, 1].
    """

    points: Tensor
    places: Tensor
    probability: Tensor
    matrix: Tensor
    consensus: float


def coarse_affine(
    features: Features, temperature: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, float]:
    """Match all cells of one pair at 1/8.

    Returns
    -------
    affine : Tensor of shape (2, 3)
        Robust, on (x, y, 1), fixed to moving pixels.
    consensus : float
        See `Matches`.
    """
    fixed, moving = features.coarse
    places, weights = soft_matches(fixed, moving, temperature)
    if mask is not None:
        weights = weights * mask[..., ::COARSE, ::COARSE].flatten(1)
    points = pixel_grid(fixed.shape[-2], fixed.shape[-1], fixed).view(1, -1, 2)
    affine = robust_affine(points, places, weights)
    near = (squared_residual(affine, points, places) < 4).float()
    consensus = float((weights * near).sum() / weights.numel())
    affine = torch.cat([affine[..., :2], affine[..., 2:] * COARSE], -1)
    return affine[0], consensus


def match(
    features: Features, log_temperatures: Tensor, shape: tuple[int, int], mask: Tensor | None = None
) -> Matches:
    """Match one pair (batch of one) whose images have `shape` (rows, columns) pixels."""
    coarse, fine = log_temperatures.exp().float().unbind()
    affine, consensus = coarse_affine(features, coarse, mask)
    matrix = torch.eye(3, dtype=torch.float64, device=affine.device)
    matrix[:2] = affine.double()
    rows, cols = -(-shape[0] // SPACING), -(-shape[1] // SPACING)
    points = pixel_grid(rows, cols, features.fine[0]) * SPACING
    skip = SPACING // FINE
    queries = features.fine[0][..., ::skip, ::skip].flatten(2).transpose(1, 2)
    for radius in RADII:
        guess = (transformed(matrix, points.view(1, -1, 2)) / FINE).round().clamp(-1e4, 1e4)
        logits = window_logits(queries, features.fine[1], guess.long(), radius, fine)
        peak, weight = subpixel_peak(logits, 2 * radius + 1)
        places = (guess - radius + peak) * FINE
        if mask is not None:
            weight = weight * mask[..., ::SPACING, ::SPACING].flatten(1)
        matrix = fit_homography(points.view(-1, 2), places[0], weight[0], SCALES)
    return Matches(points, places.view(rows, cols, 2), weight.view(rows, cols), matrix, consensus)


def likeliest(matches: Matches, count: int) -> Tensor:
    """Return the matches that obey the homography within 3 px, at most `count`, likeliest first.

    Returns
    -------
    Tensor of shape (N, 5)
        x and y in the fixed and in the moving image, probability.
    """
    points, places = matches.points.flatten(0, 1), matches.places.flatten(0, 1)
    away = (transformed(matches.matrix, points) - places).norm(dim=1)
    weight = matches.probability.flatten() * (away < 3)
    order = weight.argsort(descending=True, stable=True)[:count]
    order = order[weight[order] > 0]
    return torch.cat([points[order], places[order], weight[order, None]], 1)


def dense_places(matches: Matches, shape: tuple[int, int]) -> Tensor:
    """Return the place of every pixel, (H, W, 2): the homography, and smoothly what is left."""
    rigid = transformed(matches.matrix, matches.points)
    bent = smooth_residual(rigid, matches.places, matches.probability, SMOOTH) - rigid
    grid = pixel_grid(shape[0], shape[1], bent)
    return transformed(matches.matrix, grid) + _dense(bent.permute(2, 0, 1), shape).permute(1, 2, 0)


def dense_error(matches: Matches, shape: tuple[int, int]) -> Tensor:
    """Return the expected length of the error of every pixel, (H, W), in pixels.

    An unlikely fine match is as good as a guess inside its window.
    """
    unsure = FINE * RADII[-1] * (1 - matches.probability)
    return _dense((0.5 + unsure)[None], shape)[0]


def _dense(maps: Tensor, shape: tuple[int, int]) -> Tensor:
    """Bring (C, h, w) at the points to all pixels: point j is at pixel SPACING * j."""
    rows, cols = maps.shape[-2:]
    size = [(rows - 1) * SPACING + 1, (cols - 1) * SPACING + 1]
    grown = F.interpolate(maps[None], size=size, mode="bilinear", align_corners=True)
    margin = (0, max(0, shape[1] - size[1]), 0, max(0, shape[0] - size[0]))
    return F.pad(grown, margin, mode="replicate")[0, :, : shape[0], : shape[1]]
