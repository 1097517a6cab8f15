"""What the tests of trained models share."""

import pytest
import torch

from napari_mmreg.nn.sampling import warp


@pytest.fixture
def synthetic_batch():
    from napari_mmreg.training.batches import TrainingBatch

    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(2, 1, 16, 24, generator=generator)
    moving = torch.nn.functional.interpolate(noise, (64, 96), mode="bicubic").clamp(0, 1)
    flow = torch.zeros(2, 2, 64, 96)
    flow[:, 0], flow[:, 1] = 5.0, -3.0
    matrix = torch.eye(3).repeat(2, 1, 1)
    matrix[:, 0, 2], matrix[:, 1, 2] = 5.0, -3.0
    valid = torch.ones(2, 1, 64, 96, dtype=torch.bool)
    valid[..., -5:], valid[..., :3, :] = False, False
    aligned = warp(moving, flow)
    return TrainingBatch(
        fixed=1 - aligned, moving=moving, aligned=aligned,
        fixed_mask=torch.ones_like(valid), moving_mask=torch.ones_like(valid),
        flow=flow, valid=valid, inverse_flow=-flow, inverse_valid=valid, matrix=matrix,
        mono=torch.zeros(2, dtype=torch.bool), modalities=("a", "b"), tiers=("mild", "mild"),
    )  # fmt: skip
