"""HRNet: shapes, determinism, what its parts promise, and gradients through every loss."""

import math
from dataclasses import asdict, replace

import pytest
import torch

from napari_mmreg.models.hrnet.config import STRIDES, HRNetConfig
from napari_mmreg.models.hrnet.network import HRNet
from napari_mmreg.nn.correlation import local_correlation, peak_vote
from napari_mmreg.nn.global_affine import affine_flow, cell_affine_to_pixels, matched_affine
from napari_mmreg.nn.sampling import upsample_flow, warp
from napari_mmreg.nn.structure import CHANNELS, robust_channels

SMALL = HRNetConfig(widths=(8, 8, 12, 16, 16), blocks=(1, 1, 1, 1, 1), hidden=8, radii=(1, 1, 2, 2))


def images(rows=64, cols=96, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch, 1, rows // 4, cols // 4, generator=generator)
    return torch.nn.functional.interpolate(noise, (rows, cols), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"disentangle": False},
        {"gate": False},
        {"project": False},
        {"modality_norm": False},
        {"nonrigid": False},
        {"rigid": "pooled"},
        {"rigid": "none"},
        {"accumulate": "add"},
        {"core": "selective_scan"},
    ],
    ids=str,
)
def test_every_variant_gives_a_flow_of_the_images_size(change):
    torch.manual_seed(0)
    model = HRNet(replace(SMALL, **change)).eval()
    fixed, moving = images(seed=1), images(seed=2)
    with torch.inference_mode():
        one, two = model(fixed, moving), model(fixed, moving)
    assert one.flow.shape == (2, 2, 64, 96)
    assert one.affine.shape == (2, 2, 3)
    assert torch.isfinite(one.flow).all()
    torch.testing.assert_close(one.flow, two.flow, rtol=0, atol=0)
    assert len(one.increments) == (4 if change.get("nonrigid", True) else 0)


def test_sides_must_be_multiples_of_the_coarsest_stride():
    model = HRNet(SMALL)
    with pytest.raises(ValueError, match="multiples of 32"):
        model(images(40, 64), images(40, 64))


def test_nothing_outside_the_mask_reaches_the_features():
    fixed = images(batch=1)
    mask = torch.ones_like(fixed)
    mask[..., 60:] = 0
    painted = torch.where(mask > 0, fixed, torch.ones_like(fixed))
    torch.testing.assert_close(robust_channels(fixed, mask), robust_channels(painted, mask))
    assert robust_channels(fixed).shape[1] == CHANNELS


def test_input_channels_are_blind_to_contrast_sign_but_for_the_intensity():
    image = images(batch=1)
    one, two = robust_channels(image), robust_channels(1 - image)
    torch.testing.assert_close(one[:, 0], -two[:, 0], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(one[:, 1:], two[:, 1:], atol=1e-3, rtol=1e-3)


def test_matching_random_features_finds_their_shift():
    torch.manual_seed(0)
    features = torch.randn(1, 24, 24, 24)
    affine, weights = matched_affine(features[..., 2:18, 3:19], features[..., :16, :16], 0.05)
    torch.testing.assert_close(
        affine, torch.tensor([[[1.0, 0.0, 3.0], [0.0, 1.0, 2.0]]]), atol=0.02, rtol=0
    )
    assert weights.shape == (1, 1, 16, 16)


def test_flow_of_an_affine_is_in_cells_of_the_grid():
    affine = torch.tensor([[[1.0, 0.1, 8.0], [0.0, 1.0, -4.0]]])
    flow = affine_flow(affine, 5, 6, 4)
    # Cell (row 2, col 3) is pixel (x 12, y 8): it moves by (0.1 * 8 + 8, -4) px.
    torch.testing.assert_close(flow[0, :, 2, 3], torch.tensor([2.2, -1.0]))
    in_cells = torch.tensor([[[1.0, 0.1, 2.0], [0.0, 1.0, -1.0]]])
    torch.testing.assert_close(cell_affine_to_pixels(in_cells, 4), affine)


def test_votes_point_where_the_moving_features_lie():
    torch.manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(1, 16, 20, 20), dim=1)
    # moving(x + 2, y - 1) = fixed(x, y)
    moving = torch.roll(features, (-1, 2), (2, 3))
    logits = local_correlation(features, moving, 3) * 16 / 0.05
    vote, trust = peak_vote(logits, 3)
    inner = vote[0, :, 4:-4, 4:-4]
    torch.testing.assert_close(inner[0], torch.full_like(inner[0], 2.0), atol=0.1, rtol=0)
    torch.testing.assert_close(inner[1], torch.full_like(inner[1], -1.0), atol=0.1, rtol=0)
    assert trust.min() > 0
    assert trust.max() <= 1.0001


def test_upsampled_flow_counts_in_finer_cells():
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    flow = torch.stack([0.5 * x, -0.25 * y])[None]
    fine = upsample_flow(flow, (11, 15))
    torch.testing.assert_close(fine[0, 0, 4, 6], torch.tensor(2 * 0.5 * 3.0))
    torch.testing.assert_close(fine[0, 1, 5, 6], torch.tensor(-2 * 0.25 * 2.5))


def test_the_first_increment_starts_from_the_given_global_step():
    torch.manual_seed(0)
    model = HRNet(SMALL).eval()
    fixed = images(batch=1)
    start = torch.tensor([[[1.0, 0.0, 16.0], [0.0, 1.0, -8.0]]])
    with torch.inference_mode():
        steps = model(fixed, fixed, start=start).increments
    assert steps[0].start.shape[-2:] == (64 // STRIDES[3], 96 // STRIDES[3])
    torch.testing.assert_close(steps[0].start[0, :, 3, 4], torch.tensor([1.0, -0.5]))


def test_composing_and_adding_agree_for_a_shift():
    torch.manual_seed(0)
    start = torch.zeros(1, 2, 8, 8)
    start[:, 0] = 3.0
    step = torch.full((1, 2, 8, 8), 0.5)
    torch.testing.assert_close(warp(start, step) + step, start + step)


def test_gradients_flow_through_every_loss(synthetic_batch):
    from napari_mmreg.training.recipes.hrnet import RECIPE

    torch.manual_seed(0)
    model = RECIPE.build_model(asdict(SMALL))
    terms = RECIPE.loss(model, synthetic_batch, 0.7)
    assert set(terms) == {
        "match", "r", "n", "image", "vote", "s", "tri", "cs", "ccd", "bo", "error",
    }  # fmt: skip
    for name, term in terms.items():
        assert math.isfinite(float(term.detach())), name
        gradients = torch.autograd.grad(
            term, list(model.parameters()), retain_graph=True, allow_unused=True
        )
        size = sum(float(g.abs().sum()) for g in gradients if g is not None)
        assert math.isfinite(size), name
        # At the orthonormal start the basis loss is at its minimum.
        assert size > 0 or name == "bo", name


def test_the_error_head_does_not_touch_what_it_judges(synthetic_batch):
    from napari_mmreg.training import hrnet_losses

    torch.manual_seed(0)
    model = HRNet(SMALL)
    output = model(synthetic_batch.fixed, synthetic_batch.moving)
    hrnet_losses.error_scale_loss(output, synthetic_batch).backward()
    touched = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}
    assert touched == {"error"}
