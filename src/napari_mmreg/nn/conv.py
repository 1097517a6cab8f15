"""The convolution that all networks use."""

from __future__ import annotations

from torch import nn


def conv(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1, *, bias: bool = True
) -> nn.Conv2d:
    """Return a centred convolution; replicated borders do not tell a pixel where it is."""
    return nn.Conv2d(
        inputs,
        outputs,
        size,
        stride,
        size // 2,
        groups=groups,
        bias=bias,
        padding_mode="replicate",
    )
