"""Images mixed from channels, by weighted least squares (ours)."""

from __future__ import annotations

import torch
from torch import Tensor

RIDGE = 1e-3
"""Added to the channels' correlations: channels that say the same share what they explain."""


def fit_mixture(
    channels: Tensor, target: Tensor, weight: Tensor, ridge: float = RIDGE
) -> tuple[Tensor, Tensor]:
    """Find the mixture of channels that is nearest to an image, for each sample of a batch.

    Parameters
    ----------
    channels : Tensor of shape (B, K, H, W)
    target : Tensor of shape (B, 1, H, W)
    weight : Tensor of shape (B, 1, H, W)
        0 where pixels do not count.
    ridge : float
        Regularisation, as a part of each channel's variance.

    Returns
    -------
    factors : Tensor of shape (B, K, 1, 1)
    offset : Tensor of shape (B, 1, 1, 1)
        See `mix`. Where no pixel counts, both are 0.
    """
    flat, wanted, share = (part.float().flatten(2) for part in (channels, target, weight))
    share = share / share.sum(2, keepdim=True).clamp_min(1e-9)
    means, mean = (flat * share).sum(2, keepdim=True), (wanted * share).sum(2, keepdim=True)
    weighted = (flat - means) * share
    covariance = weighted @ (flat - means).transpose(1, 2)
    # Channels are compared at equal variance; one that shows nothing gets no factor.
    spread = (covariance.diagonal(dim1=1, dim2=2) + 1e-8).sqrt().unsqueeze(2)
    correlation = covariance / (spread * spread.transpose(1, 2))
    correlation = correlation + ridge * torch.eye(flat.shape[1], device=flat.device)
    explained = weighted @ (wanted - mean).transpose(1, 2) / spread
    factors = torch.linalg.solve(correlation, explained) / spread
    offset = mean - (factors * means).sum(1, keepdim=True)
    return factors.unsqueeze(3), offset.unsqueeze(3)


def mix(channels: Tensor, factors: Tensor, offset: Tensor) -> Tensor:
    """Return the mixture (B, 1, H, W), cut to [0, 1], of channels (B, K, H, W)."""
    return ((channels * factors).sum(1, keepdim=True) + offset).clamp(0.0, 1.0)
