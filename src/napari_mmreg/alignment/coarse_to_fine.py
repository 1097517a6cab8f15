"""Improve homographies from coarse to fine; a freer one must earn its freedom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mmreg.alignment.levels import Level, Tensors, build_level, homography_scores
from napari_mmreg.alignment.lucas_kanade import align
from napari_mmreg.alignment.preview import show_alignment
from napari_mmreg.nn.homography import corners, distortion_penalty

if TYPE_CHECKING:
    from napari_mmreg.run import Run

COARSE, MIDDLE, FINE = 64, 128, 256
"""Longer sides of the grids."""

KEEP, SEPARATION = 4, 0.02
"""Starts that are followed, and by what share of the frame they differ at least."""

PENALTY = 1.0
"""Correlation that an distortion_penalty of one costs."""


def coarse_to_fine(
    tensors: Tensors, starts: Tensor, run: Run, *, freedoms: Sequence[int] = (4, 6, 8)
) -> tuple[Tensor, float]:
    """Align homographies on the middle grid, the best of all on the fine one.

    The most similar of the starts are aligned as similarities, affine maps and homographies,
    each kind from the one before; the most similar of all kinds wins, less what speaks against
    a distorted homography.

    Parameters
    ----------
    tensors : tuple of Tensor
        See `pair_tensors`.
    starts : Tensor of float64, shape (B, 3, 3)
        Fixed to moving on the pair's grid, (x, y).
    run : Run
    freedoms : sequence of {4, 6, 8}
        The kinds.

    Returns
    -------
    matrix : Tensor of float64, shape (3, 3)
    similarity : float
        Correlation of the oriented gradient channels on the fine grid.
    """
    middle, fine = build_level(tensors, MIDDLE), build_level(tensors, FINE)
    merits = _merit(middle, starts)
    order = merits.argsort(descending=True, stable=True)
    starts, merits = starts[order], merits[order]
    chosen = non_max_suppression(starts, *middle.full_shape, KEEP, SEPARATION)
    kinds, merits = [starts[chosen]], merits[chosen]
    for freedom in freedoms:
        kinds.append(align(middle, kinds[-1], run, freedom=freedom))
    # Those that it began with are known already.
    merits = torch.cat([merits, _merit(middle, torch.cat(kinds[1:]))])
    best = torch.cat(kinds)[int(merits.argmax())][None]
    show_alignment(tensors, best[0], run)
    both = torch.cat([best, align(fine, best, run, stride=2)])
    similarities = homography_scores(fine, both)
    winner = int((similarities - _cost(fine, both)).argmax())
    return both[winner], float(similarities[winner])


def align_coarsely(tensors: Tensors, starts: Tensor, run: Run) -> Tensor:
    """Align homographies as similarities on the coarse grid, (B, 3, 3) to (B, 3, 3)."""
    return align(build_level(tensors, COARSE), starts, run, freedom=4)


def non_max_suppression(
    matrices: Tensor, rows: int, cols: int, keep: int, separation: float
) -> list[int]:
    """Return the indices of the first `keep` matrices that move the frame differently."""
    frames = (corners(matrices, rows, cols) / max(rows, cols)).cpu()
    chosen: list[int] = []
    for index in range(len(frames)):
        if chosen:
            far = (frames[chosen] - frames[index]).norm(dim=-1).amax(-1)
            if bool((far <= separation).any()):
                continue
        chosen.append(index)
        if len(chosen) == keep:
            break
    return chosen


def _merit(level: Level, matrices: Tensor) -> Tensor:
    """Similarity, less what speaks against the homography itself."""
    return homography_scores(level, matrices) - _cost(level, matrices)


def _cost(level: Level, matrices: Tensor) -> Tensor:
    return PENALTY * distortion_penalty(matrices, *level.full_shape)
