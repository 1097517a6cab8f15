import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from napari_mmreg.nn.gradients import image_gradient
from napari_mmreg.training import fusion_losses as losses

GENERATOR = torch.Generator().manual_seed(0)
FIXED, MOVING, FUSED = torch.rand(3, 2, 1, 24, 30, generator=GENERATOR)


def test_intensity_wants_the_brighter_image():
    brighter = torch.maximum(FIXED, MOVING)
    assert losses.intensity_loss(brighter, FIXED, MOVING) == 0
    assert losses.intensity_loss(brighter - 0.1, FIXED, MOVING) == pytest.approx(0.1, rel=1e-4)


def test_larger_gradient_is_rfnets():
    for (one, other), found in zip(
        zip(image_gradient(FIXED), image_gradient(MOVING), strict=True),
        losses.larger_gradient(FIXED, MOVING),
        strict=True,
    ):
        written = torch.sign(one + other) * torch.maximum(one.abs(), other.abs())
        torch.testing.assert_close(found, written)


def test_gradient_loss_is_zero_where_one_image_has_all_the_edges():
    flat = torch.full_like(FIXED, 0.5)
    assert losses.gradient_loss(FIXED, FIXED, flat) == 0
    assert losses.gradient_loss(FIXED, flat, FIXED) == 0
    assert losses.gradient_loss(flat, FIXED, flat) > 0.05
    gx, gy = image_gradient(FIXED)
    squared = losses.gradient_loss(flat, FIXED, flat, squared=True)
    torch.testing.assert_close(squared, gx.square().mean() + gy.square().mean())


def test_ssim_is_that_of_scikit_image():
    expected = [
        structural_similarity(
            FUSED[0, 0].numpy(), source[0, 0].numpy(), gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1, full=True,
        )[1]
        for source in (FIXED, MOVING)
    ]  # fmt: skip
    found = losses.ssim_map(FUSED, FIXED)[0, 0].numpy()
    inner = np.s_[6:-6, 6:-6]
    np.testing.assert_allclose(found[inner], expected[0][inner], atol=0.01)  # 4 and 3 sigma wide
    assert losses.ssim_loss(FIXED, FIXED, FIXED).abs() < 1e-5


def test_only_the_mask_counts():
    mask = torch.zeros_like(FIXED, dtype=torch.bool)
    mask[..., 5:15, 5:20] = True
    for loss in (losses.intensity_loss, losses.gradient_loss, losses.ssim_loss):
        wild = FUSED.clone()
        wild[..., 20:, 25:] = 7.0  # farther away than any window reaches
        torch.testing.assert_close(
            loss(wild, FIXED, MOVING, mask=mask), loss(FUSED, FIXED, MOVING, mask=mask)
        )
