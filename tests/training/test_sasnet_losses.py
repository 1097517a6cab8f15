"""SAS-Net's losses on cases whose value is known."""

from types import SimpleNamespace

import pytest
import torch

from napari_mmreg.nn.sampling import warp
from napari_mmreg.training import sasnet_losses as losses


def texture(rows=64, cols=80, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, rows // 4, cols // 4, generator=generator)
    return torch.nn.functional.interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


def test_picture_error_of_another_brightness_has_no_edges():
    image = texture()
    everywhere = torch.ones_like(image, dtype=torch.bool)
    assert float(losses.picture_error(image, image, everywhere)) == 0
    lifted = losses.picture_error(image + 0.25, image, everywhere)
    assert float(lifted) == pytest.approx(0.25, abs=1e-5)


def test_picture_error_looks_at_valid_pixels_only():
    image = texture()
    spoilt, mask = image.clone(), torch.ones_like(image, dtype=torch.bool)
    spoilt[..., 60:], mask[..., 60:] = 7.0, False
    assert float(losses.picture_error(spoilt, image, mask)) == 0


def test_picture_error_counts_gradients():
    image = torch.zeros(1, 1, 8, 8)
    striped = image.clone()
    striped[..., ::2] = 1.0
    everywhere = torch.ones_like(image, dtype=torch.bool)
    # Half of the pixels are off by one, and so are all differences along x.
    # A constant picture has no correlation with anything.
    assert float(losses.picture_error(striped, image, everywhere)) == pytest.approx(
        0.5 + losses.EDGES + losses.LIKENESS
    )


def test_a_mixture_is_judged_where_it_was_not_mixed():
    image, everywhere = texture(), torch.ones(1, 1, 64, 80, dtype=torch.bool)
    assert image.shape == everywhere.shape
    source = torch.full_like(image, 0.5)
    knows = float(losses.mixture_error(1 - 0.5 * image, source, image, everywhere))
    assert knows < 0.05
    rows, cols = (torch.arange(n) // losses.PATCH for n in image.shape[-2:])
    half = image * ((rows[:, None] + cols) % 2 == 0)
    assert float(losses.mixture_error(half, source, image, everywhere)) > 5 * knows


def test_channels_that_say_the_same_are_redundant():
    one = torch.randn(2, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    one = (one - one.mean((2, 3), keepdim=True)) / one.std((2, 3), keepdim=True, correction=0)
    same = SimpleNamespace(scene=one.expand(-1, 6, -1, -1))
    assert float(losses.redundancy_loss((same, same))) == pytest.approx(1.0, abs=1e-4)
    other = torch.randn(2, 6, 16, 20, generator=torch.Generator().manual_seed(1))
    apart = SimpleNamespace(scene=other / other.std((2, 3), keepdim=True))
    assert float(losses.redundancy_loss((apart, apart))) < 0.02


def test_scenes_are_compared_after_the_true_flow():
    scene = torch.randn(1, 6, 16, 20, generator=torch.Generator().manual_seed(0))
    flow = torch.zeros(1, 2, 64, 80)
    flow[:, 0], flow[:, 1] = 8.0, -4.0  # two cells and one
    valid = torch.ones(1, 1, 64, 80, dtype=torch.bool)
    valid[..., -8:], valid[..., :4, :] = False, False
    batch = SimpleNamespace(flow=flow, valid=valid)
    moved = warp(scene, flow[..., ::4, ::4] / 4)

    def loss(fixed):
        both = SimpleNamespace(scene=fixed), SimpleNamespace(scene=scene)
        return float(losses.scene_loss(both, batch))

    assert loss(moved) == 0
    assert loss(scene) > 0.5
