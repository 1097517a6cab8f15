"""The classical global stage: search, rank, align, coarse to fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.models.classical.lucas_kanade import align
from napari_mmreg.models.classical.search import distinct, search
from napari_mmreg.models.protocol import ModelInfo, Prediction
from napari_mmreg.nn.levels import build_level, homography_scores, pair_tensors

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

ROTATIONS = tuple(range(-30, 31, 5))
SCALES = tuple(1.1**k for k in range(-4, 5))
SEARCH_SIZE, COARSE, MIDDLE, FINE = 96, 64, 128, 256


class ClassicalModel:
    """Global registration without trained weights."""

    info = ModelInfo(
        name="classical",
        title="Classical (no training)",
        purpose="A solid first choice for any pair of sensors.",
        licence="BSD-3-Clause",
        needs_weights=False,
    )

    def predict(self, pair: Pair, run: Run) -> Prediction:
        """Estimate a homography of the pair's grid."""
        with torch.inference_mode():
            matrix, score = find_homography(pair, run)
        return Prediction(
            transform=MatrixTransform.from_xy(matrix.cpu().numpy().astype(np.float64)),
            extras={"global_similarity": score},
        )


def find_homography(pair: Pair, run: Run) -> tuple[Tensor, float]:
    """Return the best homography, (3, 3) on (x, y, 1), and its score."""
    tensors = pair_tensors(pair, run.device)
    small, coarse = build_level(tensors, SEARCH_SIZE), build_level(tensors, COARSE)
    middle, fine = build_level(tensors, MIDDLE), build_level(tensors, FINE)
    candidates, _ = search(small, ROTATIONS, SCALES, run)
    run.step(0.5)
    eye = torch.eye(3, dtype=candidates.dtype, device=candidates.device)[None]
    candidates = torch.cat([candidates, eye])
    candidates = align(coarse, candidates, run, freedom=4)
    order = homography_scores(middle, candidates).argsort(descending=True, stable=True)
    candidates = candidates[order]
    rows, cols = pair.shape
    candidates = candidates[distinct(candidates, rows, cols, 4, 0.02)]
    candidates = align(middle, candidates, run, freedom=6)
    run.step(0.7)
    candidates = align(middle, candidates, run, freedom=8, iterations=8)
    best = int(homography_scores(middle, candidates).argmax())
    run.step(0.8)
    candidates = align(fine, candidates[best : best + 1], run, freedom=8, stride=2)
    return candidates[0], float(homography_scores(middle, candidates)[0])
