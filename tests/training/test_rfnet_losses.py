"""RFNet's losses on cases whose value is known."""

import pytest
import torch

from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.network import RFNet
from napari_mmreg.training import rfnet_losses as losses
from napari_mmreg.training.losses import folding

STILL = torch.eye(2, 3)[None]


def texture(rows=64, cols=80, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, rows // 4, cols // 4, generator=generator)
    return torch.nn.functional.interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


def everywhere(image):
    return torch.ones_like(image)


def shift(x, y):
    return torch.tensor([[[1.0, 0.0, x], [0.0, 1.0, y]]])


@pytest.mark.parametrize(("change", "value"), [((1, 0), -1), ((0.4, 0.3), -1), ((-1, 1), 1)])
def test_ncc_is_blind_to_linear_tones_and_knows_their_sign(change, value):
    image = texture()
    masks = (everywhere(image), everywhere(image))
    loss = losses.similarity_loss((image, change[0] * image + change[1]), STILL, masks)
    assert float(loss) == pytest.approx(value, abs=1e-3)


def test_ncc_looks_only_where_both_images_have_data():
    image = texture()
    spoilt, mask = image.clone(), everywhere(image)
    spoilt[..., 60:], mask[..., 60:] = 7.0, 0
    loss = losses.similarity_loss((image, spoilt), STILL, (everywhere(image), mask))
    assert float(loss) == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("kind", ["ncc", "l1"])
def test_similarity_is_best_at_the_true_shift(kind):
    picture = texture(96, 120)
    fixed, moving = picture[..., 6:70, 4:84], picture[..., :64, :80]
    masks = (everywhere(fixed), everywhere(fixed))

    def loss(x, y):
        return float(losses.similarity_loss((fixed, moving), shift(x, y), masks, kind=kind))

    assert loss(4.0, 6.0) == pytest.approx(-1 if kind == "ncc" else 0, abs=1e-4)
    assert loss(4.0, 6.0) < min(loss(3, 6), loss(5, 6), loss(4, 5), loss(4, 7), loss(0, 0))


def test_the_overlap_guard_pulls_far_frames_back():
    assert float(losses.overlap_guard(STILL, (64, 80))) == 0
    assert float(losses.overlap_guard(shift(20.0, 0.0), (64, 80))) == 0
    far = shift(70.0, 0.0).requires_grad_()
    loss = losses.overlap_guard(far, (64, 80))
    loss.backward()
    assert float(loss.detach()) > 0.2
    assert far.grad[0, 0, 2] > 0


def test_content_is_weighted_towards_the_fixed_image():
    black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    mask = everywhere(black)
    assert float(losses.fusion_loss(white, white, black, mask)) == pytest.approx(0.3)
    assert float(losses.fusion_loss(black, white, black, mask)) == pytest.approx(0.7)


def test_fusion_asks_for_the_stronger_gradient_of_either():
    flat, picture = torch.full((1, 1, 64, 80), 0.5), texture()
    mask = everywhere(flat)

    def gradient_part(fused, one, two):
        content = 0.7 * (fused - one).abs().mean() + 0.3 * (fused - two).abs().mean()
        return float(losses.fusion_loss(fused, one, two, mask) - content)

    assert gradient_part(picture, flat, picture) == pytest.approx(0, abs=1e-6)
    assert gradient_part(picture, picture, flat) == pytest.approx(0, abs=1e-6)
    assert gradient_part(picture, 0.5 * picture, picture) == pytest.approx(0, abs=1e-6)
    assert gradient_part(flat, flat, picture) > 0.01
    assert gradient_part(picture, 2 * picture, picture) > 0.01


def test_doubled_edges_cost_more_than_aligned_ones():
    edge = torch.zeros(1, 1, 16, 32)
    edge[..., 16:] = 1
    moved = edge.roll(4, 3)
    moved[..., :4] = 0
    still, mask = torch.zeros(1, 2, 16, 32), everywhere(edge)
    aligned = losses.deformation_loss(edge, edge, still, mask)
    ghost = losses.deformation_loss(0.5 * (edge + moved), edge, still, mask)
    # One column of 32 has a step of 1; the mean runs over both directions.
    assert float(aligned) == pytest.approx(1 / 64)
    assert float(ghost) > 1.5 * float(aligned)


def test_smoothness_gives_way_at_edges():
    ramp = 0.25 * torch.arange(32.0).expand(1, 2, 16, 32)
    flat = torch.zeros(1, 1, 16, 32)
    assert float(losses.bilateral_smoothness(torch.ones(1, 2, 16, 32), flat)) == 0
    assert float(losses.bilateral_smoothness(ramp, flat)) == pytest.approx(0.5)
    step = torch.zeros(1, 2, 16, 32)
    step[..., 16:] = 1
    edge = step[:, :1]
    at_edge = float(losses.bilateral_smoothness(step, edge))
    elsewhere = float(losses.bilateral_smoothness(step, flat))
    assert at_edge == pytest.approx(elsewhere * torch.exp(torch.tensor(-0.5)).item())


def test_folding_is_what_turns_over():
    x = torch.arange(32.0).expand(16, 32)
    flow = torch.stack([x, torch.zeros_like(x)])[None]
    assert float(folding(0 * flow)) == 0
    assert float(folding(-0.8 * flow)) == 0
    assert float(folding(-2 * flow)) == pytest.approx(1.1)


@pytest.mark.slow
def test_the_translator_learns_to_invert():
    """A few steps on one pair: the translated image comes closer than the image itself."""
    torch.manual_seed(0)
    model = RFNet(RFNetConfig(translator=(12, 16), style=4, widths=(8, 8, 8), fusion=(4, 4)))
    image = texture(64, 64)
    target = 1 - image
    both = torch.cat([image, target])
    optimiser = torch.optim.Adam(model.translator.parameters(), lr=5e-3)
    for _ in range(120):
        loss = (model.translator(both, both.flip(0)) - both.flip(0)).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        error = (model.translator(image, target) - target).abs().mean()
    assert float(error) < 0.4 * float((image - target).abs().mean())
