"""What can be measured of a registered pair without knowing the truth.

All on structure and none on grey values:

* *peak*: how far the correlation at the found place stands out among shifts of up to a quarter
  of the frame, in standard deviations, and *margin*, how far above the best other shift. A wrong
  alignment is a place like many others.
* *forward-backward*: the elastic stage registers the result once more, both ways round. What still
  moves was not at rest; where the two ways differ, or matching hardly tells one place from the
  next, little is known.
* *similarity*: correlation of oriented gradient channels before and after.
* *residual*: difference of MIND-SSC descriptors, averaged locally.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_mmreg.alignment.bspline_fit import warp_level
from napari_mmreg.alignment.levels import (
    build_level,
    masked_correlation,
    pair_tensors,
    shift_correlation,
)
from napari_mmreg.geometry.affine_fit import beyond_affine
from napari_mmreg.nn.sampling import gaussian_blur
from napari_mmreg.registration.evidence import better_shift, overlap_share, rival_peak

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.alignment.levels import Tensors
    from napari_mmreg.geometry import Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

Map = NDArray[np.float32]

SIZE = 128
"""Longer side of the grid on which everything is measured."""

ELASTIC = 192
"""Longer side of the grid on which the elastic stage looks at the result."""

VOTE_SIGMA = 3.0
"""Of the Gaussian that averages its votes, in cells."""

LOCAL = 4.0
"""Gaussian sigma of the local averages, in pixels of that grid."""

FINE = 256
"""Longer side of the grid on which repeating patterns are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class SecondLook:
    """What the elastic stage says of a registered pair; (h, w) tensors on the measuring grid.

    Attributes
    ----------
    moves : Tensor
        By how much it still moves the pair with swapped roles, in px at 256-px scale.
    expects : Tensor
        The error that it expects of that, in px at 256-px scale.
    differs : Tensor
        How far one way does not undo the other, in px at 256-px scale.
    vote : Tensor
        Length of the mean vote of matching nearby, in px at 256-px scale.
    precision, gain : Tensor
        Logarithm of the precision of the votes, and how much matching learned, in [0, 1].
    """

    moves: Tensor
    expects: Tensor
    differs: Tensor
    vote: Tensor
    precision: Tensor
    gain: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """The numbers a certificate rests on; maps are (h, w) tensors on the measuring grid.

    `displacement` and `bend`, what of it no affine transform does, are in pixels at 256-px scale.
    `rival` is the height of the best other peak, of the found one's; `shift` by how far, in those
    pixels, another shift is more alike, and by how much. `field` is the displacement of the pair's
    whole grid in its own pixels, float32 (h, w, 2), (row, col).
    """

    before: float
    after: float
    overlap: float
    peak: float
    margin: float
    field: Map
    look: SecondLook
    displacement: Tensor
    bend: Tensor
    residual: Tensor
    texture: Tensor
    mask: Tensor
    rival: float
    shift: tuple[float, float]


def measure(pair: Pair, transform: Transform, run: Run, elastic: ElasticNetwork) -> Measurements:
    """Measure a registered pair; see the module's description."""
    tensors = pair_tensors(pair, run.device)
    level = build_level(tensors, SIZE)
    unit = 256 / max(level.shape)
    unmoved, registered = level.unmoved, warp_level(level, transform)
    mask = registered[1]
    before = masked_correlation(level.features, unmoved.features, unmoved[1])
    after = masked_correlation(level.features, registered.features, mask)
    correlation = shift_correlation(level.features, registered.features, mask)
    peak, margin = _peak(correlation)
    distance, gain = better_shift(_array(correlation))
    run.check()
    look = _look_again(tensors, transform, elastic, level.shape, run)
    usable = (
        _array(level.fixed_mask[0, 0]) > 0.5,
        _array(level.moving_mask[0, 0]) > 0.5,
        _array(mask[0, 0]) > 0.5,
    )
    texture = level.features.square().sum(1, keepdim=True).sqrt()
    moved = transform.displacement(pair.shape)
    lengths = [np.linalg.norm(part, axis=-1) for part in (moved, beyond_affine(moved))]
    grid_unit = 256 / max(pair.shape)
    displacement, bend = (
        _shrunk(torch.from_numpy(np.nan_to_num(length, nan=1e3) * grid_unit), level.shape)
        for length in lengths
    )
    return Measurements(
        before=float(before[0]),
        after=float(after[0]),
        overlap=overlap_share(*usable, transform, level.full_shape),
        peak=peak,
        margin=margin,
        field=moved,
        look=look,
        displacement=displacement.to(texture),
        bend=bend.to(texture),
        residual=_local_difference(level.self_similarity, registered.self_similarity, mask),
        texture=gaussian_blur(texture, LOCAL)[0, 0],
        mask=mask[0, 0] > 0.5,
        rival=_rival(pair, transform, run, correlation),
        shift=(distance * unit, gain),
    )


