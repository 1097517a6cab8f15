"""State-space duality without causality: one summary of all tokens, read by every token.

Source: Shi et al., *VSSD: Vision Mamba with Non-Causal State Space Duality*
(arXiv 2407.18559): with the decay between tokens taken away, every token t sees the same
state ``S = sum_s m[s] b[s] x[s]^T`` with ``m = dt |a|``, and puts out ``S^T c[t] + d x[t]``.

Ours, not the paper's: the weights ``m`` are divided by their sum. A plain sum grows with the
number of tokens, so that its ratio to the skip ``d x[t]`` would change with the size of the
image. A constant factor of ``m`` cancels, so that ``|a|`` drops out and one non-negative weight
per token and head remains: a learned saliency. Ours as well: the cross form, in which the
tokens of one image read the summary of the other, and weights of zero as a mask.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ssd_noncausal(
    x: Tensor,
    weight: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None = None,
    *,
    normalise: bool = True,
) -> Tensor:
    """Let every token read the weighted summary of all tokens.

    Parameters
    ----------
    x : Tensor
        Values, shape (B, L, H, P): H heads of P channels.
    weight : Tensor
        Token weights, not negative, shape (B, L, H); 0 hides a token.
    b, c : Tensor
        Keys and queries, shape (B, L, G, N); H / G neighbouring heads share a group.
    d : Tensor, optional
        Skip weights, shape (H,).
    normalise : bool
        Divide by the sum of the weights (ours); False is the sum of the paper.

    Returns
    -------
    Tensor
        Shape (B, L, H, P), dtype of `x`.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    return ssd_cross(c, x, weight, b, d, None if d is None else x, normalise=normalise)


def ssd_cross(
    c: Tensor,
    x: Tensor,
    weight: Tensor,
    b: Tensor,
    d: Tensor | None = None,
    skip: Tensor | None = None,
    *,
    normalise: bool = True,
) -> Tensor:
    """Let the tokens of one image read the weighted summary of another image's.

    ``y[t] = (sum_s m[s] b[s] x[s]^T / sum_s m[s])^T c[t] + d skip[t]``. Time and memory are
    linear in both numbers of tokens, which may differ. Computed in float32 (float64 for
    float64), whatever autocast says.

    Parameters
    ----------
    c : Tensor
        Queries of the image that reads, shape (B, T, G, N).
    x : Tensor
        Values of the image that is read, shape (B, L, H, P).
    weight : Tensor
        Its token weights, not negative, shape (B, L, H); 0 hides a token. Where all are 0 the
        summary is 0.
    b : Tensor
        Its keys, shape (B, L, G, N).
    d : Tensor, optional
        Skip weights, shape (H,); needs `skip`.
    skip : Tensor, optional
        Values of the image that reads, shape (B, T, H, P); needs `d`.
    normalise : bool
        Divide by the sum of the weights.

    Returns
    -------
    Tensor
        Shape (B, T, H, P), dtype of `x`.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    _check(c, x, weight, b, d, skip)
    groups, work = b.shape[2], torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        m = weight.to(work)
        if normalise:
            m = m / m.sum(1, keepdim=True).clamp_min(1e-12)  # all hidden: 0, not NaN
        values = torch.unflatten(x.to(work) * m.unsqueeze(-1), 2, (groups, -1))  # (B, L, G, R, P)
        summary = torch.einsum("blgn,blgrp->bgrnp", b.to(work), values)
        y = torch.einsum("btgn,bgrnp->btgrp", c.to(work), summary).flatten(2, 3)
        if d is not None and skip is not None:
            y = y + d.to(work)[:, None] * skip.to(work)
        return y.to(x.dtype)


def ssd_noncausal_reference(
    x: Tensor,
    weight: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None = None,
    *,
    normalise: bool = True,
) -> Tensor:
    """Evaluate `ssd_noncausal` as attention, quadratic in L; for comparison.

    Parameters
    ----------
    x, weight, b, c, d, normalise
        As for `ssd_noncausal`.

    Returns
    -------
    Tensor
        Shape (B, L, H, P), dtype of `x`.
    """
    return ssd_cross_reference(c, x, weight, b, d, x, normalise=normalise)


def ssd_cross_reference(
    c: Tensor,
    x: Tensor,
    weight: Tensor,
    b: Tensor,
    d: Tensor | None = None,
    skip: Tensor | None = None,
    *,
    normalise: bool = True,
) -> Tensor:
    """Evaluate `ssd_cross` as attention, with every pair of tokens; for comparison.

    Parameters
    ----------
    c, x, weight, b, d, skip, normalise
        As for `ssd_cross`.

    Returns
    -------
    Tensor
        Shape (B, T, H, P), dtype of `x`.
    """
    share = x.shape[2] // b.shape[2]
    keys, queries = b.repeat_interleave(share, 2), c.repeat_interleave(share, 2)
    attention = torch.einsum("bthn,bshn->bhts", queries, keys)
    attention = attention * weight.permute(0, 2, 1).unsqueeze(2)
    if normalise:
        attention = attention / weight.sum(1)[:, :, None, None].clamp_min(1e-12)
    y = torch.einsum("bhts,bshp->bthp", attention, x)
    if d is not None and skip is not None:
        y = y + d[:, None] * skip
    return y.to(x.dtype)


def _check(
    c: Tensor, x: Tensor, weight: Tensor, b: Tensor, d: Tensor | None, skip: Tensor | None
) -> None:
    if x.ndim != 4 or weight.shape != x.shape[:3]:
        raise ValueError(
            "x must be (B, L, H, P) and the weights (B, L, H); "
            f"they are {tuple(x.shape)} and {tuple(weight.shape)}."
        )
    if b.ndim != 4 or b.shape[:2] != x.shape[:2]:
        raise ValueError(f"b must be {tuple(x.shape[:2])} and (G, N), not {tuple(b.shape)}.")
    if c.ndim != 4 or (c.shape[0], *c.shape[2:]) != (x.shape[0], *b.shape[2:]):
        raise ValueError(f"c {tuple(c.shape)} must differ from b {tuple(b.shape)} in tokens only.")
    if x.shape[2] % b.shape[2]:
        raise ValueError(f"{x.shape[2]} heads cannot form {b.shape[2]} equal groups.")
    if (d is None) != (skip is None):
        raise ValueError("A skip needs both its weights d and its values.")
    if skip is not None and skip.shape != (*c.shape[:2], *x.shape[2:]):
        raise ValueError(
            f"The skip must be {(*c.shape[:2], *x.shape[2:])}, not {tuple(skip.shape)}."
        )
