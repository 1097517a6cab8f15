import pytest
import torch

from napari_mmreg.training.appearance import (
    Appearance,
    AppearanceConfig,
    NoiseBank,
    local_contrast,
    stretch,
    thermal_map,
    tone_curve,
)


@pytest.fixture
def images(pictures):
    return torch.stack([torch.from_numpy(p)[None] / 255.0 for p in pictures]).float()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_strength_zero_only_stretches(images):
    look = Appearance(len(images), AppearanceConfig(strength=0.0), generator())
    out = look.degrade(look.tone(images), NoiseBank(64, 2))
    assert torch.allclose(out, stretch(stretch(images), None, 0.005), atol=1e-4)


def test_images_stay_in_range_and_differ(images):
    for seed in range(8):
        look = Appearance(len(images), AppearanceConfig(), generator(seed))
        out = look.degrade(look.tone(images), NoiseBank(64, 2))
        assert bool(out.isfinite().all())
        assert 0.0 <= float(out.min()) <= float(out.max()) <= 1.0
        assert float(out.flatten(1).std(1).min()) > 0.01


def test_same_seed_same_look(images):
    bank = NoiseBank(64, 4)

    def seen(seed):
        look = Appearance(len(images), AppearanceConfig(), generator(seed))
        return look.degrade(look.tone(images), bank)

    assert torch.equal(seen(3), seen(3))
    assert not torch.equal(seen(3), seen(4))


def test_some_looks_turn_the_contrast_round(images):
    """Cross-modal pairs: over many draws the correlation with the original has both signs."""
    signs = []
    for seed in range(12):
        look = Appearance(len(images), AppearanceConfig(), generator(seed))
        out = look.tone(images)
        for one, two in zip(images, out, strict=True):
            signs.append(float(torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1]))
    signs = torch.tensor(signs)
    assert 0.1 < float((signs < 0).float().mean()) < 0.6
    assert float((signs.abs() < 0.5).float().mean()) > 0.05  # and many-to-one maps


def test_mono_images_always_change_more(images):
    config = AppearanceConfig(mono_share=1.0)
    mono = torch.ones(len(images), dtype=torch.bool)

    def alike(flag):
        found = []
        for seed in range(12):
            out = Appearance(len(images), config, generator(seed), flag).tone(images)
            found += [
                float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])
                for a, b in zip(images, out, strict=True)
            ]
        return sum(found) / len(found)

    assert alike(mono) < alike(~mono) - 0.2


def test_tone_curve_is_piecewise_linear():
    knots = torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]])
    image = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).expand(2, 1, 1, 5)
    out = tone_curve(image, knots)
    assert torch.allclose(out[0].flatten(), torch.tensor([0.0, 0.5, 1.0, 0.75, 0.5]))
    assert torch.allclose(out[1].flatten(), torch.tensor([1.0, 0.5, 0.0, 0.0, 0.0]))


def test_thermal_map_joins_different_grey_values():
    image = torch.linspace(0, 1, 101).view(1, 1, 1, -1)
    out = thermal_map(image, torch.tensor([6.28]), torch.tensor([0.0])).flatten()
    assert float(out[0]) == pytest.approx(float(out[100]), abs=0.01)
    assert float(out[50]) == pytest.approx(1.0)
    assert float(out[0]) == pytest.approx(0.0, abs=0.01)


def test_stretch_looks_inside_the_mask_only():
    image = torch.full((1, 1, 30, 30), 0.4)
    image[..., :15] = 0.2
    image[..., 20:] = 5.0
    mask = torch.zeros(1, 1, 30, 30, dtype=torch.bool)
    mask[..., :20] = True
    out = stretch(image, mask)
    assert float(out[0, 0, 3, 3]) == pytest.approx(0.0)
    assert float(out[0, 0, 3, 18]) == pytest.approx(1.0)
    nothing = stretch(image, torch.zeros_like(mask))
    assert bool(nothing.isfinite().all())


def test_local_contrast_removes_shading():
    y = torch.linspace(0, 1, 128).view(1, 1, -1, 1)
    texture = 0.05 * torch.randn(1, 1, 128, 128, generator=generator())
    out = local_contrast((0.8 * y + texture).clamp(0, 1))
    top, bottom = out[..., 20:40, :].mean(), out[..., 90:110, :].mean()
    assert abs(float(top - bottom)) < 0.05


def test_noise_is_standard_and_not_repeated():
    bank = NoiseBank(128, 16)
    noise = bank.draw(6, 1, (200, 150), generator())
    assert noise.shape == (6, 1, 200, 150)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.02)
    assert float(noise.std()) == pytest.approx(1.0, abs=0.02)
    other = bank.draw(6, 1, (200, 150), generator(1))
    both = torch.stack([noise.flatten(), other.flatten()])
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.1