def _look_again(
    tensors: Tensors,
    transform: Transform,
    elastic: ElasticNetwork,
    shape: tuple[int, int],
    run: Run,
) -> SecondLook:
    """Let the elastic stage register the result, both ways round in one batch."""
    level = build_level(tensors, ELASTIC)
    unit = 256 / max(level.shape)
    moving, mask = warp_level(level, transform)
    images, masks = torch.cat([moving, level.fixed]), torch.cat([mask, level.fixed_mask])
    encoded = elastic.encoder(images, masks)
    found = elastic(
        images, images.flip(0), masks, masks.flip(0), run.check, encoded, encoded.swapped()
    )
    flow = found.flow(level.shape)
    votes = found.steps[0].votes
    assert votes is not None  # noqa: S101  # for the type checker
    weight = (votes.precision[:1, [0, 2]].mean(1) * votes.gain[:1])[:, None]
    near = gaussian_blur(weight, VOTE_SIGMA)
    step = votes.step[:1].permute(3, 0, 1, 2)
    vote = gaussian_blur(step * weight[:, 0], VOTE_SIGMA) / near.clamp(min=1e-6)
    cell = max(level.shape) / max(votes.gain.shape[1:]) * unit
    return SecondLook(
        *(
            _resized(part, shape)
            for part in (
                flow[0].norm(dim=0) * unit,
                found.log_error[0, 0].exp() * unit,
                flow.sum(0).norm(dim=0) * unit,
                vote[:, 0].norm(dim=0) * cell,
                (near[0, 0] + 1e-6).log(),
                gaussian_blur(votes.gain[:1, None], VOTE_SIGMA)[0, 0],
            )
        )
    )


def _shrunk(part: Tensor, shape: tuple[int, int]) -> Tensor:
    return F.interpolate(part.float()[None, None], size=shape, mode="area")[0, 0]


def _resized(part: Tensor, shape: tuple[int, int]) -> Tensor:
    if part.shape[0] > shape[0]:
        return _shrunk(part, shape)
    grown = F.interpolate(part[None, None], size=shape, mode="bilinear", align_corners=False)
    return grown[0, 0]


def _rival(pair: Pair, transform: Transform, run: Run, coarse: Tensor) -> float:
    """Return the best other peak on the measuring grid or on a finer one; see `rival_peak`."""
    level = build_level(pair_tensors(pair, run.device), FINE)
    registered = warp_level(level, transform)
    fine = shift_correlation(level.features, registered.features, registered[1])
    run.check()
    return max(rival_peak(_array(coarse)), rival_peak(_array(fine)))


def _peak(correlation: Tensor) -> tuple[float, float]:
    """Return how far the middle stands out of a correlation map, and above the best other place."""
    rows, cols = correlation.shape
    y = torch.arange(rows, device=correlation.device)[:, None] - rows // 2
    x = torch.arange(cols, device=correlation.device)[None, :] - cols // 2
    far = y.square() + x.square() > (0.08 * max(rows, cols)) ** 2
    if not bool(far.any()):
        return 0.1, 0.0
    others, middle = correlation[far], float(correlation[~far].max())
    spread = float(others.std()) + 1e-6
    return (middle - float(others.mean())) / spread, middle - float(others.max())


def _array(part: Tensor) -> Map:
    return np.asarray(part.cpu().numpy(), dtype=np.float32)


def _local_difference(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    difference = (first - second).abs().mean(1, keepdim=True) * mask
    return (gaussian_blur(difference, LOCAL) / gaussian_blur(mask, LOCAL).clamp(min=1e-3))[0, 0]
