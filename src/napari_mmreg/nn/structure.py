"""Input channels of the networks: the image beside what sensors share."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_mmreg.nn.gradients import image_gradient
from napari_mmreg.nn.mind import mind_ssc
from napari_mmreg.nn.sampling import gaussian_blur

CHANNELS = 16
"""Channels of `robust_channels`."""


def robust_channels(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Describe a grey image by contrast-normalised channels (ours; the papers use the image).

    Parameters
    ----------
    image : Tensor of shape (B, 1, H, W)
        Grey values.
    mask : Tensor of shape (B, 1, H, W), optional
        Where the image has data; elsewhere all channels are 0.

    Returns
    -------
    Tensor of shape (B, 16, ceil(H / 2), ceil(W / 2))
        Locally normalised intensity; gradient magnitude and its double-angle direction
        (cos 2a, sin 2a, blind to the sign of the contrast); twelve MIND-SSC channels. Cell j
        is at pixel 2 j.
    """
    inside = torch.ones_like(image) if mask is None else mask.to(image)
    share = gaussian_blur(inside, 6.0).clamp_min(1e-3)
    mean = gaussian_blur(image * inside, 6.0) / share
    # Pixels without data take the local mean: the frame's border is no edge.
    filled = torch.where(inside > 0.5, image, mean)
    spread = (gaussian_blur((filled - mean).square(), 6.0) + 1e-4).sqrt()
    normal = ((filled - mean) / spread).clamp(-3, 3) / 3
    gx, gy = image_gradient(gaussian_blur(filled, 0.7))
    length = (gx.square() + gy.square() + 1e-8).sqrt()
    typical = gaussian_blur(length, 8.0) + 2e-3
    magnitude = length / (length + typical)
    turn = magnitude / length.square()
    double = [(gx.square() - gy.square()) * turn, 2 * gx * gy * turn]
    picture = gaussian_blur(torch.cat([normal, magnitude, *double], 1), 0.8, step=2)
    half = gaussian_blur(filled, 0.8, step=2)
    inside = inside[..., ::2, ::2]
    return torch.cat([picture, mind_ssc(half, dilation=1) - 0.5], 1) * inside
