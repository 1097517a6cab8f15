import pytest
import torch

from napari_mmreg.alignment.bspline import control_grid
from napari_mmreg.alignment.elastic.solver import (
    fit_votes,
    follow_gradients,
    linearise,
    robust_weight,
)
from napari_mmreg.nn.sampling import pixel_grid, sample

LIKE = torch.zeros(1, dtype=torch.float64)
GRID = control_grid(20, 28, 6, LIKE)
BATCH, ROWS, COLS = 2, 20, 28


def penalty(bending=1e-3, membrane=1e-3):
    one = bending * GRID.roughness(2) + membrane * GRID.roughness(1)
    return one.expand(BATCH, -1, -1)


def waves():
    """Two channels with structure in both directions, (1, 2, rows, cols) as a function."""

    def picture(points):
        x, y = points.unbind(-1)
        return torch.stack([(x / 3).sin() + (y / 4).cos(), (x / 5 + y / 3).sin()], 1)

    return picture


def bent(amount=1.0):
    base = pixel_grid(ROWS, COLS, LIKE)[None].expand(BATCH, -1, -1, -1)
    x, y = base.unbind(-1)
    return base, amount * torch.stack([(y / 9).sin(), (x / 11).cos() - 0.5], -1)


def test_votes_are_followed_where_they_are_sure_and_along_their_direction():
    target = torch.zeros(BATCH, ROWS, COLS, 2, dtype=torch.float64)
    target[..., 0], target[..., 1] = 2.0, -1.0
    only_x = torch.zeros(BATCH, 3, ROWS, COLS, dtype=torch.float64)
    only_x[:, 0] = 5.0
    found = fit_votes(GRID, target, only_x, penalty(), 1e-6)
    torch.testing.assert_close(found[..., 0], target[..., 0], atol=1e-3, rtol=0)
    assert found[..., 1].abs().max() < 1e-9


def test_no_vote_and_no_confidence_move_nothing():
    none = torch.zeros(BATCH, 3, ROWS, COLS, dtype=torch.float64)
    target = torch.full((BATCH, ROWS, COLS, 2), 3.0, dtype=torch.float64)
    assert fit_votes(GRID, target, none, penalty(), 1e-2).abs().max() == 0
    picture, (base, field) = waves(), bent()
    zeros = torch.zeros_like(field)
    fields, _, weight = follow_gradients(
        GRID,
        linearise(picture(base)),
        picture(base + field),
        torch.ones(BATCH, 1, ROWS, COLS, dtype=torch.float64),
        torch.zeros(BATCH, ROWS, COLS, dtype=torch.float64),
        zeros,
        penalty(),
        steps=3,
        robust=0.05,
        ridge=1e-3,
    )
    assert all(f.abs().max() == 0 for f in fields)
    assert weight.abs().max() == 0


def test_gradients_lead_to_the_displacement():
    picture, (base, field) = waves(), bent()
    moving = picture(base)
    fixed = picture(base + field)  # what moving shows at p + field(p)
    confidence = torch.ones(BATCH, ROWS, COLS, dtype=torch.float64)
    fields, *_ = follow_gradients(
        GRID,
        linearise(fixed),
        moving,
        torch.ones(BATCH, 1, ROWS, COLS, dtype=torch.float64),
        confidence,
        torch.zeros_like(field),
        penalty(1e-4, 1e-5),
        steps=6,
        robust=0.05,
        ridge=1e-6,
    )
    inside = (slice(None), slice(4, -4), slice(4, -4))
    errors = [float((f - field)[inside].norm(dim=-1).mean()) for f in fields]
    before = float(field[inside].norm(dim=-1).mean())
    assert errors[-1] < 0.1 * before
    assert errors[-1] < errors[0]


def test_contradicted_votes_count_less():
    field = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    target = torch.tensor([[[[0.0, 0.0], [3.0, 0.0]]]], dtype=torch.float64)
    precision = torch.zeros(1, 3, 1, 2, dtype=torch.float64)
    precision[:, 0], precision[:, 2] = 2.0, 2.0
    weight = robust_weight(field, target, precision, torch.tensor(6.0, dtype=torch.float64))
    torch.testing.assert_close(weight, torch.tensor([[[1.0, 0.25]]], dtype=torch.float64))


@pytest.mark.parametrize("part", ["votes", "gradients"])
def test_the_gradient_is_exact(part):
    grid = control_grid(7, 8, 4, LIKE)
    rough = 0.1 * grid.roughness(1)[None]
    torch.manual_seed(0)

    def rand(*shape):
        return torch.rand(*shape, dtype=torch.float64, requires_grad=True)

    def votes(target, precision, stiffness):
        xx, yy = precision[:, 0] + 1, precision[:, 2] + 1
        whole = torch.stack([xx, 0.3 * precision[:, 1], yy], 1)
        return fit_votes(grid, target, whole, rough * stiffness, 1e-2)

    def gradients(fixed, moving, confidence, stiffness):
        fields, *_ = follow_gradients(
            grid,
            linearise(fixed),
            moving,
            torch.ones(1, 1, 7, 8, dtype=torch.float64),
            confidence,
            torch.zeros(1, 7, 8, 2, dtype=torch.float64),
            rough * stiffness,
            steps=2,
            robust=0.05,
            ridge=1e-2,
        )
        return fields[-1]

    if part == "votes":
        assert torch.autograd.gradcheck(votes, (rand(1, 7, 8, 2), rand(1, 3, 7, 8), rand(1, 1, 1)))
    else:
        inputs = rand(1, 2, 7, 8), rand(1, 2, 7, 8), rand(1, 7, 8), rand(1, 1, 1)
        assert torch.autograd.gradcheck(gradients, inputs, atol=1e-4)


def test_sample_is_what_the_fields_mean():
    base, field = bent()
    picture = waves()
    pulled = sample(picture(base), base + field)
    inside = (slice(None), slice(None), slice(3, -3), slice(3, -3))
    torch.testing.assert_close(pulled[inside], picture(base + field)[inside], atol=0.1, rtol=0)
