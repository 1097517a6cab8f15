import pytest
import torch
import torch.nn.functional as F

from napari_mmreg.nn.sampling import (
    gaussian_blur,
    pixel_grid,
    sample,
    separable_filter,
    warp,
)


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


@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_filter_and_its_gradient_are_those_of_a_convolution(step):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 11, 14, generator=generator).requires_grad_()
    down, across = (0.2, 0.5, -0.1), (0.1, 0.0, 0.3, 0.7, -0.4)
    found = separable_filter(image, down, across, step)
    padded = F.pad(image.reshape(6, 1, 11, 14), (2, 2, 1, 1), mode="replicate")
    kernel = torch.outer(torch.tensor(down), torch.tensor(across))[None, None]
    expected = F.conv2d(padded, kernel, stride=step).squeeze(1).unflatten(0, (2, 3))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    weight = torch.rand(found.shape, generator=generator)
    slopes = [torch.autograd.grad((each * weight).sum(), image)[0] for each in (found, expected)]
    torch.testing.assert_close(*slopes, atol=1e-5, rtol=0)


def test_half_precision_is_summed_in_single():
    image = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0)).bfloat16()
    torch.testing.assert_close(gaussian_blur(image, 3.0), gaussian_blur(image.float(), 3.0))
