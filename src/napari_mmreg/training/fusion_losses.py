"""Losses of fusion networks: what of either image a fused one should keep.

All take (B, 1, H, W) images in [0, 1] that are aligned, and an optional mask (B, 1, H, W) of
the pixels that count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_mmreg.nn.gradients import image_gradient
from napari_mmreg.nn.sampling import gaussian_blur
from napari_mmreg.training.losses import masked_mean

_SSIM_SIGMA = 1.5
_SSIM_FLOORS = (0.01**2, 0.03**2)
"""C1 and C2 for images in [0, 1], as published."""


def intensity_loss(
    fused: Tensor, fixed: Tensor, moving: Tensor, mask: Tensor | None = None
) -> Tensor:
    """L1 distance to the brighter one of the two images at each pixel."""
    return masked_mean((fused - torch.maximum(fixed, moving)).abs(), mask)


def larger_gradient(fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
    """Return, per direction and pixel, that image's derivative whose absolute value is larger.

    RFNet writes ``sign(g_x + g_y) max(|g_x|, |g_y|)``, which is the same except where the two
    are exactly opposite; there this is the fixed image's.

    Returns
    -------
    gx, gy : Tensor of shape (B, 1, H, W)
        Scharr derivatives per pixel.
    """
    x, y = (
        torch.where(other.abs() > one.abs(), other, one)
        for one, other in zip(image_gradient(fixed), image_gradient(moving), strict=True)
    )
    return x, y


def gradient_loss(
    fused: Tensor,
    fixed: Tensor,
    moving: Tensor,
    mask: Tensor | None = None,
    *,
    squared: bool = False,
) -> Tensor:
    """Distance of the fused image's derivatives from `larger_gradient`, summed over directions.

    L1 by default; with `squared` the mean square, RFNet's L_grad up to the root.
    """
    terms = []
    for own, wanted in zip(image_gradient(fused), larger_gradient(fixed, moving), strict=True):
        away = own - wanted
        terms.append(masked_mean(away.square() if squared else away.abs(), mask))
    return terms[0] + terms[1]


def ssim_map(one: Tensor, two: Tensor) -> Tensor:
    """Return the structural similarity at every pixel (Wang et al. 2004), Gaussian window."""
    mean_one, mean_two = gaussian_blur(one, _SSIM_SIGMA), gaussian_blur(two, _SSIM_SIGMA)
    var_one = gaussian_blur(one.square(), _SSIM_SIGMA) - mean_one.square()
    var_two = gaussian_blur(two.square(), _SSIM_SIGMA) - mean_two.square()
    covariance = gaussian_blur(one * two, _SSIM_SIGMA) - mean_one * mean_two
    c1, c2 = _SSIM_FLOORS
    likeness = (2 * mean_one * mean_two + c1) / (mean_one.square() + mean_two.square() + c1)
    return likeness * (2 * covariance + c2) / (var_one + var_two + c2)


def ssim_loss(fused: Tensor, fixed: Tensor, moving: Tensor, mask: Tensor | None = None) -> Tensor:
    """One minus the mean structural similarity of the fused image with both images."""
    both = (ssim_map(fused, fixed) + ssim_map(fused, moving)) / 2
    return 1 - masked_mean(both, mask)
