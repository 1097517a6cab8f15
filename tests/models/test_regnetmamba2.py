"""RegNetMamba-2: shapes, what its parts promise, and gradients through every loss."""

import math
from dataclasses import asdict, replace

import pytest
import torch
from torch.nn.functional import interpolate, normalize

from napari_mmreg.models.regnetmamba2.matching import dense_places, likeliest, match
from napari_mmreg.models.regnetmamba2.network import Features, RegNetMamba2, RegNetMamba2Config
from napari_mmreg.nn.homography import transformed
from napari_mmreg.nn.sampling import pixel_grid, sample

SMALL = RegNetMamba2Config(widths=(8, 12, 16), state=4, blocks=1)


def images(rows=64, cols=96, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch, 1, rows // 4, cols // 4, generator=generator)
    return interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("change", [{}, {"cross": False}, {"fusion": False}], ids=str)
def test_features_are_of_unit_length_at_two_scales(change):
    torch.manual_seed(0)
    model = RegNetMamba2(replace(SMALL, **change)).eval()
    with torch.inference_mode():
        one, two = (model(images(seed=1), images(seed=2)) for _ in range(2))
    assert one.coarse[0].shape == (2, 16, 8, 12)
    assert one.fine[1].shape == (2, 8, 32, 48)
    lengths = one.fine[0].norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    torch.testing.assert_close(one.coarse[0], two.coarse[0], rtol=0, atol=0)


def test_only_with_interaction_one_image_changes_the_features_of_the_other():
    torch.manual_seed(0)
    fixed = images(seed=1)
    for cross in (True, False):
        model = RegNetMamba2(replace(SMALL, cross=cross)).eval()
        with torch.inference_mode():
            one, two = model(fixed, images(seed=2)), model(fixed, images(seed=3))
        assert torch.equal(one.coarse[0], two.coarse[0]) != cross


def test_swapping_the_images_swaps_the_features():
    torch.manual_seed(0)
    model = RegNetMamba2(SMALL).eval()
    fixed, moving = images(seed=1), images(seed=2)
    with torch.inference_mode():
        one, two = model(fixed, moving), model(moving, fixed)
    torch.testing.assert_close(one.fine[0], two.fine[1], atol=1e-5, rtol=1e-5)


def test_sides_must_be_multiples_of_eight():
    with pytest.raises(ValueError, match="multiples of 8"):
        RegNetMamba2(SMALL)(images(60, 64), images(60, 64))


@pytest.fixture
def ideal():
    """Features whose moving image is the fixed one under a known homography."""
    torch.manual_seed(0)
    rows, cols = 96, 128
    true = torch.tensor([[0.97, -0.1, 14.0], [0.08, 1.03, -6.0], [1e-4, 0, 1]]).double()
    back = torch.linalg.inv(true)

    def features(stride, channels):
        moving = torch.randn(1, channels, 2 * rows // stride, 2 * cols // stride)
        # The random field reaches beyond the frame on all sides.
        grid = pixel_grid(rows // stride, cols // stride, moving) * stride
        corner = torch.tensor([cols / 2, rows / 2])
        fixed = sample(moving, ((transformed(true, grid) + corner) / stride)[None])
        at = ((grid + corner) / stride)[None]
        return normalize(fixed, dim=1), normalize(sample(moving, at), dim=1)

    return Features(features(8, 48), features(2, 24)), true, back, (rows, cols)


def test_matches_find_a_homography(ideal):
    features, true, _, shape = ideal
    found = match(features, torch.tensor([-3.0, -3.0]), shape)
    points = pixel_grid(*shape, torch.zeros(1)).reshape(-1, 2)
    expected = transformed(true, points)
    inside = ((expected > 8) & (expected < torch.tensor([shape[1] - 8.0, shape[0] - 8.0]))).all(1)
    places = dense_places(found, shape).reshape(-1, 2)
    assert float((places - expected).norm(dim=1)[inside].median()) < 0.5
    assert found.consensus > 0.1
    best = likeliest(found, 20)
    assert len(best) == 20
    assert float((transformed(true, best[:, :2]) - best[:, 2:4]).norm(dim=1).max()) < 3
    assert bool((best[:-1, 4] >= best[1:, 4]).all())


def test_unrelated_images_do_not_lock(ideal):
    features, _, _, shape = ideal
    torch.manual_seed(1)
    other = Features(
        (features.coarse[0], normalize(torch.randn_like(features.coarse[1]), dim=1)),
        (features.fine[0], normalize(torch.randn_like(features.fine[1]), dim=1)),
    )
    good = match(features, torch.tensor([-3.0, -3.0]), shape).consensus
    assert match(other, torch.tensor([-3.0, -3.0]), shape).consensus < 0.2 * good


def test_gradients_flow_through_every_loss(synthetic_batch):
    from napari_mmreg.training.recipes.regnetmamba2 import RECIPE

    torch.manual_seed(0)
    model = RECIPE.build_model(asdict(SMALL))
    terms = RECIPE.loss(model, synthetic_batch, 0.5)
    assert set(terms) == {"coarse", "fine", "subpixel"}
    for name, term in terms.items():
        gradients = torch.autograd.grad(
            term, list(model.parameters()), retain_graph=True, allow_unused=True
        )
        size = sum(float(g.abs().sum()) for g in gradients if g is not None)
        assert math.isfinite(size), name
        assert size > 0, name


def test_flow_has_the_images_size():
    from napari_mmreg.training.recipes.regnetmamba2 import RECIPE

    model = RECIPE.build_model(asdict(SMALL)).eval()
    with torch.inference_mode():
        flow = RECIPE.predict_flow(model, images(), images(seed=4))
    assert flow.shape == (2, 2, 64, 96)
    assert bool(flow.isfinite().all())
