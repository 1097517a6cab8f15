from dataclasses import replace

import pytest
import torch

from napari_mmreg.alignment.elastic.network import ElasticNetwork
from napari_mmreg.training.batches import BatchGenerator
from napari_mmreg.training.elastic_losses import elastic_errors, step_votes_loss, without_affine
from napari_mmreg.training.recipe import get_recipe


@pytest.fixture(scope="module")
def recipe():
    return get_recipe("elastic")


@pytest.fixture
def batch(recipe, pairs):
    config = replace(recipe.batches, batch=2, sizes=((64, 80),))
    return next(BatchGenerator(pairs, config, seed=0))


def test_an_affine_error_vanishes_and_a_bend_remains():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 30), torch.linspace(-1, 1, 40), indexing="ij")
    affine = torch.stack([2 + 0.5 * x - y, 0.3 * y - 1])[None]
    valid = torch.ones(1, 1, 30, 40)
    assert without_affine(affine, valid).abs().max() < 2e-3
    bend = torch.stack([torch.cos(6 * x), torch.sin(7 * y)])[None]
    torch.testing.assert_close(
        without_affine(bend + affine, valid), without_affine(bend, valid), atol=2e-3, rtol=0
    )
    assert without_affine(bend, valid).square().mean() > 0.5 * bend.square().mean()


def test_what_is_not_valid_does_not_count():
    error = torch.zeros(1, 2, 20, 20)
    error[..., 10:] = 50.0
    valid = torch.zeros(1, 1, 20, 20)
    valid[..., :10] = 1
    assert (without_affine(error, valid)[..., :10]).abs().max() < 1e-4


def test_every_parameter_learns(recipe, batch):
    torch.manual_seed(0)
    model = recipe.build_model(recipe.constructor)
    terms = recipe.loss(model, batch, 0.0)
    assert set(terms) == {"last", "error", "early", "votes", "log_bent", "log_bent_before"}
    assert all(value.isfinite() for value in terms.values())
    sum(value for name, value in terms.items() if not name.startswith("log_")).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


def test_a_few_steps_bring_the_loss_down(recipe, batch):
    torch.manual_seed(0)
    model = recipe.build_model(recipe.constructor)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    losses = []
    for _ in range(6):
        terms = recipe.loss(model, batch, 0.0)
        loss = sum(value for name, value in terms.items() if not name.startswith("log_"))
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.97 * losses[0]


def test_votes_are_asked_for_where_there_are_some(recipe, batch):
    model = recipe.build_model(recipe.constructor)
    known = torch.ones_like(batch.fixed)
    output = model(batch.fixed, batch.moving, known, known)
    with pytest.raises(ValueError, match="no votes"):
        step_votes_loss(output.steps[-1], batch)
    left, before = elastic_errors(output, batch)
    assert left > 0
    assert before > 0


def test_the_flow_has_the_size_of_the_images(recipe, batch):
    model = recipe.build_model(recipe.constructor)
    assert isinstance(model, ElasticNetwork)
    with torch.inference_mode():
        assert recipe.predict_flow(model, batch.fixed, batch.moving).shape == (2, 2, 64, 80)
