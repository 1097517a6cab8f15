import pytest
import torch

from napari_mmreg.nn.gradients import downscale, image_gradient, orientation_channels

RAMP_X = torch.arange(20.0).expand(16, 20)[None, None]


def test_gradient_is_per_pixel_and_in_order_x_y():
    gx, gy = image_gradient(3 * RAMP_X)
    torch.testing.assert_close(gx[..., 2:-2, 2:-2], torch.full((1, 1, 12, 16), 3.0))
    assert gy.abs().max() < 1e-5


def test_channels_ignore_the_sign_of_contrast():
    image = torch.rand(1, 1, 32, 40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(orientation_channels(image), orientation_channels(1 - image))


@pytest.mark.parametrize(("transposed", "strongest"), [(False, 0), (True, 4)])
def test_the_strongest_channel_is_the_gradients_direction(transposed, strongest):
    step = (torch.arange(24) > 12).float().expand(24, 24)
    image = (step.T if transposed else step)[None, None].contiguous()
    channels = orientation_channels(image, orientations=8)
    assert channels[0, :, 12, 12].argmax() == strongest


def test_no_structure_gives_no_channels():
    assert orientation_channels(torch.full((1, 1, 20, 20), 0.4)).abs().max() < 0.05


def test_length_is_at_most_one():
    image = torch.rand(1, 1, 32, 40, generator=torch.Generator().manual_seed(1))
    assert orientation_channels(image).square().sum(1).max() <= 1


def test_downscale_averages_areas():
    assert downscale(RAMP_X, 0.5)[0, 0, 0].tolist() == [0.5 + 2 * k for k in range(10)]
    assert downscale(RAMP_X, 1.0) is RAMP_X
