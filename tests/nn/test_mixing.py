import pytest
import torch

from napari_mmreg.nn.mixing import fit_mixture, mix


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_factors_of_a_mixture_are_found():
    channels = noise(2, 3, 20, 24)
    true = torch.tensor([[0.5, -0.3, 0.1], [-0.2, 0.0, 0.4]]).view(2, 3, 1, 1)
    target = (true * channels).sum(1, keepdim=True) + 0.3
    factors, offset = fit_mixture(channels, target, torch.ones_like(target), ridge=1e-6)
    torch.testing.assert_close(factors, true, atol=1e-3, rtol=0)
    torch.testing.assert_close(offset, torch.full_like(offset, 0.3), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        mix(channels, factors, offset), target.clamp(0, 1), atol=1e-3, rtol=0
    )


def test_pixels_of_no_weight_do_not_count():
    channels, target = noise(1, 2, 16, 16), noise(1, 1, 16, 16, seed=1)
    weight = torch.ones_like(target)
    weight[..., 8:] = 0
    spoilt = target.clone()
    spoilt[..., 8:] = 100.0
    for one, two in zip(
        fit_mixture(channels, target, weight), fit_mixture(channels, spoilt, weight), strict=True
    ):
        torch.testing.assert_close(one, two)


def test_units_of_the_channels_do_not_matter():
    channels, target = noise(1, 2, 16, 16), noise(1, 1, 16, 16, seed=1)
    weight = torch.ones_like(target)
    plain = mix(channels, *fit_mixture(channels, target, weight))
    large = 1000 * channels - 7
    torch.testing.assert_close(
        mix(large, *fit_mixture(large, target, weight)), plain, atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_channels_that_show_nothing_and_pixels_that_do_not_count(weight):
    channels = torch.cat([torch.full((1, 2, 8, 8), 0.7), noise(1, 1, 8, 8)], 1).requires_grad_()
    target = noise(1, 1, 8, 8, seed=1)
    made = mix(channels, *fit_mixture(channels, target, torch.full_like(target, weight)))
    made.sum().backward()
    assert bool(made.isfinite().all())
    assert bool(channels.grad.isfinite().all())
    wanted = float(target.mean()) if weight else 0.0
    assert made.mean().item() == pytest.approx(wanted, abs=0.05)
