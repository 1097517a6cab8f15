"""The alignment that a run has found so far, as a small picture and a number; ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mmreg.alignment.bspline_fit import warp_level
from napari_mmreg.alignment.levels import Level, Tensors, Warped, build_level, masked_correlation
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging.compose import Shown, compose, to_shown

if TYPE_CHECKING:
    from napari_mmreg.run import Run

SIZE = 128
"""Longer side of the grid that is looked at: the one on which results are measured."""

MOST = 160
"""Pixels of a side of the picture at most, of images whose other side is very short, too."""


def show_alignment(tensors: Tensors, transform: Transform | Tensor, run: Run) -> None:
    """Show an intermediate answer to who asked for previews; nothing is computed for nobody.

    Parameters
    ----------
    tensors : Tensors
        See `pair_tensors`.
    transform : Transform, or Tensor of shape (3, 3)
        Of the pair's grid, fixed to moving (pull); a tensor is a homography on (x, y, 1).
    run : Run

    Notes
    -----
    The similarity is measured as that of the result (`registration.measurements`), whatever the
    grid on which the answer was found, so that all of a run can be compared. Nothing that is
    computed here enters the result.
    """
    if run.preview is None:
        return
    if isinstance(transform, Tensor):
        transform = MatrixTransform.from_xy(transform.cpu().numpy().astype(np.float64))
    with torch.inference_mode():
        level = build_level(tensors, SIZE)
        warped = warp_level(level, transform)
        similarity = masked_correlation(level.features, warped.features, warped[1])
        run.look(_picture(level, warped), float(similarity))


def _picture(level: Level, warped: Warped) -> Shown:
    """Return fixed in green and moving in magenta, (h, w, 3); black without data."""
    step = -(-max(level.shape) // MOST)

    def shown(image: Tensor, mask: Tensor) -> Shown:
        values = (image * mask)[0, 0, ::step, ::step].cpu().numpy()
        return to_shown(values, (0.0, 1.0))

    fixed = shown(level.fixed, level.fixed_mask)
    return compose(fixed, shown(*warped), "overlay", 0.5)
