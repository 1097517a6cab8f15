"""Scans over an image in four directions (SS2D).

Sources: Liu et al., *VMamba* (arXiv 2401.10166) for the four directions; Guo et al.,
*MambaIR* (arXiv 2402.15648) for the layout. The core is Mamba-2's scan
(`napari_mmreg.nn.ssd`) by default, which is ours here and several times faster without a GPU;
both papers use Mamba's (`napari_mmreg.nn.selective_scan`).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.nn.norm import LayerNorm2d
from napari_mmreg.nn.selective_scan import selective_scan
from napari_mmreg.nn.ssd import ssd

DIRECTIONS = 4
Core = Literal["ssd", "selective_scan"]
Padding = Literal["replicate", "zeros", "reflect"]


def to_sequences(x: Tensor) -> Tensor:
    """Read an image row by row, column by column, and both from the end.

    Parameters
    ----------
    x : Tensor
        Shape (B, C, H, W).

    Returns
    -------
    Tensor
        Shape (B, 4, C, H * W).
    """
    rows, columns = x.flatten(2), x.transpose(2, 3).flatten(2)
    return torch.stack([rows, columns, rows.flip(-1), columns.flip(-1)], 1)


def from_sequences(sequences: Tensor, shape: tuple[int, int]) -> Tensor:
    """Put the four sequences back in place and add them up.

    Parameters
    ----------
    sequences : Tensor
        Shape (B, 4, C, H * W), in the order of `to_sequences`.
    shape : tuple of int
        (H, W).

    Returns
    -------
    Tensor
        Shape (B, C, H, W).
    """
    rows, columns, rows_back, columns_back = sequences.unbind(1)
    across = torch.unflatten(rows + rows_back.flip(-1), -1, shape)
    down = torch.unflatten(columns + columns_back.flip(-1), -1, shape[::-1])
    return across + down.transpose(2, 3)


def divisor(channels: int, largest: int = 32) -> int:
    """Return the largest divisor of `channels` that is at most `largest`."""
    return next(size for size in range(min(largest, channels), 0, -1) if channels % size == 0)


def initial_steps(*shape: int) -> Tensor:
    """Draw biases whose softplus is log-uniform in [0.001, 0.1]."""
    low, high = math.log(1e-3), math.log(0.1)
    step = torch.exp(torch.rand(shape) * (high - low) + low)
    return step + torch.log(-torch.expm1(-step))


class SS2D(nn.Module):
    """State-space mixing of a feature map along four scan directions.

    1 x 1 convolution to ``2 * expand * channels`` (values and gate), depth-wise convolution and
    SiLU on the values, four scans, sum, layer normalisation, gate, 1 x 1 convolution back.

    With `shared` the four directions use the same weights; the scans then commute with
    transposing the image and with turning it by 180 degrees. They do not commute with turning it
    by 90 degrees, since the row scan would become one of columns from right to left, each read
    downwards, which is none of the four.

    Parameters
    ----------
    channels : int
        Channels C of the maps (B, C, H, W).
    expand : int
        Inner channels per channel.
    state : int
        States N of each channel.
    core : {"ssd", "selective_scan"}
        Which scan runs.
    head_dim : int, optional
        Channels of a head for the core ``ssd``; the largest divisor up to 32 when left out.
    kernel_size : int
        Size of the depth-wise convolution, odd.
    padding_mode : {"replicate", "zeros", "reflect"}
        What the depth-wise convolution sees outside. Zeros tell a network where the border is,
        from which it learns positions instead of displacements.
    shared : bool
        One set of weights for the four directions instead of four.
    chunk : int
        Tokens in a chunk of the scan.
    """

    def __init__(
        self,
        channels: int,
        *,
        expand: int = 2,
        state: int = 16,
        core: Core = "ssd",
        head_dim: int | None = None,
        kernel_size: int = 3,
        padding_mode: Padding = "replicate",
        shared: bool = False,
        chunk: int = 64,
    ) -> None:
        super().__init__()
        inner = expand * channels
        self.enter = nn.Conv2d(channels, 2 * inner, 1, bias=False)
        self.local = nn.Conv2d(
            inner, inner, kernel_size, padding=kernel_size // 2, groups=inner,
            padding_mode=padding_mode,
        )  # fmt: skip
        self.core: nn.Module
        if core == "ssd":
            self.core = _SSDCore(inner, state, head_dim or divisor(inner), chunk, shared=shared)
        elif core == "selective_scan":
            self.core = _SelectiveCore(inner, state, math.ceil(channels / 16), chunk, shared=shared)
        else:
            raise ValueError(f"The core is ssd or selective_scan, not {core!r}.")
        self.norm = LayerNorm2d(inner)
        self.leave = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix (B, C, H, W), any H and W; same shape."""
        values, gate = self.enter(x).chunk(2, dim=1)
        values = F.silu(self.local(values))
        height, width = x.shape[2:]
        mixed = from_sequences(self.core(to_sequences(values)), (height, width))
        y: Tensor = self.leave(self.norm(mixed) * F.silu(gate))
        return y


