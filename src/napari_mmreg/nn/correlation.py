"""How well the features of two images agree: near every pixel, or between all pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx


def local_correlation(
    first: Tensor,
    second: Tensor,
    radius: int,
    *,
    padding: Literal["replicate", "zeros"] = "replicate",
) -> Tensor:
    """Correlate every pixel of `first` with the neighbourhood of the same pixel of `second`.

    Convention: channel ``(dy + r) * (2 r + 1) + (dx + r)`` of the result is the mean over the
    feature channels of ``first(x, y) * second(x + dx, y + dy)``, in pixels of the maps. A peak
    at (dx, dy) therefore is a flow of (dx, dy) that pulls `second` onto `first`.

    Parameters
    ----------
    first, second : Tensor
        Shape (B, C, H, W).
    radius : int
        Largest displacement r in either direction.
    padding : {"replicate", "zeros"}
        What lies outside of `second`. Zeros tell a network where the border is.

    Returns
    -------
    Tensor
        Shape (B, (2 r + 1)^2, H, W).

    Raises
    ------
    ValueError
        If the shapes differ or the radius is negative.
    """
    if first.ndim != 4 or first.shape != second.shape:
        raise ValueError(
            f"Both maps must have one shape (B, C, H, W); they are {tuple(first.shape)} "
            f"and {tuple(second.shape)}."
        )
    if radius < 0:
        raise ValueError(f"The radius must not be negative; it is {radius}.")
    mode = "constant" if padding == "zeros" else "replicate"
    padded = F.pad(second, (radius,) * 4, mode=mode)
    correlated: Tensor = _WindowProducts.apply(first, padded)  # type: ignore[no-untyped-call]
    return correlated


class _WindowProducts(torch.autograd.Function):
    """Mean products of (B, C, H, W) with all windows of (B, C, H + 2 r, W + 2 r).

    One displacement at a time: all of them at once would hold C times as much. The gradient is
    written out, since autograd would fill a padded map with zeros for every displacement.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, first: Tensor, padded: Tensor) -> Tensor:
        ctx.save_for_backward(first, padded)
        return torch.stack([(first * part).mean(1) for part in _windows(first, padded)], dim=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        first, padded = ctx.saved_tensors
        gradient = gradient / first.shape[1]
        for_first, for_padded = torch.zeros_like(first), torch.zeros_like(padded)
        targets = _windows(first, for_padded)
        for index, (part, target) in enumerate(zip(_windows(first, padded), targets, strict=True)):
            share = gradient[:, index : index + 1].expand_as(first)
            for_first.addcmul_(share, part)
            target.addcmul_(share, first)
        return for_first, for_padded


def _windows(first: Tensor, padded: Tensor) -> list[Tensor]:
    """Return the views of `padded` that each displacement puts on `first`, row by row."""
    height, width = first.shape[2:]
    rows, columns = padded.shape[2] - height + 1, padded.shape[3] - width + 1
    return [
        padded[:, :, row : row + height, column : column + width]
        for row in range(rows)
        for column in range(columns)
    ]


def all_pairs_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlate every pixel of one image with every pixel of the other.

    Parameters
    ----------
    first : Tensor
        Shape (B, C, H, W).
    second : Tensor
        Shape (B, C, h, w).

    Returns
    -------
    Tensor
        Mean over channels of the products, float32 (float64 for float64), shape
        (B, H * W, h * w); pixels are counted row by row.

    Raises
    ------
    ValueError
        If batch or channels differ.
    """
    if first.ndim != 4 or second.ndim != 4 or first.shape[:2] != second.shape[:2]:
        raise ValueError(
            f"Batch and channels must agree: {tuple(first.shape)} and {tuple(second.shape)}."
        )
    work = torch.promote_types(first.dtype, torch.float32)
    with torch.autocast(first.device.type, enabled=False):
        one, two = first.to(work).flatten(2), second.to(work).flatten(2)
        return one.transpose(1, 2) @ two / first.shape[1]


def dual_softmax(
    similarity: Tensor,
    temperature: float = 0.1,
    *,
    first_mask: Tensor | None = None,
    second_mask: Tensor | None = None,
) -> Tensor:
    """Turn similarities into probabilities that two pixels match each other.

    The product of the softmax over the second and the softmax over the first image, as in
    Sun et al., *LoFTR* (arXiv 2104.00680).

    Parameters
    ----------
    similarity : Tensor
        Shape (B, N, M).
    temperature : float
        Divides the similarities.
    first_mask, second_mask : Tensor, optional
        bool (B, N) and (B, M); False takes a pixel out of the competition, with probability 0.

    Returns
    -------
    Tensor
        Shape (B, N, M), in [0, 1]; no row and no column sums to more than 1.
    """
    scores = similarity if temperature == 1.0 else similarity / temperature
    hidden = torch.zeros((), dtype=torch.bool, device=scores.device)
    if first_mask is not None:
        hidden = hidden | ~first_mask.unsqueeze(2)
    if second_mask is not None:
        hidden = hidden | ~second_mask.unsqueeze(1)
    if hidden.ndim == 0:
        return scores.softmax(1) * scores.softmax(2)
    # The smallest number and not -inf: a row with nothing left must not become NaN.
    scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
    return (scores.softmax(1) * scores.softmax(2)).masked_fill(hidden, 0)


def peak_vote(logits: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Read displacement and trust off local similarities.

    Parameters
    ----------
    logits : Tensor of shape (B, (2 r + 1)^2, h, w)
        Order as of `local_correlation`.
    radius : int
        The radius r, in cells.

    Returns
    -------
    vote : Tensor of shape (B, 2, h, w)
        (x, y): the mean over the 3 x 3 cells around the best one, weighted by probability.
    trust : Tensor of shape (B, 1, h, w)
        The probability of those cells.
    """
    probability = logits.softmax(1)
    steps = torch.arange(-radius, radius + 1, device=logits.device, dtype=logits.dtype)
    dy, dx = torch.meshgrid(steps, steps, indexing="ij")
    offsets = torch.stack([dx.flatten(), dy.flatten()], 0)
    best = offsets[:, logits.argmax(1)].transpose(0, 1)
    distance = (offsets.view(1, 2, -1, 1, 1) - best.unsqueeze(2)).abs().amax(1)
    near = probability * (distance <= 1)
    trust = near.sum(1, keepdim=True)
    vote = torch.einsum("dn,bnhw->bdhw", offsets, near) / trust.clamp_min(1e-9)
    return vote, trust
