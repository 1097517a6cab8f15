"""SAS-Net: what its factors promise, its geometry, its recipe, and the model around it."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from skimage import data

from napari_mmreg.errors import Cancelled
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.models.cascade import NetworkInput
from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.model import SASNetModel
from napari_mmreg.models.sasnet.network import SASNet
from napari_mmreg.run import Run
from napari_mmreg.training import sasnet_losses as losses
from napari_mmreg.training.recipe import get_recipe
from napari_mmreg.training.recipes.sasnet import RECIPE

SMALL = SASNetConfig(
    widths=(8, 12, 16),
    blocks=(1, 1),
    appearance=(6, 8, 10),
    code=6,
    rendered=6,
    mixed=3,
    matched=8,
    hidden=8,
)


def images(rows=64, cols=96, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch, 1, rows // 4, cols // 4, generator=generator)
    return torch.nn.functional.interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


def network(**change):
    torch.manual_seed(0)
    return SASNet(replace(SMALL, **change))


@pytest.fixture
def loud():
    """A network whose renderer listens to the appearance, as a trained one does."""
    model = network().eval()
    for name, weight in model.renderer.named_parameters():
        if "to_statistics.weight" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return model


def test_the_papers_size():
    parameters = sum(p.numel() for p in SASNet(SASNetConfig.paper()).parameters())
    assert parameters == pytest.approx(3.35e6, rel=0.01)


def test_json_keeps_the_config():
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(SMALL).items()}
    assert SASNetConfig.from_json(settings) == SMALL


@pytest.mark.parametrize("change", [{}, {"structure": False}, {"radii": (2,)}], ids=str)
def test_every_variant_gives_a_flow_of_the_images_size(change):
    model = network(**change).eval()
    with torch.inference_mode():
        one, two = (model(images(seed=1), images(seed=2)) for _ in range(2))
    assert one.flow.shape == (2, 2, 64, 96)
    assert one.geometry.affine.shape == (2, 2, 3)
    assert one.geometry.log_scale.shape == (2, 1, 16, 24)
    assert torch.isfinite(one.flow).all()
    torch.testing.assert_close(one.flow, two.flow, rtol=0, atol=0)


def test_sides_must_be_multiples_of_the_coarsest_stride():
    with pytest.raises(ValueError, match="multiples of 8"):
        network()(images(44, 64), images(44, 64))


def test_the_scene_has_no_contrast_and_no_brightness():
    model, image = network(structure=False).eval(), images()
    with torch.inference_mode():
        one, two = model.scene(image).scene, model.scene(0.4 * image + 0.3).scene
    # Of unit variance; the normalisations' small constants remain.
    torch.testing.assert_close(one, two, atol=0.03, rtol=0)
    torch.testing.assert_close(one.mean((2, 3)), torch.zeros(2, 12), atol=1e-5, rtol=0)
    torch.testing.assert_close(one.var((2, 3), correction=0), torch.ones(2, 12), atol=0.02, rtol=0)


def test_the_structure_channels_let_an_inverted_image_look_alike():
    image = images(seed=4)
    likeness = []
    for structure in (False, True):
        model = network(structure=structure).eval()
        if structure:  # what remains when the picture itself is not listened to
            model.scene.stem[0].weight.data[:, :5] = 0
        with torch.inference_mode():
            one, two = model.scene(image).quarter, model.scene(1 - image).quarter
        likeness.append(float(torch.cosine_similarity(one.flatten(), two.flatten(), 0)))
    assert likeness[1] > max(0.99, likeness[0] + 0.2)


def test_the_appearance_does_not_know_where_things_are():
    model = network().eval()
    image = images()
    rolled = image.roll((8, 16), (2, 3))
    with torch.inference_mode():
        one, two = model.appearance(image), model.appearance(rolled)
        dark = model.appearance(0.3 * image)
    assert (one - two).abs().max() < 0.3 * (one - dark).abs().max()


def test_a_rendering_is_a_picture_that_follows_the_appearance(loud):
    moving = images(seed=1)
    with torch.inference_mode():
        found = loud(images(seed=2), moving)
        made, channels = loud.rerender(found, images(seed=2))
        other = loud.rerender(found, 0.2 * images(seed=2)).picture
    assert made.shape == moving.shape
    assert channels.shape == (len(moving), loud.config.mixed, *moving.shape[2:])
    assert made.min() >= 0
    assert made.max() <= 1
    assert (made - other).abs().max() > 1e-3


def test_nothing_outside_the_masks_reaches_the_answer(loud):
    fixed, moving = images(seed=1), images(seed=2)
    mask = torch.ones_like(fixed)
    mask[..., 80:] = 0
    painted = torch.where(mask > 0, moving, torch.ones_like(moving))
    with torch.inference_mode():
        one, two = loud(fixed, moving, mask, mask), loud(fixed, painted, mask, mask)
        codes = loud.appearance(moving, mask), loud.appearance(painted, mask)
    torch.testing.assert_close(one.flow, two.flow)
    torch.testing.assert_close(*codes)


def test_an_image_and_its_shifted_self_match_even_untrained():
    model = network().eval()
    picture = images(128, 160, batch=1)
    # moving(x + 8, y + 16) = fixed(x, y)
    fixed, moving = picture[..., 16:112, 8:136], picture[..., :96, :128]
    with torch.inference_mode():
        affine = model(fixed, moving).geometry.affine
    torch.testing.assert_close(affine[0, :, :2], torch.eye(2), atol=0.05, rtol=0)
    torch.testing.assert_close(affine[0, :, 2], torch.tensor([8.0, 16.0]), atol=1.5, rtol=0)


def test_a_taught_affine_is_where_the_steps_begin():
    taught = torch.tensor([[[1.0, 0.0, 12.0], [0.0, 1.0, -4.0]]]).repeat(2, 1, 1)
    model = network()
    found = model(images(seed=1), images(seed=2), taught=taught).geometry
    start = torch.tensor([3.0, -1.0]).view(1, 2, 1, 1).expand(2, -1, 16, 24)
    torch.testing.assert_close(found.steps[0].start, start)
    assert (found.affine - taught).abs().max() > 0  # found all the same, to be taught
    with torch.inference_mode():
        near = model.eval()(images(seed=1), images(seed=2), taught=taught).geometry
    torch.testing.assert_close(near.affine, taught)


@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_every_part_learns(synthetic_batch, progress):
    model = RECIPE.build_model(asdict(SMALL))
    terms = RECIPE.loss(model, synthetic_batch, progress)
    assert ("likeness" in terms) == (progress > RECIPE.likeness_from)
    sum(terms.values()).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"scene": False}, {"scene"}),
        ({"cycle": False}, {"cycle"}),
        (
            {"alignment": False},
            {"match", "vote", "affine", "flow", "smooth", "error", "likeness"},
        ),
    ],
    ids=["scene", "cycle", "alignment"],  # sets have no order to be named by
)
def test_the_papers_ablations(synthetic_batch, change, gone):
    model = RECIPE.build_model(asdict(SMALL))
    every = set(RECIPE.loss(model, synthetic_batch, 0.9))
    assert every - set(replace(RECIPE, **change).loss(model, synthetic_batch, 0.9)) == gone


def test_the_likeness_teaches_the_flow_alone(synthetic_batch):
    model = network()
    output = model(synthetic_batch.fixed, synthetic_batch.moving)
    renders = losses.gather_renders(model, (output.fixed, output.moving), synthetic_batch, 1)
    losses.likeness_loss(model, output, renders, synthetic_batch).backward()
    assert not any(p.grad is not None and p.grad.any() for p in model.renderer.parameters())
    assert not any(p.grad is not None and p.grad.any() for p in model.appearance.parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.head.steps.parameters())


def test_the_rendering_recipe_leaves_the_geometry_alone(synthetic_batch):
    torch.manual_seed(0)
    recipe = get_recipe("sasnet-rendering")
    model = recipe.build_model(asdict(SMALL))
    recipe.prepare(model, 0.0)
    before = model(synthetic_batch.fixed, synthetic_batch.moving).flow
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learning, 5e-3)
    history = []
    for _ in range(40):
        terms = recipe.loss(model, synthetic_batch, 0.5)
        assert {"match", "flow"}.isdisjoint(terms)
        history.append(float(sum(terms.values()).detach()))
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
    assert all(p.grad is not None and p.grad.any() for p in learning)
    assert history[-1] < 0.9 * history[0]
    torch.testing.assert_close(model(synthetic_batch.fixed, synthetic_batch.moving).flow, before)


def test_a_few_steps_lower_every_loss(synthetic_batch):
    torch.manual_seed(0)
    model = RECIPE.build_model(asdict(SMALL))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    history = []
    for _ in range(25):
        terms = RECIPE.loss(model, synthetic_batch, 0.9)
        history.append({name: float(term.detach()) for name, term in terms.items()})
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
    # Not the reconstruction: this pair's contrast is inverted, and first of all that is learned.
    for name in ("cross", "cycle", "match", "vote", "flow"):
        assert history[-1][name] < history[0][name], name


COFFEE = data.coffee()[40:360, 100:500].astype(np.float32)


@pytest.mark.parametrize("shape", [(16, 16), (33, 200), (320, 400)], ids=str)
def test_the_model_answers_any_size(loud, shape):
    model = SASNetModel(loud)
    pair = prepare_pair(COFFEE[: shape[0], : shape[1], 0], COFFEE[: shape[0], : shape[1], 2])
    one, two = model.predict(pair, Run()), model.predict(pair, Run())
    displacement = one.transform.displacement(pair.shape)
    assert np.isfinite(displacement).all()
    assert one.error_scale.shape == pair.shape
    np.testing.assert_array_equal(displacement, two.transform.displacement(pair.shape))
    rendered = one.rendering
    assert rendered.channels.shape == (*pair.shape, SMALL.mixed)
    assert rendered.channels.dtype == np.float32


def test_it_does_not_search_where_the_images_are_near(loud):
    model = SASNetModel(loud)
    fixed, moving = images(batch=1, seed=1), images(batch=1, seed=2)
    full = torch.ones_like(fixed)
    with torch.inference_mode():
        far, near = (
            model.call_network(NetworkInput(fixed, moving, full, full, near=n))
            for n in (False, True)
        )
    torch.testing.assert_close(far.rendered, near.rendered)
    assert near.rendered.shape == (SMALL.mixed, 64, 96)
    assert far.target_points.shape == near.target_points.shape == (64, 96, 2)
    assert (far.target_points - near.target_points).abs().max() > 0.1


def test_it_can_be_cancelled(loud):
    with pytest.raises(Cancelled):
        SASNetModel(loud).predict(
            prepare_pair(COFFEE[..., 0], COFFEE[..., 2]), Run(cancel=lambda: True)
        )
