"""The images of a training run in memory, on the device that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from napari_mmreg.training.pack import PackedPair

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A batch of aligned images, padded at the right and the bottom by their last pixels.

    Attributes
    ----------
    fixed, moving : Tensor of float32, shape (B, C, h, w)
        In [0, 1].
    mask : Tensor of float32, shape (B, 1, h, w)
        1 where both images have data.
    limited : Tensor of bool, shape (B, 2)
        Whether the mask is a limit of the fixed, of the moving image.
    """

    fixed: Tensor
    moving: Tensor
    mask: Tensor
    limited: Tensor


class PictureStore:
    """Holds pairs as uint8 tensors and hands them out in batches.

    Attributes
    ----------
    sizes : Tensor of int64, shape (N, 2)
        Width and height of each pair, on the CPU.
    modalities : list of str
    """

    def __init__(self, pairs: Sequence[PackedPair], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._fixed = [self._planes(pair.fixed) for pair in pairs]
        self._moving = [self._planes(pair.moving) for pair in pairs]
        self._mask = [
            None if p.mask is None else torch.from_numpy(p.mask[None].astype(np.uint8)).to(device)
            for p in pairs
        ]
        self.sizes = torch.tensor([[p.fixed.shape[1], p.fixed.shape[0]] for p in pairs])
        self.modalities = [pair.modality for pair in pairs]

    def _planes(self, image: NDArray[np.uint8]) -> Tensor:
        planes = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
        return torch.from_numpy(np.array(planes)).to(self.device)

    def gather(
        self,
        chosen: Sequence[int],
        mono: Tensor,
        swap: Tensor,
        channels: int,
        generator: torch.Generator | None,
    ) -> Pictures:
        """Return the pairs with the numbers `chosen`.

        Parameters
        ----------
        chosen : sequence of int, length B
        mono, swap : Tensor of bool, shape (B,)
            Take one image twice (the moving one where `swap`); exchange the roles.
        channels : int
            1 or 3.
        generator : torch.Generator, optional
            Draws the weights that make colour grey; None: luma.
        """
        rows = max(int(self.sizes[i, 1]) for i in chosen)
        cols = max(int(self.sizes[i, 0]) for i in chosen)
        weights = _channel_weights(2 * len(chosen), generator).to(self.device)
        mix = torch.split(weights, len(chosen))
        fixed, moving, masks, limited = [], [], [], []
        flags = zip(chosen, mono.tolist(), swap.tolist(), strict=True)
        for number, (i, same, turned) in enumerate(flags):
            first, second = self._fixed[i], self._moving[i]
            if turned:
                first, second = second, first
            if same:
                second = first
            mask = self._mask[i]
            bound = [turned, turned if same else not turned]
            if mask is None or not any(bound):
                mask, bound = torch.ones_like(first[:1]), [False, False]
            fixed.append(_pad(_to_channels(first, channels, mix[0][number]), rows, cols))
            moving.append(_pad(_to_channels(second, channels, mix[1][number]), rows, cols))
            masks.append(_pad(mask.float(), rows, cols))
            limited.append(bound)
        return Pictures(
            torch.stack(fixed),
            torch.stack(moving),
            torch.stack(masks),
            torch.tensor(limited, device=self.device),
        )


def _channel_weights(count: int, generator: torch.Generator | None) -> Tensor:
    """Weights (count, 3) that make colour grey: luma for half of the images, else random."""
    luma = torch.tensor(_LUMA).expand(count, 3)
    if generator is None:
        return luma
    random = torch.rand(count, 3, generator=generator).clamp_min(1e-3).log().neg()
    random = random / random.sum(1, keepdim=True)
    return torch.where(torch.rand(count, 1, generator=generator) < 0.5, luma, random)


def _to_channels(planes: Tensor, channels: int, weights: Tensor) -> Tensor:
    values = planes.float() / 255.0
    if channels == planes.shape[0]:
        return values
    if channels == 1:
        return torch.einsum("chw,c->hw", values, weights)[None]
    return values.expand(channels, -1, -1)


def _pad(image: Tensor, rows: int, cols: int) -> Tensor:
    missing = (0, cols - image.shape[2], 0, rows - image.shape[1])
    if not any(missing):
        return image
    return torch.nn.functional.pad(image[None], missing, mode="replicate")[0]
