"""Normalisation layers that networks of two modalities share."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def unit_channels(features: Tensor) -> Tensor:
    """Scale the channels of every pixel of (B, C, H, W) to length 1; nothing stays nothing.

    What `F.normalize` does, whose norm over channels takes several times longer.
    """
    square = features.square().sum(1, keepdim=True)
    return features * square.clamp_min(1e-24).rsqrt()


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of every pixel.

    Parameters
    ----------
    channels : int
        Channels C of the maps (B, C, H, W).
    eps : float
        Added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) to the same shape."""
        last = x.permute(0, 2, 3, 1)
        normal = F.layer_norm(last, self.weight.shape, self.weight, self.bias, self.eps)
        return normal.permute(0, 3, 1, 2)


class ModalityBatchNorm2d(nn.Module):
    """Batch normalisation with statistics and affine weights of its own for each modality.

    The convolutions around it are shared; only what differs between sensors in mean and
    contrast is kept apart (MSBN in *Disentangle-then-Align*, arXiv 2603.19623).

    Parameters
    ----------
    channels : int
        Channels C of the maps (B, C, H, W).
    modalities : int
        Number of modalities.
    eps, momentum : float
        As in `torch.nn.BatchNorm2d`.
    """

    def __init__(
        self, channels: int, modalities: int = 2, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(channels, eps, momentum) for _ in range(modalities)
        )

    def forward(self, x: Tensor, modality: int | Tensor) -> Tensor:
        """Normalise with the statistics of the modality.

        Parameters
        ----------
        x : Tensor
            Shape (B, C, H, W).
        modality : int or Tensor
            Index of the modality of the whole batch, or one index per sample, int64 (B,).

        Returns
        -------
        Tensor
            Shape (B, C, H, W).

        Raises
        ------
        IndexError
            If there is no such modality.
        """
        if isinstance(modality, int):
            return self._norm(modality, x)
        parts, places = [], []
        for index in torch.unique(modality).tolist():
            place = (modality == index).nonzero().squeeze(1)
            parts.append(self._norm(index, x[place]))
            places.append(place)
        return torch.cat(parts)[torch.cat(places).argsort()]

    def _norm(self, index: int, x: Tensor) -> Tensor:
        if not 0 <= index < len(self.norms):
            raise IndexError(f"There is no modality {index}; {len(self.norms)} are kept apart.")
        return cast("Tensor", self.norms[index](x))
