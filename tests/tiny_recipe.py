"""A small dense matcher that proves the trainer.

Modality-robust input channels, a residual encoder to 1/8, a matching loss on all pairs of cells,
and a head at 1/4 that matches inside small windows. It predicts an affine transform, fitted
robustly to the matches and refitted at 1/4, plus the smoothed rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.nn.gradients import orientation_channels
from napari_mmreg.nn.matching import subpixel_peak, window_logits
from napari_mmreg.nn.sampling import gaussian_blur
from napari_mmreg.training.appearance import local_contrast
from napari_mmreg.training.batches import BatchConfig, TrainingBatch
from napari_mmreg.training.losses import cell_centres, matching_loss, window_loss
from napari_mmreg.training.recipe import FlowRecipe, Optimisation, list_recipes, register_recipe

_ORIENTATIONS = 9
_COARSE, _FINE = 8, 4
_RADIUS = 3  # of the fine windows, in cells


class _Block(nn.Module):
    """Residual block; edges are replicated, because zeros would tell cells where they are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(width, width),
            nn.GroupNorm(4, width),
            nn.GELU(),
            _convolution(width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _convolution(inward: int, outward: int) -> nn.Conv2d:
    return nn.Conv2d(inward, outward, 3, padding=1, padding_mode="replicate")


class TinyMatcher(nn.Module):
    """Features of unit length at 1/8 and 1/4; the same weights see both images.

    Parameters
    ----------
    width : int
        Channels at 1/2; twice as many at 1/4, four times as many at 1/8. A multiple of 4.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        half, quarter, eighth = width, 2 * width, 4 * width
        self.stem = nn.Sequential(_convolution(_ORIENTATIONS + 1, half), nn.GELU(), _Block(half))
        self.quarter = nn.Sequential(_convolution(half, quarter), nn.GELU(), _Block(quarter))
        self.eighth = nn.Sequential(
            _convolution(quarter, eighth), nn.GELU(), _Block(eighth), _Block(eighth)
        )
        self.coarse = nn.Conv2d(eighth, eighth, 1)
        self.lateral = nn.Conv2d(eighth, quarter, 1)
        self.fine = nn.Sequential(_Block(quarter), nn.Conv2d(quarter, quarter, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, C, H/8, W/8) and (B, C', H/4, W/4) of grey images in [0, 1]."""
        channels = torch.cat([local_contrast(image), orientation_channels(image)], 1)
        half = self.stem(F.avg_pool2d(channels, 2))
        quarter = self.quarter(F.avg_pool2d(half, 2))
        eighth = self.eighth(F.avg_pool2d(quarter, 2))
        context = F.interpolate(self.lateral(eighth), size=quarter.shape[-2:], mode="bilinear")
        fine = self.fine(quarter + context)
        return F.normalize(self.coarse(eighth), dim=1), F.normalize(fine, dim=1)


def fit_affine(source: Tensor, target: Tensor, weight: Tensor, scales: list[float]) -> Tensor:
    """Fit (B, 2, 3) affine maps to matches (B, N, 2) by reweighted least squares.

    `scales` are the residuals in px at which a match loses three quarters of its weight, one
    per turn.
    """
    middle = source.mean(1, keepdim=True)
    ones = torch.ones_like(source[..., :1])
    basis = torch.cat([(source - middle) / 100.0, ones], -1).double()
    target = target.double()
    robust = weight.double()
    solution = basis.new_zeros(len(basis), 3, 2)
    ridge = 1e-6 * torch.eye(3, dtype=torch.float64, device=basis.device)
    for scale in scales:
        weighted = basis * robust[..., None]
        normal = weighted.transpose(1, 2) @ basis / robust.sum(1).clamp_min(1e-9)[:, None, None]
        right = weighted.transpose(1, 2) @ target / robust.sum(1).clamp_min(1e-9)[:, None, None]
        solution = torch.linalg.solve(normal + ridge, right)
        squared = (basis @ solution - target).square().sum(-1)
        robust = weight.double() / (1 + squared / scale**2).square()
    linear = solution[:, :2].transpose(1, 2) / 100.0
    shift = solution[:, 2] - (linear @ middle.double().transpose(1, 2))[..., 0]
    return torch.cat([linear, shift[..., None]], 2).float()


def _apply(affine: Tensor, points: Tensor) -> Tensor:
    return points @ affine[:, :, :2].transpose(1, 2) + affine[:, None, :, 2]


@dataclass(frozen=True, kw_only=True)
class TinyRecipe(FlowRecipe):
    """Matching losses at 1/8 and 1/4."""

    name: str = "tiny"
    batches: BatchConfig = field(default_factory=lambda: BatchConfig(batch=4, sizes=((192, 192),)))
    optimisation: Optimisation = field(default_factory=lambda: Optimisation(learning_rate=2e-3))
    constructor: Mapping[str, Any] = field(default_factory=lambda: {"width": 16})
    notes: str = "Symmetric matching cross-entropy at 1/8, window matching at 1/4; a smoke recipe."

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a `TinyMatcher`."""
        return TinyMatcher(**config)

    def loss(
        self,
        model: nn.Module,
        batch: TrainingBatch,
        progress: float,
    ) -> dict[str, Tensor]:
        """Return the matching losses."""
        count = len(batch.fixed)
        coarse, fine = model(torch.cat([batch.fixed, batch.moving]))
        return {
            "coarse": matching_loss(
                coarse[:count], coarse[count:], batch.flow, batch.valid, stride=_COARSE
            ),
            "fine": self._window_loss(fine[:count], fine[count:], batch),
        }

    def _window_loss(self, fixed: Tensor, moving: Tensor, batch: TrainingBatch) -> Tensor:
        """Cross-entropy inside windows that start within two cells of the truth."""
        rows, cols = fixed.shape[-2:]
        size = (len(fixed), min(512, rows * cols))
        cells = torch.randint(rows * cols, size, device=fixed.device)
        grid = _cells(batch.flow, batch.valid, (rows, cols))
        place, known = (v.gather(1, cells[..., None].expand(-1, -1, v.shape[2])) for v in grid)
        start = (place + 4 * torch.rand_like(place) - 2).round()
        logits = window_logits(_pick(fixed, cells), moving, start.long(), _RADIUS, 0.1)
        return window_loss(logits, place - start, known[..., 0])

    def predict_flow(
        self,
        model: nn.Module,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> Tensor:
        """Return an affine flow fitted to the matches, plus their smoothed rest."""
        count, (height, width) = len(fixed), fixed.shape[-2:]
        coarse, fine = model(torch.cat([fixed, moving]).mean(1, keepdim=True))
        affine = self._coarse_fit(coarse[:count], coarse[count:])
        rows, cols = fine.shape[-2:]
        source = cell_centres(rows, cols, _FINE, (_FINE - 1) / 2, fine).expand(count, -1, -1)
        queries = fine[:count].flatten(2).transpose(1, 2)
        target, weight = source, torch.ones_like(source[..., 0])
        for _ in range(2):
            guess = (_apply(affine, source) - (_FINE - 1) / 2) / _FINE
            logits = window_logits(queries, fine[count:], guess.round().long(), _RADIUS, 0.1)
            peak, weight = subpixel_peak(logits, 2 * _RADIUS + 1)
            target = (guess.round() - _RADIUS + peak) * _FINE + (_FINE - 1) / 2
            affine = fit_affine(source, target, weight, [8.0, 4.0, 2.0, 2.0])
        rest = target - _apply(affine, source)
        weight = weight / (1 + rest.square().sum(-1) / 16.0).square()
        grid = torch.cat([rest * weight[..., None], weight[..., None]], -1)
        grid = gaussian_blur(grid.transpose(1, 2).reshape(count, 3, rows, cols), 4.0)
        rest = grid[:, :2] / (grid[:, 2:] + 0.05)
        dense = cell_centres(height, width, 1, 0, fine).expand(count, -1, -1)
        flow = (_apply(affine, dense) - dense).transpose(1, 2).reshape(count, 2, height, width)
        return flow + F.interpolate(rest, size=(height, width), mode="bilinear")

    def _coarse_fit(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Fit an affine map to the mutual best matches among all pairs of cells."""
        rows, cols = fixed.shape[-2:]
        offset = (_COARSE - 1) / 2
        similarity = torch.einsum("bcn,bcm->bnm", fixed.flatten(2), moving.flatten(2)) / 0.1
        both = similarity.softmax(1) * similarity.softmax(2)
        weight, best = both.max(2)
        mutual = both.argmax(1).gather(1, best) == torch.arange(rows * cols, device=fixed.device)
        place = cell_centres(rows, cols, _COARSE, offset, fixed)
        source = place.expand(len(fixed), -1, -1)
        target = place[best]
        scales = [64.0, 32.0, 16.0, 12.0, 8.0, 8.0, 8.0]
        return fit_affine(source, target, weight * mutual + 1e-6, scales)


def _pick(features: Tensor, cells: Tensor) -> Tensor:
    """Return the features (B, N, C) of cells (B, N), counted row by row."""
    flat = features.flatten(2).transpose(1, 2)
    return flat.gather(1, cells[..., None].expand(-1, -1, flat.shape[2]))


def _cells(flow: Tensor, valid: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the true places of the cells at 1/4 on the moving grid, and their validity."""
    rows, cols = grid
    mean = F.avg_pool2d(flow, _FINE)[..., :rows, :cols] / _FINE
    known = F.avg_pool2d(valid.float(), _FINE)[..., :rows, :cols] > 0.999
    place = cell_centres(rows, cols, 1, 0, flow) + mean.flatten(2).transpose(1, 2)
    return place, known.float().flatten(2).transpose(1, 2)


if "tiny" not in list_recipes():
    register_recipe("tiny", TinyRecipe)
