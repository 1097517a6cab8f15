"""FusionRegister's losses on cases whose value is known, and its recipe."""

import math
from dataclasses import asdict, replace

import pytest
import torch

from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.localisation import Localisation
from napari_mmreg.models.fusionregister.network import Answer
from napari_mmreg.nn.laplacian import laplacian_fusion
from napari_mmreg.nn.sampling import warp
from napari_mmreg.training import fusionregister_losses as losses
from napari_mmreg.training.backbones import BACKBONES
from napari_mmreg.training.batches import TrainingBatch
from napari_mmreg.training.recipes.fusionregister import RECIPE

SMALL = FusionRegisterConfig(widths=(8, 12, 16), matched=(8, 8, 8), fused=4, hidden=8, detail=4)


def texture(rows=64, cols=96, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch, 1, rows // 4, cols // 4, generator=generator)
    return torch.nn.functional.interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


@pytest.fixture
def batch():
    moving = texture(seed=3)
    flow = torch.zeros(2, 2, 64, 96)
    flow[0, 0], flow[0, 1] = 5.0, -3.0  # the second pair is aligned
    matrix = torch.eye(3).repeat(2, 1, 1)
    matrix[0, 0, 2], matrix[0, 1, 2] = 5.0, -3.0
    valid = torch.ones(2, 1, 64, 96, dtype=torch.bool)
    valid[0, :, :, -5:], valid[0, :, :3] = False, False
    aligned = warp(moving, flow)
    return TrainingBatch(
        fixed=1 - 0.8 * aligned, moving=moving, aligned=aligned,
        fixed_mask=torch.ones_like(valid), moving_mask=torch.ones_like(valid),
        flow=flow, valid=valid, inverse_flow=-flow, inverse_valid=valid, matrix=matrix,
        mono=torch.zeros(2, dtype=torch.bool), modalities=("a", "b"), tiers=("mild", "identity"),
    )  # fmt: skip


def answer(flow, image, log_odds=0.0):
    small = torch.zeros(2, 1, 16, 24)
    found = Localisation(flow, torch.ones_like(image), small - 4, small + log_odds, {}, {1: flow})
    return Answer(flow, found.gate, image, image, found.misregistered, found.log_scale, found, None)


def test_a_perfect_answer_costs_nothing_and_others_do(batch):
    target = losses.aligned_fusion(laplacian_fusion, batch)
    perfect = losses.picture_losses(answer(batch.flow, target), target, batch.flow, batch.valid)
    assert set(perfect) == {"edge", "spatial", "frequency", "detail"}
    assert all(float(term) == 0 for term in perfect.values())
    ghost = laplacian_fusion(batch.fixed, batch.moving)
    doubled = losses.picture_losses(answer(batch.flow, ghost), target, batch.flow, batch.valid)
    assert all(float(term) > 1e-3 for term in doubled.values())
    found = losses.flow_losses(answer(batch.flow, target).localisation, batch)
    assert float(found["flow"]) == pytest.approx(0, abs=1e-5)
    still = losses.flow_losses(answer(0 * batch.flow, target).localisation, batch)
    # Half of the pixels are displaced by sqrt(34) px, fewer of them are valid.
    share = float(batch.valid[:1].sum() / batch.valid.sum())
    assert float(still["flow"]) == pytest.approx(share * math.sqrt(34), abs=0.06)


def test_every_sample_counts():
    """The released code compares the first sample with all targets."""
    one, target = texture(), texture()
    one[1] = 1 - one[1]
    mask = torch.ones_like(one, dtype=torch.bool)
    for loss in (losses.edge_loss, losses.spatial_loss, losses.frequency_loss, losses.detail_loss):
        assert float(loss(one, target, mask)) > 1e-3
        assert float(loss(one[:1], target[:1], mask[:1])) == 0


def test_losses_do_not_look_beyond_the_mask():
    one, target = texture(), texture()
    mask = torch.ones_like(one)
    one[..., 90:], mask[..., 88:] = 0.0, 0
    assert float(losses.spatial_loss(one, target, mask)) == 0
    assert float(losses.frequency_loss(one, target, mask)) == 0
    assert float(losses.detail_loss(one, target, mask)) == 0


def test_known_values():
    flat, mask = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    assert float(losses.spatial_loss(flat + 0.5, flat, mask)) == pytest.approx(0.25)
    # A constant has one coefficient, 256 times itself, of 16 x 9 kept by the real transform.
    assert float(losses.frequency_loss(flat + 0.5, flat, mask)) == pytest.approx(128 / 144)
    assert float(losses.edge_loss(flat + 0.5, flat, mask)) == pytest.approx(0, abs=1e-6)
    ramp = 0.1 * torch.arange(16.0).expand(1, 1, 16, 16)
    inner = torch.zeros_like(mask)
    inner[..., 1:-1, 1:-1] = 1
    assert float(losses.detail_loss(ramp, flat, inner)) == pytest.approx(0.01 / 2)


def test_details_count_where_the_truth_moves(batch):
    weight = losses.displaced_weight(batch.flow, batch.valid)
    assert losses.threshold(batch.flow) == 0.75
    assert torch.equal(weight[0], batch.valid[0].float())
    assert not weight[1].any()


def test_an_aligned_pair_should_come_out_as_it_is(batch):
    target = losses.aligned_fusion(laplacian_fusion, batch)
    fused = laplacian_fusion(batch.fixed, batch.moving).clamp(0, 1)
    torch.testing.assert_close(target[1], fused[1], atol=1e-5, rtol=0)
    assert (target[0] - fused[0]).abs().mean() > 0.01


def test_misregistration_is_scored_where_it_is_known(batch):
    def loss(odds):
        found = answer(batch.flow, batch.fixed).localisation
        found.misregistered = odds
        return float(losses.displaced_loss(found, batch))

    truth = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1).expand(2, 1, 16, 24)
    assert loss(0 * truth) == pytest.approx(math.log(2))
    assert loss(10 * truth) < 1e-3
    assert loss(-10 * truth) > 5


