"""Bending a registered pair of any size with the elastic stage's network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_mmreg.alignment.bspline_fit import resize_displacement, warp_level
from napari_mmreg.alignment.levels import Level, Tensors, build_level
from napari_mmreg.geometry import DisplacementTransform, Transform, folding_fraction
from napari_mmreg.nn.sampling import pixel_grid, sample

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.encoder import Encoded
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.run import Run

COARSE, FINE = 256, 512
"""Longer sides of the grids of the two passes; the second is finer where the image is."""

ENLARGED = 1.5
"""The fine grid is used from this multiple of the coarse one on."""


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """What the elastic stage found.

    Attributes
    ----------
    start : Transform
        Of the pair's grid, fixed to moving (pull).
    displacement : DisplacementTransform
        Of the pair's grid.
    transform : Transform
        The start after the displacement.
    error_scale : ndarray of float32, shape (h, w)
        The error that the stage expects to be left, in pixels of the pair's grid.
    folding : float
        Share of the grid where the displacement folds.
    """

    start: Transform
    displacement: DisplacementTransform
    transform: Transform
    error_scale: NDArray[np.float32]
    folding: float

    def part(self, share: float) -> Transform:
        """Return the start after a share of the displacement."""
        field = self.displacement.field * np.float32(share)
        return self.start.compose(DisplacementTransform(field))


def bend_pair(tensors: Tensors, start: Transform, network: ElasticNetwork, run: Run) -> Bend:
    """Bend a nearly aligned pair in two passes; the second one starts from the first.

    Parameters
    ----------
    tensors : tuple of Tensor
        See `pair_tensors`.
    start : Transform
        Of the pair's grid, fixed to moving; right to within some 10 px at 256-px scale.
    network : ElasticNetwork
    run : Run

    Returns
    -------
    Bend
    """
    shape = tensors[0].shape[-2], tensors[0].shape[-1]
    finer = max(shape) >= ENLARGED * COARSE
    displacement = torch.zeros(1, *shape, 2, device=tensors[0].device)
    for number, size in enumerate((COARSE, FINE if finer else COARSE), start=1):
        level = build_level(tensors, size)
        before = resize_displacement(displacement, level.shape)
        moving, mask = warp_level(level, start, before if number > 1 else None)
        encoded = _encoded(level, network)
        output = network(level.fixed, moving, level.fixed_mask, mask, run.check, encoded)
        found = output.flow(level.shape).permute(0, 2, 3, 1)
        displacement = _compose(before, found)
        run.step(number / 2)
    unit = max(shape) / max(level.shape)
    error = F.interpolate(
        output.log_error.exp() * unit, size=shape, mode="bilinear", align_corners=False
    )
    whole = resize_displacement(displacement, shape)[0].flip(-1).cpu().numpy()
    field = np.ascontiguousarray(whole, dtype=np.float32)
    bent = DisplacementTransform(field)
    return Bend(
        start,
        bent,
        start.compose(bent),
        np.ascontiguousarray(error[0, 0].cpu().numpy(), dtype=np.float32),
        folding_fraction(field),
    )


_ENCODED: WeakKeyDictionary[Level, tuple[ElasticNetwork, Encoded]] = WeakKeyDictionary()


def _encoded(level: Level, network: ElasticNetwork) -> Encoded:
    """Return what the encoder makes of the fixed image, once as long as the level is kept."""
    known = _ENCODED.get(level)
    if known is None or known[0] is not network:
        known = network, network.encoder(level.fixed, level.fixed_mask)
        _ENCODED[level] = known
    return known[1]


def _compose(first: Tensor, second: Tensor) -> Tensor:
    """Return p -> second(p) + first(p + second(p)) of displacements (1, h, w, 2), (x, y)."""
    rows, cols = second.shape[1:3]
    where = pixel_grid(rows, cols, second)[None] + second
    return second + sample(first.permute(0, 3, 1, 2), where).permute(0, 2, 3, 1)
