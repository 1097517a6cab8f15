"""Sampling feature maps at pixel positions, and small separable filters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_grid(rows: int, cols: int, like: Tensor) -> Tensor:
    """Return the (x, y) pixel coordinates of a grid.

    Parameters
    ----------
    rows, cols : int
        Shape of the grid.
    like : Tensor
        Gives device and dtype.

    Returns
    -------
    Tensor of shape (rows, cols, 2)
        *Convention*: channel 0 is x (column), channel 1 is y (row); pixel centres at integers.
    """
    y = torch.arange(rows, device=like.device, dtype=like.dtype)
    x = torch.arange(cols, device=like.device, dtype=like.dtype)
    return torch.stack(
        [x[None, :].expand(rows, cols), y[:, None].expand(rows, cols)],
        dim=-1,
    )


def check_sides(image: Tensor, multiple: int) -> tuple[int, int]:
    """Return rows and columns; raises `ValueError` if they are not multiples of a stride."""
    rows, cols = image.shape[-2:]
    if rows % multiple or cols % multiple:
        raise ValueError(f"Sides must be multiples of {multiple}; they are {rows} x {cols}.")
    return rows, cols


def sample(image: Tensor, positions: Tensor, *, padding: str = "border") -> Tensor:
    """Sample images bilinearly at pixel positions.

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W)
        What is sampled; a batch of one is shared by all positions.
    positions : Tensor of shape (B, h, w, 2)
        *Convention*: (x, y) in pixels of `image`, pixel centres at integers.
    padding : {"border", "zeros"}
        What lies outside `image`.

    Returns
    -------
    Tensor of shape (B, C, h, w)
    """
    rows, cols = image.shape[-2:]
    scale = positions.new_tensor([2.0 / max(cols - 1, 1), 2.0 / max(rows - 1, 1)])
    if image.shape[0] != positions.shape[0]:
        image = image.expand(positions.shape[0], -1, -1, -1)
    return F.grid_sample(
        image,
        (positions * scale - 1.0).to(image.dtype),
        mode="bilinear",
        padding_mode=padding,
        align_corners=True,
    )


def warp(image: Tensor, flow: Tensor, *, padding: str = "border") -> Tensor:
    """Pull `image` through a flow: the result shows at p what `image` shows at p + flow(p).

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W)
        What is sampled.
    flow : Tensor of shape (B, 2, h, w)
        *Convention*: channel 0 is x, channel 1 is y, in pixels of `image`.
    padding : {"border", "zeros"}
        What lies outside `image`.

    Returns
    -------
    Tensor of shape (B, C, h, w)
    """
    grid = pixel_grid(flow.shape[-2], flow.shape[-1], flow)
    return sample(image, grid + flow.permute(0, 2, 3, 1), padding=padding)


def upsample_flow(flow: Tensor, shape: tuple[int, int], factor: int = 2) -> Tensor:
    """Bring a flow in coarse cells to a finer grid, whose cell (j, i) is coarse (j, i) / factor."""
    grid = pixel_grid(*shape, flow) / factor
    return sample(flow, grid.unsqueeze(0).expand(len(flow), -1, -1, -1)) * factor


def doubled(features: Tensor, shape: torch.Size) -> Tensor:
    """Bring features to the next finer grid, whose cell j is at j / 2 of the coarse one."""
    grid = pixel_grid(shape[0], shape[1], features) / 2
    return sample(features, grid.expand(len(features), -1, -1, -1))


def fill_outside(image: Tensor, mask: Tensor | None) -> Tensor:
    """Give pixels without data the mean of those that have some: a frame's border is no edge."""
    if mask is None:
        return image
    weight = mask.to(image)
    mean = (image * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp_min(
        1.0
    )
    return torch.where(weight > 0.5, image, mean)


@lru_cache(maxsize=64)
def _gaussian_taps(sigma: float) -> tuple[float, ...]:
    radius = max(1, math.ceil(3.0 * sigma))
    taps = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(-radius, radius + 1)]
    total = sum(taps)
    return tuple(t / total for t in taps)


def separable_filter(
    image: Tensor, taps_y: Sequence[float], taps_x: Sequence[float], step: int = 1
) -> Tensor:
    """Correlate every channel with an outer product of two odd kernels, edges replicated.

    A sum of shifted images: for single channels several times faster than a convolution, and
    its gradient too.

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W)
    taps_y, taps_x : sequence of float
        The kernels, of odd length, from low to high index.
    step : int
        Only every `step`-th row and column is returned, beginning with the first.

    Returns
    -------
    Tensor of shape (B, C, ceil(H / step), ceil(W / step))
        At least float32.
    """
    image = image.to(torch.promote_types(image.dtype, torch.float32))  # it adds many small parts
    rows, cols = image.shape[-2:]
    pad_y, pad_x = len(taps_y) // 2, len(taps_x) // 2
    padded = F.pad(image, (0, 0, pad_y, pad_y), mode="replicate")
    image = _weighted_sum((padded[:, :, i : i + rows : step] for i in count()), taps_y)
    padded = F.pad(image, (pad_x, pad_x, 0, 0), mode="replicate")
    # Columns that are left out cost less than columns that are not neighbours in memory.
    return _weighted_sum((padded[..., i : i + cols] for i in count()), taps_x)[..., ::step]


def _weighted_sum(images: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
    pairs = zip(weights, images, strict=False)
    weight, image = next(pairs)
    total = image * weight
    for weight, image in pairs:
        total.add_(image, alpha=weight)
    return total


def gaussian_blur(image: Tensor, sigma: float, step: int = 1) -> Tensor:
    """Blur (B, C, H, W) with a Gaussian of `sigma` pixels; edges are replicated.

    Every `step`-th row and column is returned, as if the others were dropped afterwards.
    """
    if sigma <= 0:
        return image[..., ::step, ::step]
    taps = _gaussian_taps(float(sigma))
    return separable_filter(image, taps, taps, step)