def test_the_gate_should_follow_what_comes_from_the_moving_image(batch):
    """A fused image that is the moving one moves with the field, the fixed one stays."""
    open_, shut = (torch.full_like(batch.fixed, value) for value in (1.0, 0.5))

    def loss(gate, fused, target):
        return float(losses.gate_loss(gate, fused, target, batch, "expected"))

    target = warp(batch.moving, batch.flow)
    assert loss(open_, batch.moving, target) == pytest.approx(0, abs=1e-5)
    assert loss(shut, batch.moving, target) > 0.01
    assert loss(shut, batch.fixed, batch.fixed) == pytest.approx(0, abs=1e-5)
    assert loss(open_, batch.fixed, batch.fixed) > 0.01


@pytest.mark.parametrize(
    ("changes", "config", "names"),
    [
        ({}, {}, {"flow", "smooth", "error", "displaced", "gate", "match", "vote"}),
        ({"field_free": True}, {}, set()),
        ({"start_share": 1.0, "unmasked_share": 1.0}, {}, None),
        ({"backbones": ("cnn",)}, {"warping": "both", "retention": False}, None),
        ({"backbones": ("f2m",)}, {"strides": (4, 2), "radii": (4, 2)}, None),
        (
            {},
            {"localisation": "paper", "width": 8, "blocks": 1, "detail": 8},
            {"flow", "smooth", "error", "displaced", "gate", "match", "vote"} - {"match", "vote"},
        ),
    ],
    # Sets have no order to be named by.
    ids=["default", "no field", "starts", "cnn", "f2m", "paper"],
)
def test_gradients_flow_through_every_loss(changes, config, names, batch):
    recipe = replace(RECIPE, **changes)
    torch.manual_seed(0)
    model = recipe.build_model({**asdict(SMALL), **config}).train()
    terms = recipe.loss(model, batch, 0.5)
    if names is not None:
        assert set(terms) == names | {"edge", "spatial", "frequency", "detail"}
    for name, term in terms.items():
        assert math.isfinite(float(term.detach())), name
        found = torch.autograd.grad(term, model.parameters(), retain_graph=True, allow_unused=True)
        size = sum(float(g.abs().sum()) for g in found if g is not None)
        assert math.isfinite(size), name
        assert size > 0, name


def test_batches_draw_all_backbones_and_the_model_holds_none(batch):
    generator = torch.Generator().manual_seed(0)
    drawn = {RECIPE._draw_backbone(batch, generator) for _ in range(30)}
    assert len(drawn) == len(BACKBONES)
    names = {name.split(".")[0] for name, _ in RECIPE.build_model(asdict(SMALL)).named_parameters()}
    assert names == {"localisation", "details", "retention"}


def test_it_learns_what_is_mild_and_what_is_aligned():
    tiers = RECIPE.batches.tiers
    assert set(tiers) == {"identity", "mild", "near"}
    assert 0.2 <= tiers["identity"] / sum(tiers.values()) <= 0.25


@pytest.mark.slow
def test_it_overfits_one_batch(batch):
    torch.manual_seed(0)
    recipe = replace(RECIPE, backbones=("laplacian",), start_share=0.0, unmasked_share=0.0)
    model = recipe.build_model(asdict(SMALL)).train()
    target = losses.aligned_fusion(laplacian_fusion, batch)
    fused = laplacian_fusion(batch.fixed, batch.moving).clamp(0, 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(45):
        optimiser.zero_grad()
        sum(recipe.loss(model, batch, 0.5).values()).backward()
        optimiser.step()
    with torch.inference_mode():
        found = model.eval()(batch.fixed, batch.moving, fused)
    error = losses.spatial_loss(found.fused, target, batch.valid)
    assert float(error) < 0.5 * float(losses.spatial_loss(fused, target, batch.valid))
    likely = found.misregistered.sigmoid().mean((1, 2, 3))
    assert float(likely[0]) > 0.8
    assert float(likely[1]) < 0.2
