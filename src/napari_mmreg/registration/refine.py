"""Local refinement of any transform on the pair itself, kept only where it helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mmreg.alignment.bspline_fit import fit_bspline, resize_displacement, warp_level
from napari_mmreg.alignment.coarse_to_fine import align_coarsely, coarse_to_fine
from napari_mmreg.alignment.elastic.estimate import bend_pair
from napari_mmreg.alignment.levels import (
    Level,
    Tensors,
    build_level,
    mind_difference,
    pair_tensors,
)
from napari_mmreg.alignment.preview import show_alignment
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, Transform
from napari_mmreg.nn.homography import matrix_tensor
from napari_mmreg.registration.bend_share import bend_evidence, share_of

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

COARSE, FINE = 128, 256
"""Longer sides of the grids on which the displacement is estimated."""

ITERATIONS = 8

MIN_GAIN = 0.01
"""Share by which the MIND-SSC difference, which the estimate does not use, must fall."""

RATIO, SMALL_RATIO = 0.998, 0.93
"""Of the MIND-SSC difference to that of the pair as it came, above which the pair is left as it
is: in general, and if the transform moves less than `NEARLY_ALIGNED`. Chosen on `val`."""

NEARLY_ALIGNED = 2.0
"""Mean displacement in pixels at 256-px scale."""

MAX_FOLDING = 0.001
"""Share of the grid where the elastic stage may fold."""

MAX_MEAN = 4.0
"""Mean displacement, in pixels at 256-px scale, above which the estimate has run away."""


def refine(
    pair: Pair,
    transform: Transform,
    run: Run,
    *,
    global_part: MatrixTransform | None = None,
    elastic: ElasticNetwork | None = None,
    capture: float = 8.0,
) -> Transform:
    """Improve a transform until local structure agrees, if that holds up.

    If the model tells the global part of its answer from what bends, that part is aligned as a
    homography first, and what bends is found anew. Then the pair is bent: by the elastic stage, or
    without its network by a smooth displacement estimated on oriented gradient channels. Of the
    stage's bend as much is taken as its evidence is worth (see `bend_share`), of the other one all
    or nothing: it is kept if another descriptor, MIND-SSC, agrees better too. Neither may fold or
    run away.

    Parameters
    ----------
    pair : Pair
    transform : Transform
        Where to start: of the pair's grid, fixed to moving.
    run : Run
    global_part : MatrixTransform, optional
        `transform` without what bends.
    elastic : ElasticNetwork, optional
        On the run's device.
    capture : float
        Largest displacement to look for without the network, in pixels at 256-px scale. Below
        4 px the coarse level is left out: less to win, and less to lose after a good start.

    Returns
    -------
    Transform
        A start after a displacement, or a start itself; the identity if MIND-SSC does not speak
        for moving anything.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull); the result maps
    p to ``start(p + u(p))``.
    """
    with torch.inference_mode():
        tensors = pair_tensors(pair, run.device)
        level = build_level(tensors, FINE)
        start = transform
        if global_part is not None:
            start = _polished(tensors, global_part, run)
            show_alignment(tensors, start, run)
            run.step(0.3)
        if elastic is not None:
            return _refined_by_network(level, tensors, start, elastic, run)
        bent = _bent(tensors, start, run, capture)
        return bent if _worth_moving(level, bent) else MatrixTransform.identity()


def _refined_by_network(
    level: Level, tensors: Tensors, start: Transform, elastic: ElasticNetwork, run: Run
) -> Transform:
    """Bend the start with the elastic stage; or the images as they came, if it is worth nothing.

    Whether anything is moved is decided before bending: a bend pleases every descriptor a bit.
    """
    moves = _worth_moving(level, start)
    before = start if moves else MatrixTransform.identity()
    bend = bend_pair(tensors, before, elastic, run)
    if not bend.folding <= MAX_FOLDING or not (moves or _worth_moving(level, bend.transform)):
        return before
    share = share_of(bend_evidence(level, bend))
    return bend.part(share) if share else before


def _polished(tensors: Tensors, transform: MatrixTransform, run: Run) -> MatrixTransform:
    """Return a better homography, or the same if none near it is more similar."""
    start = matrix_tensor(transform.matrix_xy, run.device)[None]
    found, _ = coarse_to_fine(tensors, torch.cat([start, align_coarsely(tensors, start, run)]), run)
    return MatrixTransform.from_xy(found.cpu().numpy())


def _worth_moving(level: Level, transform: Transform) -> bool:
    """Whether MIND-SSC speaks for a transform rather than for the pair as it came.

    It must agree better at all, and clearly better where the images were nearly aligned: there
    any method moves a pixel or two to please noise.
    """
    moved = np.linalg.norm(transform.displacement(level.full_shape), axis=-1)
    if not np.isfinite(moved).any():
        return False
    unit = 256 / max(level.full_shape)
    small = float(np.nanmean(moved)) * unit < NEARLY_ALIGNED
    warped = warp_level(level, transform)
    before = mind_difference(level, level.unmoved, level.unmoved[1])
    after = mind_difference(level, warped, warped[1])
    return after < (SMALL_RATIO if small else RATIO) * before


def _bent(tensors: Tensors, transform: Transform, run: Run, capture: float) -> Transform:
    """Return the transform after a displacement if that helps, else the transform."""
    displacement: Tensor | None = None
    for size in (COARSE, FINE) if capture >= 4 else (FINE,):
        level = build_level(tensors, size)
        warped = warp_level(level, transform)
        if displacement is not None:
            displacement = resize_displacement(displacement, level.shape)
        displacement = fit_bspline(level, *warped, displacement, ITERATIONS, run)
    if displacement is None or not _is_small(level, warped[1], displacement, capture):
        return transform
    whole = resize_displacement(displacement, level.full_shape)[0].flip(-1).cpu().numpy()
    bent = transform.compose(DisplacementTransform(np.ascontiguousarray(whole)))
    after = warp_level(level, bent)
    both = after[1] * warped[1]
    better = mind_difference(level, after, both) < (1 - MIN_GAIN) * mind_difference(
        level, warped, both
    )
    return bent if better else transform


def _is_small(level: Level, mask: Tensor, displacement: Tensor, capture: float) -> bool:
    """Whether a displacement has not run away."""
    length = displacement.norm(dim=-1) * (256 / max(level.shape))
    inside = length[mask[:, 0] > 0.5]
    if inside.numel() == 0 or not bool(torch.isfinite(displacement).all()):
        return False
    return float(inside.mean()) <= MAX_MEAN and float(inside.max()) <= 2 * capture
