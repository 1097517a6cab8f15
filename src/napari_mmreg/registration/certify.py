"""What can be said about a result without knowing the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mmreg.geometry import MatrixTransform, Transform, folding_fraction
from napari_mmreg.nn.levels import (
    Level,
    build_level,
    describe,
    masked_correlation,
    pair_tensors,
)
from napari_mmreg.nn.mind import mind_ssc
from napari_mmreg.nn.sampling import gaussian_blur, pixel_grid
from napari_mmreg.registration.elastic import bend, pull, resized

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

SIZE = 128


@dataclass(frozen=True, eq=False)
class Certificate:
    status: Literal["ok", "doubtful", "failed"]
    reasons: tuple[str, ...]
    similarity_before: float
    similarity_after: float
    folding: float
    overlap: float
    forward_backward: NDArray[np.float32]
    misregistration: NDArray[np.float32]
    misregistration_before: NDArray[np.float32]


def peak_sharpness(level: Level, moving: Tensor, mask: Tensor) -> tuple[float, float]:
    """How far the correlation at no shift stands out among shifts."""
    rows, cols = level.shape
    fixed = level.features
    both = mask
    n = both.sum((2, 3), keepdim=True).clamp(min=1)
    other = describe(moving, mask)
    a = (fixed - (fixed * both).sum((2, 3), keepdim=True) / n) * both
    b = (other - (other * both).sum((2, 3), keepdim=True) / n) * both
    size = [rows * 3 // 2, cols * 3 // 2]
    t = lambda x: torch.fft.rfft2(x, size)
    sp = torch.stack(
        [
            (t(a).conj() * t(b)).sum(1)[0],
            (t(a.square().sum(1)).conj() * t(both[:, 0]))[0],
            (t(both[:, 0]).conj() * t(b.square().sum(1)))[0],
        ]
    )
    num, ea, eb = torch.fft.irfft2(sp, size)
    c = num / (ea * eb).clamp(min=1e-3).sqrt()
    ry, rx = rows // 4, cols // 4
    c = torch.roll(c, (ry, rx), (0, 1))[: 2 * ry + 1, : 2 * rx + 1]
    y, x = torch.meshgrid(torch.arange(-ry, ry + 1), torch.arange(-rx, rx + 1), indexing="ij")
    far = (y.square() + x.square()) > (0.04 * max(rows, cols)) ** 2
    peak = float(c[~far].max())
    side = c[far]
    return (peak - float(side.mean())) / (float(side.std()) + 1e-6), peak - float(side.max())


def measure(pair: Pair, transform: Transform, run: Run) -> dict:
    with torch.inference_mode():
        tensors = pair_tensors(pair, run.device)
        level = build_level(tensors, SIZE)
        rows, cols = level.shape
        scale = 256 / max(rows, cols)
        out = {}
        ident, imask = level.moving, level.moving_mask * level.fixed_mask
        moving, mask = pull(level, transform)
        out["before"] = float(masked_correlation(level.features, describe(ident, imask), imask)[0])
        out["after"] = float(masked_correlation(level.features, describe(moving, mask), mask)[0])
        out["overlap"] = float(mask.sum() / level.fixed_mask.sum().clamp(min=1))
        out["psr"], out["margin"] = peak_sharpness(level, moving, mask)
        run.check()
        swapped = Level(moving, level.fixed, mask, level.fixed_mask, level.shape)
        v = bend(swapped, level.fixed, mask, None, 6, run)
        fb = v.norm(dim=-1)[0] * scale
        a, b0, b1 = mind_ssc(level.fixed), mind_ssc(ident), mind_ssc(moving)

        def local(x, k):
            d = (a - x).abs().mean(1, keepdim=True) * k
            return (gaussian_blur(d, 4.0) / gaussian_blur(k, 4.0).clamp(min=1e-3))[0, 0]

        out["mind0"], out["mind1"] = local(b0, imask), local(moving * 0 + 0 if False else b1, mask)
        out["fb"] = fb
        m = mask[0, 0] > 0
        out["fbmed"] = float(fb[m].median()) if m.any() else 99.0
        out["mindgain"] = (
            float(out["mind0"][imask[0, 0] > 0].mean() - out["mind1"][m].mean())
            if m.any() and imask.any()
            else 0.0
        )
        tex = gaussian_blur(level.features.square().sum(1, keepdim=True).sqrt(), 4.0)[0, 0]
        out["tex"] = tex
        out["mask"] = m
        out["shape"] = (rows, cols)
        return out
