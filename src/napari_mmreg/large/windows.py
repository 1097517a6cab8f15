"""The two images of a pair in overlapping tiles of one grid, at any power of two of its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import Frame, LazyImage, MatrixTransform, Transform, inside, pixel_grid
from napari_mmreg.geometry.lazy import pixel_step
from napari_mmreg.geometry.matrix import resizing
from napari_mmreg.geometry.thinning import thin_block

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE, OVERLAP = 512, 128
"""Side of the tiles, and what neighbours have in common, in pixels of their grid."""

_STEP = 1.01
"""A level serves a grid whose steps are at least its pixels, but for rounding."""

Place = tuple[int, int]
"""A tile by its number along rows and columns."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a grid.

    Attributes
    ----------
    place : (int, int)
        Its number along rows and columns.
    rows, cols : slice
        In pixels of the grid.
    """

    place: Place
    rows: slice
    cols: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start


def overlapping(shape: tuple[int, int]) -> list[Tile]:
    """Return the tiles that cover a grid; the last ones end where it does."""
    rows, cols = (_spans(size) for size in shape)
    return [Tile((i, j), row, col) for i, row in enumerate(rows) for j, col in enumerate(cols)]


def _spans(size: int) -> list[slice]:
    if size <= SIDE:
        return [slice(0, size)]
    number = int(np.ceil((size - OVERLAP) / (SIDE - OVERLAP)))
    starts = np.rint(np.linspace(0, size - SIDE, number)).astype(int)
    return [slice(int(start), int(start) + SIDE) for start in starts]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One image of a pair, seen on the fixed image's pixels or on coarser ones.

    Attributes
    ----------
    levels : sequence of array_like, shape (H, W) or (H, W, C)
        From fine to coarse.
    pull : Transform
        Fixed pixels to those of the finest level.
    shape : (int, int)
        Rows and columns of the fixed image.
    nodata : number or None
    usable : ndarray of bool, shape (h, w), or None
        Where the image may be used: of the finest level, or a coarser copy of it.
    """

    levels: Sequence[Any]
    pull: Transform
    shape: tuple[int, int]
    nodata: float | None = None
    usable: NDArray[np.bool_] | None = None

    def grid(self, factor: int) -> tuple[int, int]:
        """Return the size of the grid whose pixels are `factor` fixed ones wide."""
        return -(-self.shape[0] // factor), -(-self.shape[1] // factor)

    def read(self, tile: Tile, factor: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return a tile of the grid of `factor`: averages of what its pixels cover, and the mask.

        Of the levels the coarsest is read that is as fine as the grid.
        """
        full = Frame((int(self.levels[0].shape[0]), int(self.levels[0].shape[1])))
        scales = [full.scale_to(level.shape[:2], "level") for level in self.levels]
        step = pixel_step(self.pull, self.shape)
        fitting = [n for n, s in enumerate(scales) if 1 / min(s) <= factor * step * _STEP]
        chosen = max(fitting, default=0)
        finer = 1 / min(scales[chosen]) / step * _STEP
        through = 2 ** int(np.clip(np.floor(np.log2(finer)), 0, np.log2(factor)))
        pull = resizing(scales[chosen]).compose(self.pull).compose(from_grid(through))
        level = self.levels[chosen]
        image = LazyImage(
            level,
            pull,
            self.grid(through),
            channels_last=len(level.shape) == 3,
            order=1,
            nodata=self.nodata,
            fill=self.nodata,
        )
        times = factor // through
        rows, cols = (
            slice(part.start * times, min(part.stop * times, size))
            for part, size in zip((tile.rows, tile.cols), image.grid, strict=True)
        )
        block = thin_block(image.read(rows, cols), times, nodata=self.nodata)
        places = pixel_grid(tile.rows, tile.cols)
        seen = self.pull.compose(from_grid(factor)).map(places)
        mask = inside(seen, full.shape)
        if self.usable is not None:
            mask[mask] = _at(self.usable, seen[mask], full)
        if self.nodata is not None:
            known = block != self.nodata
            mask &= known if known.ndim == 2 else known.any(axis=-1)
        return block, mask


def _at(usable: NDArray[np.bool_], places: NDArray[np.float64], full: Frame) -> NDArray[np.bool_]:
    """Return a mask's values at places, which are in the pixels of the full resolution."""
    scale = np.array(full.scale_to(usable.shape, "mask"))
    nearest = np.rint((places + 0.5) * scale - 0.5).astype(int)
    rows, cols = np.clip(nearest, 0, np.array(usable.shape) - 1).T
    return np.asarray(usable[rows, cols])


def from_grid(factor: int) -> MatrixTransform:
    """Return the map from a grid whose pixels are `factor` fixed ones wide, to fixed pixels."""
    return resizing((float(factor), float(factor)))


def neighbours(place: Place) -> Iterator[Place]:
    """Yield the eight places around one."""
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            if i or j:
                yield place[0] + i, place[1] + j
