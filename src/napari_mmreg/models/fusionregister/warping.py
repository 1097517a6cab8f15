"""Location registration: how a field and a gate move the fused image.

*Convention*: flows are (B, 2, H, W), channel 0 = x, channel 1 = y, in pixels, pull.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mmreg.nn.sampling import warp

if TYPE_CHECKING:
    from torch import Tensor

    from napari_mmreg.models.fusionregister.config import Warping


def fused_flow(flow: Tensor, gate: Tensor) -> Tensor:
    """Return by how much the fused image moves: the expected displacement (2 M - 1) phi."""
    return (2 * gate - 1) * flow


def corrected(fused: Tensor, flow: Tensor, gate: Tensor, warping: Warping) -> Tensor:
    """Move a fused image, or its features, to where the fixed image has things.

    Parameters
    ----------
    fused : Tensor of shape (B, C, H, W)
    flow : Tensor of shape (B, 2, H, W)
        phi.
    gate : Tensor of shape (B, 1, H, W)
        M, in [0, 1].
    warping : {"expected", "both", "one"}
        ``"both"`` is the paper's ``M W(phi) + (1 - M) W(-phi)``; between 0 and 1 it shows two
        images over each other. ``"expected"`` (ours) takes the mean of the two displacements in
        place of that of the two images: one resampling, the same where M is 0 or 1, and nothing
        moves where M is 1/2. ``"one"`` is ``W(phi)``, the paper's ablation.
    """
    if warping == "expected":
        return warp(fused, fused_flow(flow, gate))
    if warping == "both":
        return gate * warp(fused, flow) + (1 - gate) * warp(fused, -flow)
    return warp(fused, flow)
