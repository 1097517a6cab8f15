"""One resolution of a pair in torch, and how alike its two images are under homographies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from napari_mmreg.imaging.field_of_view import without_border
from napari_mmreg.imaging.normalise import fill_invalid
from napari_mmreg.nn.gradients import downscale, orientation_channels
from napari_mmreg.nn.homography import positions, resize_matrix
from napari_mmreg.nn.mind import mind_ssc
from napari_mmreg.nn.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_mmreg.geometry import Transform
    from napari_mmreg.imaging import Pair

MARGIN = 3
"""Pixels next to missing data that are not used: filters look across the edge there."""

HOLE = 4
"""Half the width, in pixels, of holes in the data that are bridged by the nearest values."""

FAR_SMALLER = 0.5
"""Share of the fixed image's area below which a moving image is a part of it."""

SIGMA, SMOOTH = 0.6, 1.0
"""Blur before and after the derivative, in pixels of the level. Finer than usual: measured."""


class Tensors(tuple[Tensor, Tensor, Tensor, Tensor]):  # noqa: SLOT001  it carries `levels`
    """Fixed, moving, fixed mask and moving mask, (1, 1, H, W) float32; not to be changed.

    Attributes
    ----------
    levels : dict of int to Level
        What `build_level` has made of them: search, alignment, bending and checks share these.
    """

    levels: dict[int, Level]

    def __new__(cls, parts: Iterable[Tensor]) -> Self:
        """Bind four tensors."""
        new = super().__new__(cls, tuple(parts))
        new.levels = {}
        return new


class Warped(tuple[Tensor, Tensor]):  # noqa: SLOT001  it keeps its descriptions
    """An image on a level's grid and a mask, (1, 1, h, w), and their descriptions, made once."""

    def __new__(cls, image: Tensor, mask: Tensor) -> Self:
        """Bind both."""
        return super().__new__(cls, (image, mask))

    @cached_property
    def features(self) -> Tensor:
        """Orientation channels, (1, C, h, w)."""
        return describe(*self)

    @cached_property
    def self_similarity(self) -> Tensor:
        """MIND-SSC, (1, 12, h, w)."""
        return mind_ssc(self[0])


@dataclass(frozen=True, eq=False)
class Level:
    """A pair at one resolution.

    Attributes
    ----------
    fixed, moving : Tensor of float32, shape (1, 1, h, w)
    fixed_mask, moving_mask : Tensor of float32, shape (1, 1, h, w)
        1 where there is data away from the edge of missing data.
    full_shape : (int, int)
        Rows and columns of the pair's own grid.
    """

    fixed: Tensor
    moving: Tensor
    fixed_mask: Tensor
    moving_mask: Tensor
    full_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.fixed.shape[-2], self.fixed.shape[-1]

    @cached_property
    def features(self) -> Tensor:
        """Orientation channels of the fixed image, (1, C, h, w)."""
        return describe(self.fixed, self.fixed_mask)

    @cached_property
    def self_similarity(self) -> Tensor:
        """MIND-SSC of the fixed image, (1, 12, h, w)."""
        return mind_ssc(self.fixed)

    @cached_property
    def unmoved(self) -> Warped:
        """The moving image as it came."""
        return Warped(self.moving, self.moving_mask * self.fixed_mask)

    @cached_property
    def warps(self) -> WeakKeyDictionary[Transform, Warped]:
        """The moving image under the transforms that were asked for, as long as they are kept."""
        return WeakKeyDictionary()

    @cached_property
    def _shrink(self) -> Tensor:
        like = torch.empty(0, dtype=torch.float64, device=self.fixed.device)
        return resize_matrix(self.full_shape, self.shape, like)

    def from_full(self, matrices: Tensor) -> Tensor:
        """Turn homographies of the pair's grid into ones of this level."""
        small: Tensor = self._shrink @ matrices @ torch.linalg.inv(self._shrink)
        return small

    def to_full(self, matrices: Tensor) -> Tensor:
        """Turn homographies of this level into ones of the pair's grid."""
        full: Tensor = torch.linalg.inv(self._shrink) @ matrices @ self._shrink
        return full.div(full[..., 2:, 2:])

    def warp(self, where: Tensor) -> Warped:
        """Sample the moving image and what both masks allow at (B, h, w, 2) positions."""
        image = sample(self.moving, where)
        mask = sample(self.moving_mask, where, padding="zeros")
        return Warped(image, (mask > 0.9).float() * self.fixed_mask)


def describe(image: Tensor, mask: Tensor) -> Tensor:
    """Orientation channels with the engine's own blur."""
    return orientation_channels(image, mask, sigma=SIGMA, smooth=SMOOTH)


_TENSORS: WeakKeyDictionary[Pair, dict[str, Tensors]] = WeakKeyDictionary()


def pair_tensors(pair: Pair, device: str) -> Tensors:
    """Return a pair's images and masks in torch.

    Predicting, refining and checking ask for the same; they are kept as long as the pair is.
    """
    kept = _TENSORS.setdefault(pair, {})
    if device not in kept:
        kept[device] = _clean_tensors(pair, device)
    return kept[device]


