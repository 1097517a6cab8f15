"""Local refinement of any transform on the pair itself, kept only where it helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from napari_mmreg.geometry import DisplacementTransform, Transform
from napari_mmreg.nn.levels import Level, build_level, pair_tensors
from napari_mmreg.nn.mind import mind_ssc
from napari_mmreg.nn.sampling import pixel_grid, sample
from napari_mmreg.registration.elastic import bend, pull, resized

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

SIZES = (128, 256)
ITERATIONS = (8, 8)
GAIN = 0.01


def refine(
    pair: Pair,
    transform: Transform,
    run: Run,
) -> Transform:
    """Bend a transform until local structure agrees."""
    with torch.inference_mode():
        tensors = pair_tensors(pair, run.device)
        displacement = None
        for index, (size, iterations) in enumerate(zip(SIZES, ITERATIONS, strict=True)):
            level = build_level(tensors, size)
            moving, mask = pull(level, transform)
            if displacement is not None:
                displacement = resized(displacement, level.shape)
            displacement = bend(level, moving, mask, displacement, iterations, run)
            run.step((index + 1) / (len(SIZES) + 1))
        assert displacement is not None
        before, after = held_out(level, moving, mask, displacement)
        if after > before * (1 - GAIN):
            return transform
        full = resized(displacement, pair.shape)[0].flip(-1).cpu().numpy()
        return transform.compose(DisplacementTransform(np.ascontiguousarray(full)))


def held_out(level, moving, mask, displacement):
    base = pixel_grid(*level.shape, level.fixed)[None]
    a = mind_ssc(level.fixed)
    b = mind_ssc(moving)
    warped = sample(torch.cat([moving, mask], 1), base + displacement)
    c = mind_ssc(warped[:, :1])
    k = mask * (sample(mask, base + displacement, padding="zeros") > 0.9)
    d = lambda x: float(((a - x).abs().mean(1, keepdim=True) * k).sum() / k.sum().clamp(min=1))
    return d(b), d(c)
