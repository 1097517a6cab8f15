"""Deformable convolution: a convolution whose taps look where they are told to.

Source: Zhu et al., *Deformable ConvNets v2* (arXiv 1811.11168). Written with PyTorch's own
sampling, so that it needs no compiled operator and runs on every device.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    dilation: int = 1,
    border: bool = False,
) -> Tensor:
    """Convolve with displaced taps, stride 1, keeping the size of the map.

    Convention: the tap in row i and column j of a K x K kernel samples, bilinearly, the place
    ``(x + (j - K // 2) dilation + dx, y + (i - K // 2) dilation + dy)`` in pixels of the map;
    channels ``2 k`` and ``2 k + 1`` of `offset` are dx and dy of tap ``k = i K + j``, x first as
    in every flow here (torchvision has y first).

    Parameters
    ----------
    x : Tensor
        Shape (B, C, H, W).
    offset : Tensor
        Displacements of the taps in pixels, shape (B, 2 K K, H, W).
    weight : Tensor
        Shape (D, C, K, K) with odd K.
    bias : Tensor, optional
        Shape (D,).
    mask : Tensor, optional
        Weights of the taps, shape (B, K K, H, W), usually in [0, 1].
    dilation : int
        Distance between undisplaced taps.
    border : bool
        Repeat the border outside of the map; zeros otherwise.

    Returns
    -------
    Tensor
        Shape (B, D, H, W), dtype of `x`.

    Raises
    ------
    ValueError
        If the shapes do not fit together or the kernel is not square and odd.
    """
    batch, channels, height, width = x.shape
    size = weight.shape[-1]
    if weight.shape[1:] != (channels, size, size) or size % 2 == 0:
        raise ValueError(f"The weights must be (D, {channels}, K, K) with odd K.")
    if offset.shape != (batch, 2 * size * size, height, width):
        raise ValueError(f"The offsets must be {(batch, 2 * size * size, height, width)}.")
    work = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        reach = torch.arange(size, device=x.device, dtype=work).sub(size // 2) * dilation
        taps = torch.stack(torch.meshgrid(reach, reach, indexing="xy"), -1).reshape(-1, 1, 1, 2)
        across = torch.arange(width, device=x.device, dtype=work)
        down = torch.arange(height, device=x.device, dtype=work)
        pixels = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)
        moves = torch.unflatten(offset.to(work), 1, (-1, 2)).permute(0, 1, 3, 4, 2)
        places = pixels + taps + moves  # (B, K K, H, W, 2)
        # align_corners=False has no division by zero for maps one pixel wide.
        frame = torch.tensor([width, height], device=x.device, dtype=work)
        sampled = F.grid_sample(
            x.to(work),
            ((2 * places + 1) / frame - 1).flatten(1, 2),
            padding_mode="border" if border else "zeros",
            align_corners=False,
        )
        sampled = torch.unflatten(sampled, 2, (-1, height))  # (B, C, K K, H, W)
        if mask is not None:
            sampled = sampled * mask.to(work).unsqueeze(1)
        y = torch.einsum("bckhw,dck->bdhw", sampled, weight.to(work).flatten(2))
        if bias is not None:
            y = y + bias.to(work)[:, None, None]
        return y.to(x.dtype)


class DeformConv2d(nn.Module):
    """Modulated deformable convolution that predicts its offsets and tap weights itself.

    It starts as a plain convolution with half the gain: offsets 0, tap weights 1/2.

    Parameters
    ----------
    inputs, outputs : int
        Channels of the maps.
    size : int
        Kernel size, odd.
    dilation : int
        Distance between undisplaced taps.
    border : bool
        Repeat the border outside of the map; zeros otherwise.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int = 3, *, dilation: int = 1, border: bool = True
    ) -> None:
        super().__init__()
        plain = nn.Conv2d(inputs, outputs, size)
        self.weight, self.bias = plain.weight, cast("nn.Parameter", plain.bias)
        self.to_taps = nn.Conv2d(
            inputs, 3 * size * size, size, padding=size // 2, padding_mode="replicate"
        )
        nn.init.zeros_(self.to_taps.weight)
        nn.init.zeros_(cast("Tensor", self.to_taps.bias))
        self.dilation, self.border = dilation, border

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, inputs, H, W) to (B, outputs, H, W)."""
        taps = self.to_taps(x)
        count = taps.shape[1] // 3
        offset, mask = taps[:, : 2 * count], taps[:, 2 * count :].sigmoid()
        return deform_conv2d(
            x, offset, self.weight, self.bias, mask, dilation=self.dilation, border=self.border
        )
