"""Global steps near the truth, from which later steps are taught before earlier ones can help."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_mmreg.nn.matching import fit_affine
from napari_mmreg.training.batches import TrainingBatch


def batch_generator(batch: TrainingBatch) -> torch.Generator:
    """Return random numbers that follow from the batch: a resumed training sees the same."""
    seed = int(batch.matrix.double().abs().sum().item() * 1e6) % (2**31)
    return torch.Generator().manual_seed(seed)


def jittered_truth(batch: TrainingBatch, jitter: float, generator: torch.Generator) -> Tensor:
    """Return the affine (B, 2, 3) of the true global step with the frame's corners moved.

    Parameters
    ----------
    batch : TrainingBatch
    jitter : float
        Largest displacement of a corner along x and along y, in px; each sample draws its own.
    generator : torch.Generator
    """
    rows, cols = batch.fixed.shape[-2:]
    corners = torch.tensor(
        [[0.0, 0.0], [cols - 1.0, 0.0], [0.0, rows - 1.0], [cols - 1.0, rows - 1.0]]
    ).to(batch.matrix.device)
    ones = corners.new_ones(4, 1)
    mapped = torch.cat([corners, ones], 1) @ batch.matrix.float().transpose(1, 2)
    places = mapped[..., :2] / mapped[..., 2:]
    reach = jitter * torch.rand(len(places), 1, 1, generator=generator)
    noise = reach * (2 * torch.rand(places.shape, generator=generator) - 1)
    points = corners.expand(len(places), -1, -1)
    return fit_affine(points, places + noise.to(places), points.new_ones(len(places), 4))
