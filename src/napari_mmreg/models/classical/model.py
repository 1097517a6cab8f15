"""The classical global stage: search, rank, align, coarse to fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.models.classical.search import distinct, search
from napari_mmreg.models.protocol import Prediction
from napari_mmreg.models.registry import get_info
from napari_mmreg.nn.homography import oddness
from napari_mmreg.nn.levels import Level, build_level, homography_scores, pair_tensors
from napari_mmreg.nn.lucas_kanade import align

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

ROTATIONS = tuple(range(-30, 31, 5))
SCALES = tuple(1.1**k for k in range(-4, 5))
"""Degrees, and moving pixels per fixed pixel, that are searched."""

SEARCH, COARSE, MIDDLE, FINE = 96, 64, 128, 256
"""Longer sides of the grids: of the search, and of the alignment from coarse to fine."""

CANDIDATES, KEEP = 12, 4
"""Similarity transforms that are aligned coarsely, and how many of them further."""

PENALTY = 1.0
"""Correlation that an oddness of one costs."""


class ClassicalModel:
    """Global registration of any two sensors without trained weights.

    1. All shifts at many rotations and scales are scored by Fourier correlation of oriented
       gradient channels.
    2. The best, and doing nothing, are aligned as similarities on a coarse grid.
    3. The best of these are aligned as affine maps, then as homographies, on a middle grid.
       The winner among all three kinds is the most similar, so that a freer transform must
       earn its freedom.
    4. The winner is aligned on a fine grid.

    Selection goes by the masked correlation of the channels on the middle grid, which on our
    development pairs picks the best candidate almost always; what fails, fails in step 1.
    """

    info = get_info("classical")

    def predict(self, pair: Pair, run: Run) -> Prediction:
        """Estimate a homography of the pair's grid.

        Parameters
        ----------
        pair : Pair
        run : Run

        Returns
        -------
        Prediction
            ``extras["similarity"]`` is the correlation of the oriented gradient channels.
        """
        with torch.inference_mode():
            matrix, similarity = find_homography(pair, run)
        return Prediction(
            transform=MatrixTransform.from_xy(matrix.cpu().numpy().astype(np.float64)),
            extras={"similarity": similarity},
        )


def find_homography(pair: Pair, run: Run) -> tuple[Tensor, float]:
    """Return the best homography, (3, 3) on (x, y, 1), fixed to moving, and its similarity."""
    tensors = pair_tensors(pair, run.device)
    small, coarse = build_level(tensors, SEARCH), build_level(tensors, COARSE)
    middle, fine = build_level(tensors, MIDDLE), build_level(tensors, FINE)

    candidates, _ = search(small, ROTATIONS, SCALES, run, keep=CANDIDATES)
    run.step(0.6)
    nothing = torch.eye(3, dtype=candidates.dtype, device=candidates.device)[None]
    candidates = align(coarse, torch.cat([candidates, nothing]), run, freedom=4)
    run.step(0.7)
    order = _merit(middle, candidates).argsort(descending=True, stable=True)
    candidates = candidates[order]
    candidates = candidates[distinct(candidates, *pair.shape, KEEP, 0.02)]

    kinds = [candidates]
    for freedom in (6, 8):
        kinds.append(align(middle, kinds[-1], run, freedom=freedom))
        run.step(0.4 + 0.06 * freedom)
    best = _best(middle, torch.cat(kinds))
    best = _best(fine, torch.cat([best, align(fine, best, run, stride=2)]))
    return best[0], float(homography_scores(middle, best)[0])


def _merit(level: Level, matrices: Tensor) -> Tensor:
    """Similarity, less what speaks against the homography itself."""
    return homography_scores(level, matrices) - PENALTY * oddness(matrices, *level.full_shape)


def _best(level: Level, matrices: Tensor) -> Tensor:
    """Return the best of several homographies, (1, 3, 3)."""
    return matrices[int(_merit(level, matrices).argmax())][None]
