"""A block around the non-causal state-space duality: within one image, or across two.

Source for the layout: Shi et al., *VSSD* (arXiv 2407.18559). The normalised weights and the
cross form are ours, see `napari_mmreg.nn.ssd_noncausal`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.nn.norm import LayerNorm2d
from napari_mmreg.nn.ss2d import Padding, divisor, initial_steps
from napari_mmreg.nn.ssd_noncausal import ssd_cross


class SSDMixer2d(nn.Module):
    """Mix a feature map with a weighted summary of itself or of another one.

    1 x 1 convolution to gate, values, keys, queries and token weights; depth-wise convolution
    and SiLU on values, keys and queries; non-causal state-space duality; layer normalisation;
    gate; 1 x 1 convolution back. Both images go through the same weights. The summary holds no
    positions: what depends on place must come from convolutions or a positional encoding.

    Parameters
    ----------
    channels : int
        Channels C of the maps (B, C, H, W).
    expand : int
        Inner channels per channel.
    state : int
        Length N of keys and queries.
    head_dim : int, optional
        Channels of a head; the largest divisor up to 32 when left out.
    padding_mode : {"replicate", "zeros", "reflect"}
        What the depth-wise convolution sees outside.
    """

    def __init__(
        self,
        channels: int,
        *,
        expand: int = 2,
        state: int = 48,
        head_dim: int | None = None,
        padding_mode: Padding = "replicate",
    ) -> None:
        super().__init__()
        inner = expand * channels
        head_dim = head_dim or divisor(inner)
        if inner % head_dim:
            raise ValueError(f"{inner} inner channels cannot form heads of {head_dim}.")
        self.heads, self.inner, self.state = inner // head_dim, inner, state
        mixed = inner + 2 * state
        self.enter = nn.Conv2d(channels, inner + mixed + self.heads, 1, bias=False)
        self.local = nn.Conv2d(mixed, mixed, 3, padding=1, groups=mixed, padding_mode=padding_mode)
        self.weight_bias = nn.Parameter(initial_steps(self.heads))
        self.d = nn.Parameter(torch.ones(self.heads))
        self.norm = LayerNorm2d(inner)
        self.leave = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(
        self, x: Tensor, context: Tensor | None = None, context_mask: Tensor | None = None
    ) -> Tensor:
        """Mix `x` with the summary of `context`, or of itself.

        Parameters
        ----------
        x : Tensor
            The map that reads, shape (B, C, H, W).
        context : Tensor, optional
            The map that is read, shape (B, C, h, w); `x` when left out.
        context_mask : Tensor, optional
            Shape (B, 1, h, w), 0 or False where the map that is read must not be seen.

        Returns
        -------
        Tensor
            Shape (B, C, H, W).
        """
        gate, own = self._tokens(x)
        read = own if context is None else self._tokens(context)[1]
        values, keys, weights = read[0], read[1], read[3]
        if context_mask is not None:
            weights = weights * context_mask.flatten(2).transpose(1, 2)
        y = ssd_cross(own[2], values, weights, keys, self.d, own[0])
        y = torch.unflatten(y.flatten(2).transpose(1, 2), 2, tuple(x.shape[2:]))
        mixed: Tensor = self.leave(self.norm(y) * gate)
        return mixed

    def _tokens(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Return the gate map and the tokens' values, keys, queries and weights."""
        mixed = self.inner + 2 * self.state
        gate, local, weights = torch.split(self.enter(x), [self.inner, mixed, self.heads], dim=1)
        tokens = F.silu(self.local(local)).flatten(2).transpose(1, 2)
        values, keys, queries = torch.split(tokens, [self.inner, self.state, self.state], dim=2)
        weights = weights.flatten(2).transpose(1, 2)
        # In float32: the weights are summed over all tokens.
        weights = F.softplus(weights.float() + self.weight_bias)
        return gate, (
            torch.unflatten(values, 2, (self.heads, -1)),
            keys.unsqueeze(2),
            queries.unsqueeze(2),
            weights,
        )
