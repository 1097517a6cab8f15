"""The fused image that localisation starts from, made of what the sources show."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, where

from napari_mmreg.nn.sampling import fill_outside

Fuse = Callable[[Tensor, Tensor], Tensor]
"""From fixed and moving luminances (B, 1, H, W) in [0, 1] to a fused one."""


def fused_prior(
    fuse: Fuse, fixed: Tensor, moving: Tensor, fixed_mask: Tensor | None, moving_mask: Tensor | None
) -> Tensor:
    """Fuse where both images have data; elsewhere either stands alone, as in `fusion.fuse`.

    Parameters
    ----------
    fuse : callable
    fixed, moving : Tensor of shape (B, 1, H, W)
    fixed_mask, moving_mask : Tensor of shape (B, 1, H, W), optional
        Where the images have data.

    Returns
    -------
    Tensor of shape (B, 1, H, W)
        In [0, 1].
    """
    fixed, moving = fill_outside(fixed, fixed_mask), fill_outside(moving, moving_mask)
    fused = fuse(fixed, moving).clamp(0, 1)
    if moving_mask is not None:
        fused = where(moving_mask.bool(), fused, fixed)
    if fixed_mask is not None:
        fused = where(fixed_mask.bool(), fused, moving)
    return fused
