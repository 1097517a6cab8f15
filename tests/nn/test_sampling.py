import pytest
import torch

from napari_mmreg.nn.sampling import gaussian_blur, pixel_grid, sample, warp


def test_warp_pulls_along_x_then_y():
    image = torch.zeros(1, 1, 9, 12)
    image[0, 0, 6, 8] = 1
    flow = torch.zeros(1, 2, 9, 12)
    flow[:, 0], flow[:, 1] = 3, 2  # x, y
    assert warp(image, flow)[0, 0, 4, 5] == pytest.approx(1)


def test_sampling_at_the_pixels_gives_the_image():
    image = torch.rand(2, 3, 7, 5)
    grid = pixel_grid(7, 5, image)[None].expand(2, -1, -1, -1)
    torch.testing.assert_close(sample(image, grid), image)


def test_outside_is_zero_or_the_border():
    image = torch.ones(1, 1, 4, 4)
    where = torch.full((1, 1, 1, 2), 20.0)
    assert sample(image, where, padding="zeros").item() == 0
    assert sample(image, where).item() == 1


def test_blur_keeps_a_constant_and_the_sum_inside():
    torch.testing.assert_close(
        gaussian_blur(torch.full((1, 2, 20, 30), 3.0), 2.0), torch.full((1, 2, 20, 30), 3.0)
    )
    dot = torch.zeros(1, 1, 31, 31)
    dot[0, 0, 15, 15] = 1
    blurred = gaussian_blur(dot, 1.5)
    y = torch.arange(31.0) - 15
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    assert (blurred[0, 0].sum(1) * y**2).sum().item() == pytest.approx(1.5**2, rel=0.05)
