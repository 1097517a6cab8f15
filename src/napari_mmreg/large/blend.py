"""Many tiles' corrections as one field: those that neighbours contradict are dropped, no seams.

Ours. Each tile's displacement is weighted by a smooth window; the windows of all tiles, divided
by their sum, are a partition of unity, so that a place where all tiles agree gets what they say,
and the field is as smooth as the windows where they do not. A tile without a correction counts as
one of zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.large.windows import OVERLAP, Place, Tile, from_grid, neighbours

STEP = 8
"""Pixels of a tile's grid per node of its correction."""

_LEAST_APART = 1.5
"""Pixels of the grid by which tiles may differ where they overlap, whatever they say."""

_SHARE_APART = 0.5
"""Share of a correction by which tiles may differ where they overlap."""

_ALONE = 2.0
"""Mean length, in pixels of the grid, up to which a correction needs nobody who confirms it."""

Corrections = Mapping[Place, NDArray[np.float32]]
"""Of tiles, by their places: displacements (h, w, 2) at every `STEP`-th pixel, in pixels."""


def nodes(tile: Tile) -> NDArray[np.float64]:
    """Return where a tile's correction is kept: (h, w, 2), in pixels of the grid.

    They are nodes of the grid as a whole, so that those of overlapping tiles coincide.
    """
    axes = [
        np.arange(-(-part.start // STEP), -(-part.stop // STEP)) for part in (tile.rows, tile.cols)
    ]
    index = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return index * float(STEP)


def contradicted(tiles: Sequence[Tile], corrections: Corrections) -> set[Place]:
    """Return the tiles whose corrections are not what their neighbours see in the overlap.

    A tile is dropped if it differs from most of its corrected neighbours, and the one that most
    differ from goes first: a wrong tile must not take its neighbours with it. One that moves
    more than a little needs a neighbour at all, where the grid has others.
    """
    left = dict(corrections)
    by_place = {tile.place: tile for tile in tiles}
    dropped: set[Place] = set()
    while True:
        blamed: dict[Place, tuple[float, float]] = {}
        for place, correction in left.items():
            around = [near for near in neighbours(place) if near in left]
            if not around:
                alone = float(np.linalg.norm(correction, axis=-1).mean()) > _ALONE
                if alone and len(tiles) > 1:
                    blamed[place] = (1.0, np.inf)
                continue
            ratios = [_difference(by_place, left, place, near) for near in around]
            against = float(np.mean([ratio > 1 for ratio in ratios]))
            if against > 0.5:
                blamed[place] = (against, float(np.median(ratios)))
        if not blamed:
            return dropped
        worst = max(blamed, key=lambda place: (blamed[place], place))
        dropped.add(worst)
        del left[worst]


def _difference(
    tiles: Mapping[Place, Tile], corrections: Corrections, one: Place, other: Place
) -> float:
    """Return the median difference in the overlap, as a multiple of what is allowed."""
    mine, theirs = (_in_overlap(tiles, corrections, a, b) for a, b in ((one, other), (other, one)))
    if mine.size == 0:
        return 0.0
    apart = float(np.median(np.linalg.norm(mine - theirs, axis=-1)))
    lengths = [float(np.median(np.linalg.norm(each, axis=-1))) for each in (mine, theirs)]
    return apart / max(_LEAST_APART, _SHARE_APART * max(lengths))


def _in_overlap(
    tiles: Mapping[Place, Tile], corrections: Corrections, one: Place, other: Place
) -> NDArray[np.float32]:
    mine, theirs = nodes(tiles[one]), nodes(tiles[other])
    keep = []
    for axis, line in ((0, mine[:, 0, 0]), (1, mine[0, :, 1])):
        keep.append((line >= theirs[0, 0, axis]) & (line <= theirs[-1, -1, axis]))
    return corrections[one][np.ix_(*keep)]


def blend(
    tiles: Sequence[Tile], corrections: Corrections, shape: tuple[int, int], factor: int
) -> DisplacementTransform:
    """Return one displacement of the fixed image.

    Parameters
    ----------
    tiles : sequence of Tile
        All that cover the grid.
    corrections : mapping
        Of those that have one.
    shape : (int, int)
        Rows and columns of the grid.
    factor : int
        Fixed pixels per pixel of the grid.

    Notes
    -----
    *Convention*: (row, col), fixed pixels to fixed pixels: a point moves before the transform
    that was corrected is applied.
    """
    size = tuple((length - 1) // STEP + 1 for length in shape)
    total = np.zeros((*size, 2), dtype=np.float64)
    weight = np.zeros(size, dtype=np.float64)
    for tile in tiles:
        where = nodes(tile)
        first = (where[0, 0] / STEP).astype(int)
        part = tuple(slice(a, a + n) for a, n in zip(first, where.shape[:2], strict=True))
        window = _window(where[:, 0, 0], tile.rows)[:, None] * _window(where[0, :, 1], tile.cols)
        weight[part] += window
        if tile.place in corrections:
            total[part] += window[..., None] * corrections[tile.place]
    field = (factor * total / weight[..., None]).astype(np.float32)
    # Node i lies at pixel i * STEP of the grid.
    on_grid = np.diag([float(STEP), float(STEP), 1.0])
    return DisplacementTransform(field, MatrixTransform(from_grid(factor).matrix @ on_grid))


def _window(places: NDArray[np.float64], part: slice) -> NDArray[np.float64]:
    """Return a bump over a tile: 1 in the middle, falling smoothly to about 0 at both ends."""
    inner = np.minimum(places - part.start + 1, part.stop - places)
    rise = np.clip(inner / OVERLAP, 1e-3, 1.0)
    return np.asarray(np.sin(0.5 * np.pi * rise) ** 2)
