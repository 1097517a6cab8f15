"""Scenes of one sensor in the appearance of another, as an augmentation (ours, after SAS-Net)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.network import SASNet
from napari_mmreg.models.weights import load_weights
from napari_mmreg.training.starts import batch_generator

if TYPE_CHECKING:
    from napari_mmreg.training.batches import TrainingBatch


class CrossRenderer:
    """Shows some moving images of a batch as the sensor of another sample would.

    Geometry stays what it was: the scene encoder and the renderer do not move anything, the
    appearance has no places. So the batch's flow remains the truth.

    Parameters
    ----------
    network : SASNet
    share : float
        Share of the samples that are shown so.
    """

    def __init__(self, network: SASNet, share: float) -> None:
        self.network = network.eval().requires_grad_(False)
        self.share = share

    @classmethod
    def load(cls, folder: Path, share: float, device: torch.device | str) -> CrossRenderer:
        """Use the weights of SAS-Net in a folder.

        Raises
        ------
        ModelError
            If they are missing or damaged.
        """
        network = load_weights(folder, lambda made: SASNet(SASNetConfig.from_json(made)))
        return cls(cast("SASNet", network.to(device)), share)

    @torch.no_grad()
    def __call__(self, batch: TrainingBatch) -> TrainingBatch:
        """Return the batch with some of its moving (and aligned) images rendered anew."""
        generator = batch_generator(batch)
        count = len(batch.fixed)
        chosen = (torch.rand(count, generator=generator) < self.share).nonzero().flatten()
        if not len(chosen) or count < 2:
            return batch
        device = batch.fixed.device
        others = (chosen + torch.randint(1, count, chosen.shape, generator=generator)) % count
        # The other sample's appearance may be that of either of its sensors.
        first = (torch.rand(len(chosen), generator=generator) < 0.5).to(device)
        chosen, others = chosen.to(device), others.to(device)
        pick = first.view(-1, 1, 1, 1)
        code = self.network.appearance(
            _grey(torch.where(pick, batch.fixed[others], batch.moving[others])),
            torch.where(pick, batch.fixed_mask[others], batch.moving_mask[others]),
        )
        return replace(
            batch,
            moving=self._shown(batch.moving, batch.moving_mask, chosen, code),
            aligned=self._shown(batch.aligned, batch.valid, chosen, code),
        )

    def _shown(self, images: Tensor, masks: Tensor, chosen: Tensor, code: Tensor) -> Tensor:
        image, mask = images[chosen], masks[chosen]
        made = self.network.renderer(self.network.scene(_grey(image), mask).scene, code).picture
        return images.index_copy(0, chosen, torch.where(mask, made.expand_as(image), image))


def _grey(images: Tensor) -> Tensor:
    return images.mean(1, keepdim=True)
