"""RFNet: shapes, what its parts promise, its schedule, and gradients through every loss."""

import math
from dataclasses import asdict, replace

import pytest
import torch

from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.network import RFNet, composed
from napari_mmreg.nn.deform import DeformConv2d
from napari_mmreg.nn.global_affine import affine_flow
from napari_mmreg.nn.sampling import fill_outside, warp
from napari_mmreg.training import rfnet_losses as losses
from napari_mmreg.training.recipes.rfnet import RECIPE

SMALL = RFNetConfig(translator=(8, 8), style=4, widths=(8, 12, 16), fusion=(6, 8), fine=8)
EARLY, MIDDLE, LATE = 0.1, 0.4, 0.9


def images(rows=64, cols=96, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch, 1, rows // 4, cols // 4, generator=generator)
    return torch.nn.functional.interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


def network(**change):
    torch.manual_seed(0)
    return RFNet(replace(SMALL, **change))


@pytest.mark.parametrize(
    "change",
    [{}, {"translate": False}, {"deformable": False}, {"structure": False}, {"head": "regression"}],
    ids=str,
)
def test_every_variant_gives_a_flow_of_the_images_size(change):
    model = network(**change).eval()
    fixed, moving = images(seed=1), images(seed=2)
    with torch.inference_mode():
        one, two = model(fixed, moving), model(fixed, moving)
    assert one.flow.shape == (2, 2, 64, 96)
    assert one.coarse.affine.shape == (2, 2, 3)
    assert torch.isfinite(one.flow).all()
    torch.testing.assert_close(one.flow, two.flow, rtol=0, atol=0)
    sampled = any(isinstance(part, DeformConv2d) for part in model.modules())
    assert sampled == change.get("deformable", True)
    assert (one.shown[1] is moving) == (not change.get("translate", True))


def test_sides_must_be_multiples_of_the_coarsest_stride():
    with pytest.raises(ValueError, match="multiples of 8"):
        network()(images(44, 64), images(44, 64))


def test_the_regression_head_starts_at_the_identity():
    affine = network(head="regression")(images(seed=1), images(seed=2)).coarse.affine
    torch.testing.assert_close(affine, torch.eye(2, 3).repeat(2, 1, 1))


def test_an_image_and_its_shifted_self_match_even_untrained():
    model = network(translate=False).eval()
    picture = images(96, 128, batch=1)
    # moving(x + 8, y + 16) = fixed(x, y)
    fixed, moving = picture[..., 16:80, 8:104], picture[..., :64, :96]
    with torch.inference_mode():
        affine = model(fixed, moving).coarse.affine
    wanted = torch.tensor([[[1.0, 0.0, 8.0], [0.0, 1.0, 16.0]]])
    torch.testing.assert_close(affine[..., :2], wanted[..., :2], atol=0.02, rtol=0)
    torch.testing.assert_close(affine[..., 2], wanted[..., 2], atol=1.0, rtol=0)


def test_translated_images_are_pictures_in_the_targets_style():
    translator = network().translator
    torch.nn.init.normal_(translator.norm.to_statistics.weight)
    image = images(seed=1)
    made = translator(image, images(seed=2))
    assert made.shape == image.shape
    assert made.min() >= 0
    assert made.max() <= 1
    assert (made - translator(image, 0.3 * images(seed=3))).abs().max() > 1e-3
    # A flat target has a look, too.
    assert torch.isfinite(translator(image, torch.zeros_like(image))).all()


def test_nothing_outside_the_masks_reaches_the_answer():
    model = network().eval()
    fixed, moving = images(seed=1), images(seed=2)
    mask = torch.ones_like(fixed)
    mask[..., 80:] = 0
    painted = torch.where(mask > 0, moving, torch.ones_like(moving))
    with torch.inference_mode():
        one, two = model(fixed, moving, mask, mask), model(fixed, painted, mask, mask)
    torch.testing.assert_close(one.flow, two.flow)
    filled = fill_outside(moving, mask)
    torch.testing.assert_close(filled[:, 0, 0, 90], moving[..., :80].mean((1, 2, 3)))


def test_the_fine_stage_starts_at_zero():
    found = network()(images(seed=1), images(seed=2))
    assert not found.field.any()
    torch.testing.assert_close(
        found.flow, affine_flow(found.coarse.affine, 64, 96, 1), atol=1e-4, rtol=0
    )


def test_the_fine_field_never_leaves_its_reach():
    model = network(reach=3.0)
    torch.nn.init.normal_(model.f2m.deformation.last.weight, std=50.0)
    field = model(images(seed=1), images(seed=2)).field
    assert 2.9 < field.abs().max() <= 3.0 + 1e-5


def test_affine_after_field():
    affine = torch.tensor([[[1.1, 0.2, 3.0], [-0.1, 0.9, -2.0]]])
    field = torch.zeros(1, 2, 8, 10)
    field[0, 0], field[0, 1] = 1.5, -0.5
    flow = composed(affine, field)
    # Pixel (x 4, y 5) goes to (5.5, 4.5), then through the affine.
    place = torch.tensor([1.1 * 5.5 + 0.2 * 4.5 + 3, -0.1 * 5.5 + 0.9 * 4.5 - 2])
    torch.testing.assert_close(flow[0, :, 5, 4], place - torch.tensor([4.0, 5.0]))


@pytest.mark.parametrize("shape", [(17, 31), (1, 1), (64, 48)])
def test_it_fuses_pictures_of_any_size(shape):
    model = network().eval()
    one, two = torch.rand(1, 1, *shape), torch.rand(1, 1, *shape)
    fused = model.fuse(one, two)
    assert fused.shape == one.shape
    assert fused.min() >= 0
    assert fused.max() <= 1
    torch.testing.assert_close(fused, model.fuse(one, two), rtol=0, atol=0)


def test_both_images_start_with_the_same_say():
    model = network().eval()
    one, two = images(seed=1), images(seed=2)
    torch.testing.assert_close(model.fuse(one, two), model.fuse(two, one))


def test_fusing_through_a_field_is_fusing_what_was_bent_before():
    model = network().eval()
    fixed, moving = images(batch=1, seed=1), images(batch=1, seed=2)
    field = torch.zeros(1, 2, 64, 96)
    field[:, 0], field[:, 1] = 3.0, -2.0
    one = model.f2m.fuse(fixed, moving, field)
    two = model.f2m.fuse(fixed, warp(moving, field))
    inner = (..., slice(12, -12), slice(12, -12))
    # The attention sees whole images, whose borders differ a little.
    torch.testing.assert_close(one[inner], two[inner], atol=2e-3, rtol=0)


def parts(model):
    return {
        "translator": model.translator,
        "affine": model.affine,
        "deformation": model.f2m.deformation,
        "fusion": torch.nn.ModuleList(model.f2m.fusion_parts()),
    }


@pytest.mark.parametrize(
    ("progress", "learning"),
    [
        (EARLY, {"translator", "fusion"}),
        (MIDDLE, {"affine"}),
        (LATE, {"affine", "deformation"}),
    ],
)
def test_the_schedule_freezes_what_does_not_learn(progress, learning, synthetic_batch):
    model = network().train()
    RECIPE.prepare(model, progress)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    terms = RECIPE.loss(model, synthetic_batch, progress)
    torch.stack([v for k, v in terms.items() if not k.startswith("log_")]).sum().backward()
    for name, part in parts(model).items():
        gradients = [p.grad for p in part.parameters()]
        if name in learning:
            assert any(g is not None and g.abs().sum() > 0 for g in gradients), name
        else:
            assert all(g is None for g in gradients), name
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert all("adapt.0" in name for name in moved)
    assert bool(moved) == ("fusion" in learning)


@pytest.mark.parametrize(
    ("changes", "progress", "names"),
    [
        ({}, EARLY, {"reconstruction", "translation", "fusion"}),
        ({}, MIDDLE, {"similarity", "overlap", "affine", "match", "vote"}),
        ({"supervised": False, "similarity": "l1"}, MIDDLE, {"similarity", "overlap"}),
        (
            {},
            LATE,
            {"similarity", "overlap", "affine", "match", "vote"}
            | {"deformation", "folding", "field", "error"},
        ),
        (
            {"supervised_field": False, "supervised": False},
            LATE,
            {"similarity", "overlap", "deformation", "folding", "error", "log_field"},
        ),
    ],
)
def test_gradients_flow_through_every_loss(changes, progress, names, synthetic_batch):
    recipe = replace(RECIPE, **changes)
    torch.manual_seed(0)
    model = recipe.build_model(asdict(SMALL)).train()
    # Away from the start, where the field is zero and its features get no gradient.
    torch.nn.init.normal_(model.f2m.deformation.last.weight, std=0.3)
    recipe.prepare(model, progress)
    terms = recipe.loss(model, synthetic_batch, progress)
    assert set(terms) == names
    learning = [p for p in model.parameters() if p.requires_grad]
    for name, term in terms.items():
        assert math.isfinite(float(term.detach())), name
        # Nothing folds, and the overlap is large: the guards have nothing to do.
        if name in ("folding", "overlap"):
            assert float(term.detach()) < 0.1
            continue
        found = torch.autograd.grad(term, learning, retain_graph=True, allow_unused=True)
        size = sum(float(g.abs().sum()) for g in found if g is not None)
        assert math.isfinite(size), name
        assert size > 0, name


def test_what_the_true_affine_leaves_is_the_elastic_part(synthetic_batch):
    affine = synthetic_batch.matrix[:, :2]
    field, valid = losses.remaining(affine, synthetic_batch)
    assert field.shape == (2, 2, 16, 24)
    assert valid.shape == (2, 1, 16, 24)
    torch.testing.assert_close(field, torch.zeros_like(field), atol=1e-4, rtol=0)
    turned = torch.tensor([[[1.1, 0.1, 4.0], [-0.1, 1.0, 1.0]]]).repeat(2, 1, 1)
    field, _ = losses.remaining(turned, synthetic_batch)
    whole = torch.nn.functional.interpolate(field, scale_factor=4, mode="nearest")
    rebuilt = composed(turned, whole)[..., ::4, ::4]
    torch.testing.assert_close(rebuilt, synthetic_batch.flow[..., ::4, ::4], atol=1e-3, rtol=0)


def test_the_error_head_does_not_touch_what_it_judges(synthetic_batch):
    model = network()
    RECIPE.prepare(model, LATE)
    RECIPE.loss(model, synthetic_batch, LATE)["error"].backward()
    touched = {n.rsplit(".", 2)[0] for n, p in model.named_parameters() if p.grad is not None}
    assert touched == {"f2m.deformation.error"}
