"""Blurring every sample of a batch by a strength of its own."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def blur_each(
    image: Tensor,
    sigma_x: Tensor,
    sigma_y: Tensor,
    *,
    largest: float,
    padding: str = "replicate",
) -> Tensor:
    """Blur (B, C, H, W) by Gaussians that differ from sample to sample.

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W)
    sigma_x, sigma_y : Tensor of shape (B,)
        In pixels along each axis; 0 leaves a sample as it is.
    largest : float
        An upper bound of the sigmas; it sets the size of the kernels.
    padding : str
        As in `torch.nn.functional.pad`.
    """
    batch, channels, rows, cols = image.shape
    radius = max(1, math.ceil(2.5 * largest))
    offsets = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)

    def taps(sigma: Tensor) -> Tensor:
        weights = torch.exp(-0.5 * (offsets / sigma.to(image).clamp_min(0.05)[:, None]).square())
        weights = weights / weights.sum(1, keepdim=True)
        return weights.repeat_interleave(channels, 0)

    flat = image.reshape(1, batch * channels, rows, cols)
    flat = F.pad(flat, (radius, radius, radius, radius), mode=padding)
    flat = F.conv2d(flat, taps(sigma_y)[:, None, :, None], groups=batch * channels)
    flat = F.conv2d(flat, taps(sigma_x)[:, None, None, :], groups=batch * channels)
    return flat.view(batch, channels, rows, cols)