def _clean_tensors(pair: Pair, device: str) -> Tensors:
    def clean(
        grey: NDArray[np.float32], known: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        data = without_border(grey, known)
        return (grey, known) if data is known else (fill_invalid(grey, data), data)

    def image(array: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(array.astype("float32", copy=True))[None, None].to(device)

    def mask(array: NDArray[np.bool_]) -> Tensor:
        inner = array if array.all() else ndimage.minimum_filter(_closed(array), 2 * MARGIN + 1)
        return image((inner if inner.any() else array).astype("float32"))

    fixed, fixed_mask = clean(pair.fixed, pair.fixed_mask)
    moving, moving_mask = clean(pair.moving, pair.moving_mask)
    return Tensors((image(fixed), image(moving), mask(fixed_mask), mask(moving_mask)))


def _closed(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close thin holes: depth maps lack data along the very edges that carry the information."""
    padded = np.pad(known, HOLE, mode="edge")
    closed = np.asarray(ndimage.binary_closing(padded, iterations=HOLE), dtype=np.bool_)
    return closed[HOLE:-HOLE, HOLE:-HOLE]


def build_level(tensors: Tensors, size: int) -> Level:
    """Shrink a pair so that its longer side has at most `size` pixels; made once a size."""
    if size not in tensors.levels:
        tensors.levels[size] = _shrunk(tensors, size)
    return tensors.levels[size]


def _shrunk(tensors: Tensors, size: int) -> Level:
    fixed, moving, fixed_mask, moving_mask = tensors
    rows, cols = fixed.shape[-2:]
    factor = size / max(rows, cols)
    # No side may become so short that the filters see nothing but replicated edges.
    factor = min(1.0, max(factor, 12 / min(rows, cols)))
    return Level(
        fixed=downscale(fixed, factor),
        moving=downscale(moving, factor),
        fixed_mask=(downscale(fixed_mask, factor) > 0.99).float(),
        moving_mask=(downscale(moving_mask, factor) > 0.99).float(),
        full_shape=(rows, cols),
    )


def masked_correlation(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """Correlate feature maps where the mask allows it.

    Parameters
    ----------
    first, second : Tensor of shape (B, C, h, w)
    mask : Tensor of shape (B, 1, h, w)

    Returns
    -------
    Tensor of shape (B,)
        Pearson's correlation over pixels and channels, each channel centred; in [-1, 1].
    """
    count = mask.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    one = (first - (first * mask).sum(dim=(2, 3), keepdim=True) / count) * mask
    two = (second - (second * mask).sum(dim=(2, 3), keepdim=True) / count) * mask
    norm = one.square().sum(dim=(1, 2, 3)) * two.square().sum(dim=(1, 2, 3))
    return (one * two).sum(dim=(1, 2, 3)) / norm.clamp(min=1e-12).sqrt()


def shift_correlation(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """Correlate feature maps for all shifts of up to a quarter of the frame.

    Parameters
    ----------
    first, second : Tensor of shape (1, C, h, w)
    mask : Tensor of shape (1, 1, h, w)
        Of both.

    Returns
    -------
    Tensor of shape (2 * (h // 4) + 1, 2 * (w // 4) + 1)
        In [-1, 1]; no shift is in the middle.
    """
    rows, cols = mask.shape[-2:]
    size = [rows + rows // 2, cols + cols // 2]
    count = mask.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    one = (first - (first * mask).sum(dim=(2, 3), keepdim=True) / count) * mask
    two = (second - (second * mask).sum(dim=(2, 3), keepdim=True) / count) * mask
    spectrum = torch.fft.rfft2(mask[:, 0], size)
    spectra = torch.cat(
        [
            (torch.fft.rfft2(one, size).conj() * torch.fft.rfft2(two, size)).sum(1),
            torch.fft.rfft2(one.square().sum(1), size).conj() * spectrum,
            spectrum.conj() * torch.fft.rfft2(two.square().sum(1), size),
        ]
    )
    product, left, right = torch.fft.irfft2(spectra, size)
    correlation = product / (left * right).clamp(min=1e-3).sqrt()
    reach_y, reach_x = rows // 4, cols // 4
    around = torch.roll(correlation, (reach_y, reach_x), (0, 1))
    return around[: 2 * reach_y + 1, : 2 * reach_x + 1]


def usable_area(level: Level) -> float:
    """Return how many pixels can overlap: those of the fixed, or a far smaller moving image."""
    fixed, moving = float(level.fixed_mask.sum()), float(level.moving_mask.sum())
    return moving if moving < FAR_SMALLER * fixed else fixed


def homography_scores(level: Level, matrices: Tensor) -> Tensor:
    """Score homographies of the pair's grid: feature correlation, less for small overlaps.

    Returns
    -------
    Tensor of shape (B,)
    """
    where = positions(level.from_full(matrices), *level.shape)
    image, mask = level.warp(where)
    fixed = level.features.expand(len(matrices), -1, -1, -1)
    similarity = masked_correlation(fixed, describe(image, mask), mask)
    overlap = mask.sum(dim=(1, 2, 3)) / max(usable_area(level), 1.0)
    return similarity * (overlap / 0.6).clamp(0, 1).sqrt()


def mind_difference(level: Level, warped: Warped, mask: Tensor) -> float:
    """Mean absolute difference of the fixed image's MIND-SSC and another one's, over a mask."""
    apart = (level.self_similarity - warped.self_similarity).abs().mean(1, keepdim=True)
    return float((apart * mask).sum() / mask.sum().clamp(min=1))
