"""FusionRegister: shapes, what its parts promise, its adapter, and correction of any size."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.models.fusionregister import correct as correction
from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.correct import correct
from napari_mmreg.models.fusionregister.model import FusionRegisterModel
from napari_mmreg.models.fusionregister.network import FusionRegister, probability
from napari_mmreg.models.fusionregister.prior import fused_prior
from napari_mmreg.models.fusionregister.retention import RetentionBlock, WindowMLP
from napari_mmreg.models.fusionregister.warping import corrected, fused_flow
from napari_mmreg.nn.sampling import warp
from napari_mmreg.run import Run

SMALL = FusionRegisterConfig(
    widths=(8, 12, 16), matched=(8, 8, 8), fused=4, hidden=8, width=8, blocks=1, detail=4
)
PAPER = replace(SMALL, localisation="paper", detail=8, warping="both")


def images(rows=64, cols=96, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch, 1, rows // 4, cols // 4, generator=generator)
    return torch.nn.functional.interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


def network(config=SMALL, **change):
    torch.manual_seed(0)
    return FusionRegister(replace(config, **change))


def awake(**change):
    """Return a network whose gate and bias, zero at the start, say something."""
    model = network(**change).eval()
    for level in model.localisation.levels:
        torch.nn.init.normal_(level.gate[-1].weight, std=0.3)
    torch.nn.init.normal_(model.retention.bias[-1].weight, std=0.02)
    return model


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        PAPER,
        replace(SMALL, retention=False),
        replace(PAPER, retention=False),
        replace(SMALL, warping="both"),
        replace(SMALL, warping="one"),
        replace(SMALL, strides=(4, 2), radii=(4, 2)),
        replace(SMALL, strides=(4,), radii=(3,)),
        replace(SMALL, windows=(1, 3, 5)),
    ],
)
def test_every_variant_answers_in_the_images_size_and_always_the_same(config):
    model = network(config).eval()
    fixed, moving, fused = (images(seed=seed) for seed in (1, 2, 3))
    with torch.inference_mode():
        one, two = model(fixed, moving, fused), model(fixed, moving, fused)
    assert one.flow.shape == one.fused_flow.shape == (2, 2, 64, 96)
    assert one.gate.shape == one.fused.shape == one.warped.shape == (2, 1, 64, 96)
    assert one.misregistered.shape == one.log_scale.shape == (2, 1, 16, 24)
    assert one.gate.min() >= 0
    assert one.gate.max() <= 1
    assert one.fused.min() >= 0
    assert one.fused.max() <= 1
    for name in ("flow", "gate", "fused", "misregistered", "log_scale"):
        assert torch.isfinite(getattr(one, name)).all(), name
        torch.testing.assert_close(getattr(one, name), getattr(two, name), rtol=0, atol=0)
    likely = probability(one.misregistered, (64, 96))
    assert likely.shape == (2, 1, 64, 96)
    assert likely.min() >= 0
    assert likely.max() <= 1


def test_sides_must_be_multiples_of_eight():
    with pytest.raises(ValueError, match="multiples of 8"):
        network()(images(44, 64), images(44, 64), images(44, 64))


def test_the_papers_size_is_the_papers():
    count = sum(p.numel() for p in FusionRegister(FusionRegisterConfig.paper()).parameters())
    assert count == pytest.approx(2.94e6, rel=0.02)


def test_the_small_weights_are_below_four_megabytes():
    count = sum(p.numel() for p in FusionRegister().parameters())
    assert 4 * count < 4e6


def test_settings_survive_json():
    import json
    from dataclasses import asdict

    assert FusionRegisterConfig.from_json(json.loads(json.dumps(asdict(PAPER)))) == PAPER


def field():
    generator = torch.Generator().manual_seed(5)
    return torch.nn.functional.interpolate(
        6 * torch.rand(2, 2, 8, 12, generator=generator) - 3, (64, 96), mode="bicubic"
    )


@pytest.mark.parametrize("warping", ["expected", "both"])
def test_the_gate_is_a_direction(warping):
    picture, phi, gate = images(), field(), images(seed=9)
    one = corrected(picture, phi, gate, warping)
    two = corrected(picture, -phi, 1 - gate, warping)
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)
    torch.testing.assert_close(fused_flow(phi, gate), fused_flow(-phi, 1 - gate), atol=1e-5, rtol=0)


def test_expected_warping_is_the_blend_where_the_gate_is_sure_and_no_ghost_elsewhere():
    picture, phi = images(), field()
    for value in (0.0, 1.0):
        gate = torch.full_like(picture, value)
        torch.testing.assert_close(
            corrected(picture, phi, gate, "expected"), corrected(picture, phi, gate, "both")
        )
    half = torch.full_like(picture, 0.5)
    torch.testing.assert_close(corrected(picture, phi, half, "expected"), picture)
    assert (corrected(picture, phi, half, "both") - picture).abs().mean() > 0.01
    assert torch.equal(corrected(picture, phi, half, "one"), warp(picture, phi))


def test_nothing_is_changed_at_the_start():
    model = network().eval()
    fixed, moving, fused = (images(seed=seed) for seed in (1, 2, 3))
    with torch.inference_mode():
        found = model(fixed, moving, fused)
    torch.testing.assert_close(found.gate, torch.full_like(found.gate, 0.5))
    torch.testing.assert_close(found.fused, fused, atol=1e-5, rtol=0)


def test_an_image_and_its_shifted_self_match_even_untrained():
    model = network(FusionRegisterConfig()).eval()
    picture = images(128, 160, batch=1)
    # moving(x + 4, y - 6) = fixed(x, y)
    fixed, moving = picture[..., 16:112, 16:144], picture[..., 22:118, 12:140]
    with torch.inference_mode():
        flow = model.localise(fixed, moving, fixed).flow
    inner = flow[..., 24:-24, 24:-24].mean((0, 2, 3))
    torch.testing.assert_close(inner, torch.tensor([4.0, -6.0]), atol=0.7, rtol=0)


def test_the_search_begins_where_it_is_told():
    model = network(FusionRegisterConfig()).eval()
    picture = images(128, 256, batch=1)
    # Out of reach of the local correlations, moving(x + 48, y) = fixed(x, y).
    fixed, moving = picture[..., 64:192], picture[..., 16:144]
    start = torch.zeros(1, 2, 128, 128)
    start[:, 0] = 46.0
    with torch.inference_mode():
        flow = model.localise(fixed, moving, fixed, start=start).flow
    assert float(flow[0, 0, 24:-24, 24:72].mean()) == pytest.approx(48, abs=1)
    paper = network(PAPER).eval()
    with torch.inference_mode():
        found = paper.localise(fixed, moving, fixed, start=start).flow
    assert float(found[:, 0].mean()) == pytest.approx(46, abs=2)


def test_nothing_outside_the_masks_reaches_the_answer():
    model = awake()
    fixed, moving, fused = (images(seed=seed) for seed in (1, 2, 3))
    mask = torch.ones_like(fixed)
    mask[..., 80:] = 0
    painted = torch.where(mask > 0, moving, torch.ones_like(moving))
    with torch.inference_mode():
        one = model(fixed, moving, fused, mask, mask)
        two = model(fixed, painted, fused, mask, mask)
    torch.testing.assert_close(one.flow, two.flow)
    torch.testing.assert_close(one.fused, two.fused)


def test_every_parameter_gets_a_gradient(synthetic_batch):
    from napari_mmreg.training.recipes.fusionregister import RECIPE

    model = network().train()
    for level in model.localisation.levels:
        torch.nn.init.normal_(level.gate[-1].weight, std=0.3)
    for parameter in (
        model.retention.bias[-1].weight,
        *(branch.mlps[1].gate.weight for branch in (model.retention.fixed, model.retention.moving)),
    ):
        torch.nn.init.normal_(parameter, std=0.1)
    sum(RECIPE.loss(model, synthetic_batch, 0.5).values()).backward()
    still = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert not still


def test_the_judge_does_not_touch_what_it_judges():
    model = network()
    found = model.localise(images(seed=1), images(seed=2), images(seed=3))
    (found.log_scale.sum() + found.misregistered.sum()).backward()
    touched = {n.rsplit(".", 2)[0] for n, p in model.named_parameters() if p.grad is not None}
    assert touched == {"localisation.judge.error", "localisation.judge.displaced"}


def test_windows_do_not_see_each_other():
    torch.manual_seed(0)
    mlp = WindowMLP(4, 3)
    torch.nn.init.normal_(mlp.gate.weight)
    features = torch.rand(1, 4, 8, 10)
    other = features.clone()
    other[..., 3:6, 6:9] += 1
    away = (mlp(features) - mlp(other)).abs().amax((0, 1)) > 1e-6
    assert away[3:6, 6:9].all()
    assert away.sum() == 9


def test_the_bias_knows_both_sources():
    torch.manual_seed(0)
    block = RetentionBlock(4)
    torch.nn.init.normal_(block.bias[-1].weight)
    fused, fixed, moving = (torch.rand(1, 4, 12, 15) for _ in range(3))
    bias, attention = block(fused, fixed, moving)
    assert bias.shape == (1, 1, 12, 15)
    assert (bias - block(fused, moving, fixed)[0]).abs().max() > 1e-4
    # A tile with the picture's attention is a part of the picture, but for what lies around.
    tile = block(*(part[..., :9] for part in (fused, fixed, moving)), attention)[0]
    torch.testing.assert_close(tile[..., :2], bias[..., :2], atol=1e-5, rtol=0)
    assert (block(*(p[..., :9] for p in (fused, fixed, moving)))[0] - tile).abs().max() > 1e-6


def test_the_prior_shows_either_image_alone_where_the_other_has_no_data():
    fixed, moving = torch.full((1, 1, 8, 12), 0.2), torch.full((1, 1, 8, 12), 0.6)
    here, there = torch.ones_like(fixed), torch.ones_like(fixed)
    here[..., :3], there[..., 9:] = 0, 0
    fused = fused_prior(lambda one, other: (one + other) / 2, fixed, moving, here, there)
    row = torch.tensor([0.6] * 3 + [0.4] * 6 + [0.2] * 3)
    torch.testing.assert_close(fused[0, 0, 0], row)


@pytest.mark.parametrize("shape", [(16, 16), (33, 200), (300, 47)], ids=str)
def test_the_adapter_takes_any_size_and_aspect(shape):
    fixed = np.random.default_rng(0).random(shape).astype(np.float32)
    pair = prepare_pair(fixed, 1 - fixed)
    model = FusionRegisterModel(awake())
    one, two = model.predict(pair, Run()), model.predict(pair, Run())
    assert np.isfinite(one.transform.displacement(pair.shape)).all()
    assert one.error_scale.shape == pair.shape
    likely = one.localisation
    assert likely.shape == pair.shape
    assert likely.dtype == np.float32
    assert 0 <= likely.min() <= likely.max() <= 1
    np.testing.assert_array_equal(likely, two.localisation)


def test_the_localisation_is_that_of_the_pair_as_it_came(monkeypatch):
    from napari_mmreg.models import cascade

    model = FusionRegisterModel(awake())
    answers = [torch.full((256, 256), value) for value in (0.25, 0.75)]

    def told(inputs):
        shape = inputs.fixed.shape[-2:]
        grid = cascade.pixel_grid(*shape, inputs.fixed)
        return cascade.NetworkOutput(
            grid, torch.ones(shape), localisation=answers.pop(0)[: shape[0], : shape[1]]
        )

    monkeypatch.setattr(model, "call_network", told)
    picture = np.random.default_rng(0).random((200, 240)).astype(np.float32)
    pair = prepare_pair(picture, 1 - picture)
    likely = model.predict(pair, Run()).localisation
    np.testing.assert_allclose(likely, 0.25)


def scene(rows, cols, seed=0):
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((rows, cols)), 2)
    fixed = ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)
    moving = np.roll(1 - fixed, (1, -2), (0, 1))
    return fixed, moving, (fixed + moving) / 2, np.ones(fixed.shape, bool)


@pytest.mark.parametrize("shape", [(17, 40), (63, 50), (70, 131)], ids=str)
def test_correction_takes_any_size(shape, monkeypatch):
    monkeypatch.setattr(correction, "COARSEST", 64)
    fixed, moving, fused, valid = scene(*shape)
    valid[:, :5] = False
    found = correct(awake(), fixed, moving, fused, valid, Run())
    assert found.fused.shape == found.misregistered.shape == shape
    assert found.displacement.shape == found.fused_displacement.shape == (*shape, 2)
    for part in (found.fused, found.displacement, found.fused_displacement, found.misregistered):
        assert part.dtype == np.float32
        assert np.isfinite(part).all()
    np.testing.assert_array_equal(found.fused[:, :5], fused[:, :5])
    assert not found.fused_displacement[:, :5].any()


def test_correction_without_overlap_changes_nothing():
    fixed, moving, fused, valid = scene(32, 40)
    found = correct(awake(), fixed, moving, fused, ~valid, Run())
    np.testing.assert_array_equal(found.fused, fused)
    assert not found.displacement.any()


def test_correction_wants_one_grid():
    fixed, moving, fused, valid = scene(32, 40)
    with pytest.raises(InputError, match="one grid"):
        correct(awake(), fixed, moving[1:], fused, valid, Run())


def test_correction_can_be_cancelled_between_tiles(monkeypatch):
    monkeypatch.setattr(correction, "COARSEST", 64)
    asked = []

    def cancel():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        correct(awake(), *scene(120, 120), Run(cancel=cancel), tile=48)


def test_progress_never_falls(monkeypatch):
    monkeypatch.setattr(correction, "COARSEST", 32)
    told = []
    correct(awake(), *scene(60, 90), Run(progress=lambda _, done: told.append(done)))
    assert len(told) == 3
    assert all(one < two for one, two in pairwise(told))
    assert told[-1] == pytest.approx(1)


def test_tiles_leave_no_seams(monkeypatch):
    monkeypatch.setattr(correction, "COARSEST", 192)
    parts = scene(240, 380)
    whole = correct(awake(), *parts, Run(), tile=10_000)
    tiled = correct(awake(), *parts, Run(), tile=120)
    assert np.abs(whole.displacement).mean() > 0.5
    assert np.abs(whole.fused - parts[2]).mean() > 1e-3
    # Random weights amplify ties; what differs is where matches are undecided.
    assert np.quantile(np.abs(whole.displacement - tiled.displacement), 0.99) < 0.1
    assert np.quantile(np.abs(whole.fused - tiled.fused), 0.99) < 0.004
