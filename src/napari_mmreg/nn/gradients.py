"""Oriented gradient channels: image structure that does not depend on the sensor's contrast."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.sampling import gaussian_blur, separable_filter


def image_gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Scharr derivatives per pixel, (d/dx, d/dy), of a (B, C, H, W) tensor; edges replicated."""
    smooth, slope = (3 / 16, 10 / 16, 3 / 16), (-0.5, 0.0, 0.5)
    return separable_filter(image, smooth, slope), separable_filter(image, slope, smooth)


def orientation_channels(
    image: Tensor,
    mask: Tensor | None = None,
    *,
    orientations: int = 9,
    sigma: float = 1.0,
    smooth: float = 1.5,
) -> Tensor:
    """Describe each pixel by the strength of its gradients in several directions.

    The absolute directional derivative of the blurred image, smoothed in space and over
    neighbouring orientations, is scaled to about unit length. It is blind to the sign and to
    the size of the contrast, which is what two sensors do not share; the idea is CFOG's.

    Parameters
    ----------
    image : Tensor of shape (B, 1, H, W)
        Grey values.
    mask : Tensor of shape (B, 1, H, W), optional
        Where the image has data; only there is the noise level estimated.
    orientations : int
        Number of directions over 180 degrees.
    sigma : float
        Blur before the derivative, in pixels.
    smooth : float
        Blur of the channels, in pixels.

    Returns
    -------
    Tensor of shape (B, orientations, H, W)
        Made in place where it can be: not to be differentiated.

    References
    ----------
    Ye, Y. et al. (2019), Fast and robust matching for multimodal remote sensing image
    registration, IEEE TGRS 57(11).
    """
    gx, gy = image_gradient(gaussian_blur(image, sigma))
    angle = torch.arange(orientations, device=image.device, dtype=image.dtype)
    angle = (angle * (math.pi / orientations)).view(1, -1, 1, 1)
    channels = (gx * torch.cos(angle)).addcmul_(gy, torch.sin(angle)).abs_()
    channels = gaussian_blur(channels, smooth)
    mixed = 0.5 * channels
    for step in (1, -1):  # the directions go round
        mixed += channels.roll(step, 1).mul_(0.25)
    # What is common to all directions is texture or noise: it says little about where.
    mixed -= 0.8 * mixed.amin(dim=1, keepdim=True)
    length = mixed.square().sum(dim=1, keepdim=True).sqrt_()
    return mixed.div_(length + noise_floor(length, mask))


def noise_floor(length: Tensor, mask: Tensor | None) -> Tensor:
    """Half the median of (B, 1, H, W) inside the mask: below it, structure is not trusted."""
    flat = length.flatten(1)
    if mask is not None:
        inside = mask.expand_as(length).flatten(1) > 0.5
        flat = torch.where(inside, flat, torch.full_like(flat, float("nan")))
    median = flat.nanmedian(dim=1).values.nan_to_num(0.0)
    return 0.5 * median.view(-1, 1, 1, 1) + 1e-3


def downscale(image: Tensor, factor: float) -> Tensor:
    """Shrink (B, C, H, W) by `factor` <= 1 with area averaging."""
    if factor >= 1:
        return image
    rows, cols = (max(2, round(n * factor)) for n in image.shape[-2:])
    return F.interpolate(image, size=(rows, cols), mode="area")
