"""Matches from similarities, and the maps that most of them obey."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from napari_mmreg.nn.matching import (
    fit_affine,
    robust_affine,
    smooth_residual,
    soft_matches,
    subpixel_peak,
    window_logits,
)
from napari_mmreg.nn.sampling import pixel_grid
from napari_mmreg.training.losses import window_loss


def grid_points(rows, cols):
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], -1).float()[None]


def test_affine_survives_two_thirds_of_wild_matches():
    generator = torch.Generator().manual_seed(0)
    points = grid_points(16, 20)
    true = torch.tensor([[[0.95, -0.2, 3.0], [0.15, 1.05, -2.0]]])
    places = points @ true[..., :2].transpose(1, 2) + true[..., 2]
    wild = torch.rand(1, points.shape[1], generator=generator) < 0.66
    places[wild] = 20 * torch.rand(int(wild.sum()), 2, generator=generator)
    found = robust_affine(points, places, torch.ones(1, points.shape[1]))
    torch.testing.assert_close(found, true, atol=0.05, rtol=0)


def test_weighted_fit_is_exact_and_differentiable():
    points = grid_points(5, 7).double()
    true = torch.tensor([[[1.1, 0.1, 2.0], [-0.1, 0.9, 1.0]]], dtype=torch.float64)
    places = points @ true[..., :2].transpose(1, 2) + true[..., 2]
    weights = torch.rand(1, 35, dtype=torch.float64).requires_grad_()
    found = fit_affine(points, places, weights)
    torch.testing.assert_close(found, true, atol=1e-4, rtol=1e-4)
    found.square().sum().backward()
    assert torch.isfinite(weights.grad).all()


def test_window_match_finds_a_shift():
    """Moving features are the fixed ones, two cells to the right and one down."""
    torch.manual_seed(0)
    fixed = normalize(torch.randn(1, 24, 12, 16), dim=1)
    moving = fixed.roll((1, 2), (2, 3))
    query = fixed[:, :, 5, 7][:, None]
    logits = window_logits(query, moving, torch.tensor([[[7, 5]]]), 3, 0.05)
    peak, weight = subpixel_peak(logits, 7)
    assert torch.allclose(peak[0, 0] - 3, torch.tensor([2.0, 1.0]), atol=0.05)
    assert float(weight) > 0.9


def test_soft_matches_find_a_shift_between_grids_of_two_sizes():
    torch.manual_seed(0)
    moving = normalize(torch.randn(1, 24, 14, 17), dim=1)
    places, weights = soft_matches(moving[..., 2:12, 3:15], moving, 0.03)
    grid = pixel_grid(10, 12, places).reshape(1, -1, 2)
    assert torch.allclose(places - grid, torch.tensor([3.0, 2.0]).expand_as(grid), atol=0.05)
    assert float(weights.min()) > 0.8


def test_nothing_matches_outside_the_grid():
    moving = normalize(torch.ones(1, 4, 6, 6), dim=1)
    logits = window_logits(moving[:, :, 0, 0][:, None], moving, torch.tensor([[[0, 0]]]), 1, 0.1)
    probability = logits.softmax(2).view(3, 3)
    assert torch.allclose(probability[1:, 1:], torch.full((2, 2), 0.25))
    assert float(probability[0].sum()) == 0


def test_window_loss_is_least_at_the_true_place():
    offset = torch.tensor([[[0.25, -1.0]]])
    target = torch.full((1, 1, 25), 1e-9)
    target[0, 0, 1 * 5 + 2], target[0, 0, 1 * 5 + 3] = 0.75, 0.25
    known = torch.ones(1, 1)
    best = float(window_loss(target.log(), offset, known))
    assert best == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), abs=1e-4)
    assert float(window_loss(torch.zeros(1, 1, 25), offset, known)) == pytest.approx(math.log(25))
    assert float(window_loss(target.log(), offset + 10, known)) == 0


def test_distrusted_answers_do_not_bend():
    grid = pixel_grid(40, 60, torch.zeros(1))
    places = grid + torch.tensor([2.0, -1.0])
    sure = smooth_residual(grid, places, torch.ones(40, 60), 8.0)
    assert torch.allclose(sure, places, atol=0.1)
    unsure = smooth_residual(grid, places, torch.full((40, 60), 1e-4), 8.0)
    assert torch.allclose(unsure, grid, atol=0.05)
