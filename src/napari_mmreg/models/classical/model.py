"""The classical global stage: search, rank, align, coarse to fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mmreg.alignment.coarse_to_fine import align_coarsely, coarse_to_fine
from napari_mmreg.alignment.levels import build_level, pair_tensors, usable_area
from napari_mmreg.alignment.preview import show_alignment
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.models.classical.search import search
from napari_mmreg.models.protocol import Prediction
from napari_mmreg.models.registry import get_info

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

ROTATIONS = tuple(range(-30, 31, 5))
SCALES = tuple(1.1**k for k in range(-4, 5))
"""Degrees, and moving pixels per fixed pixel, that are searched."""

SEARCH = 96
"""Longer side of the grid of the search."""

PART, MAX_FINER = 0.5, 2.5
"""Share of the fixed image's area that the search's grid is made for, and how much finer it is made
for smaller parts at most."""

CANDIDATES = 12
"""Similarity transforms that are aligned."""


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
        """
        with torch.inference_mode():
            matrix, _ = find_homography(pair, run)
        return Prediction(MatrixTransform.from_xy(matrix.cpu().numpy().astype(np.float64)))


def find_homography(pair: Pair, run: Run) -> tuple[Tensor, float]:
    """Return the best homography, (3, 3) on (x, y, 1), fixed to moving, and its similarity."""
    tensors = pair_tensors(pair, run.device)
    small = build_level(tensors, SEARCH)
    part = usable_area(small) / max(float(small.fixed_mask.sum()), 1.0)
    if part < 1:  # a small image in a large one must not shrink to nothing
        small = build_level(tensors, round(SEARCH * min(MAX_FINER, (PART / part) ** 0.5)))
    candidates, _ = search(small, ROTATIONS, SCALES, run, keep=CANDIDATES)
    show_alignment(tensors, candidates[0], run)
    run.step(0.6)
    nothing = torch.eye(3, dtype=candidates.dtype, device=candidates.device)[None]
    candidates = align_coarsely(tensors, torch.cat([candidates, nothing]), run)
    show_alignment(tensors, candidates[0], run)
    run.step(0.7)
    return coarse_to_fine(tensors, candidates, run, freedoms=(6, 8))