class _SSDCore(nn.Module):
    """Mamba-2 scans of K sequences (B, K, D, L), each with weights of its own unless shared."""

    def __init__(self, inner: int, state: int, head_dim: int, chunk: int, *, shared: bool) -> None:
        super().__init__()
        if inner % head_dim:
            raise ValueError(f"{inner} inner channels cannot form heads of {head_dim}.")
        sets, heads = 1 if shared else DIRECTIONS, inner // head_dim
        self.heads, self.state, self.chunk = heads, state, chunk
        self.project = _projections(sets, heads + 2 * state, inner)
        self.dt_bias = nn.Parameter(initial_steps(sets, heads))
        self.a_log = nn.Parameter(torch.empty(sets, heads).uniform_(1, 16).log())
        self.d = nn.Parameter(torch.ones(sets, heads))

    def forward(self, x: Tensor) -> Tensor:
        count = x.shape[1]
        dt, b, c = torch.split(self.project @ x, [self.heads, self.state, self.state], dim=2)
        a = -torch.exp(self.a_log)
        values = torch.unflatten(x.permute(0, 3, 1, 2).flatten(2), 2, (count * self.heads, -1))
        y = ssd(
            values,
            dt.permute(0, 3, 1, 2).flatten(2),
            _repeated(a, count),
            b.permute(0, 3, 1, 2),
            c.permute(0, 3, 1, 2),
            _repeated(self.d, count),
            dt_bias=_repeated(self.dt_bias, count),
            dt_softplus=True,
            chunk=self.chunk,
        )
        return torch.unflatten(y.flatten(2), 2, (count, -1)).permute(0, 2, 3, 1)


class _SelectiveCore(nn.Module):
    """Mamba scans of K sequences (B, K, D, L), each with weights of its own unless shared."""

    def __init__(self, inner: int, state: int, rank: int, chunk: int, *, shared: bool) -> None:
        super().__init__()
        sets = 1 if shared else DIRECTIONS
        self.rank, self.state, self.chunk = rank, state, chunk
        self.project = _projections(sets, rank + 2 * state, inner)
        self.widen = _projections(sets, inner, rank)
        self.dt_bias = nn.Parameter(initial_steps(sets, inner))
        rates = torch.arange(1, state + 1, dtype=torch.float32)
        self.a_log = nn.Parameter(rates.log().repeat(sets, inner, 1))
        self.d = nn.Parameter(torch.ones(sets, inner))

    def forward(self, x: Tensor) -> Tensor:
        count = x.shape[1]
        dt, b, c = torch.split(self.project @ x, [self.rank, self.state, self.state], dim=2)
        y = selective_scan(
            x.flatten(1, 2),
            (self.widen @ dt).flatten(1, 2),
            _repeated(-torch.exp(self.a_log), count),
            b,
            c,
            _repeated(self.d, count),
            dt_bias=_repeated(self.dt_bias, count),
            dt_softplus=True,
            chunk=self.chunk,
        )
        return torch.unflatten(y, 1, (count, -1))


def _projections(sets: int, outputs: int, inputs: int) -> nn.Parameter:
    """Draw weights (sets, outputs, inputs), uniform within one over the root of the inputs."""
    bound = inputs**-0.5
    return nn.Parameter(torch.empty(sets, outputs, inputs).uniform_(-bound, bound))


def _repeated(weights: Tensor, count: int) -> Tensor:
    """Give each of `count` directions its own or the shared weights: (K or 1, D) to (K D,)."""
    return weights.expand(count, *weights.shape[1:]).flatten(0, 1)
