"""Tiles' corrections as one field."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.large.blend import STEP, blend, contradicted, nodes
from napari_mmreg.large.windows import SIDE, overlapping

SHAPE = (1300, 1700)


def wave(points):
    row, col = points[..., 0] / 300, points[..., 1] / 260
    return np.stack([3 * np.sin(row) + col, 2 * np.cos(col) - 3], axis=-1).astype(np.float32)


@pytest.fixture
def tiles():
    return overlapping(SHAPE)


def everywhere(tiles):
    return {tile.place: wave(nodes(tile)) for tile in tiles}


def test_tiles_cover_the_grid_and_overlap(tiles):
    seen = np.zeros(SHAPE, int)
    for tile in tiles:
        assert tile.shape == (SIDE, SIDE)
        seen[tile.rows, tile.cols] += 1
    assert seen.min() == 1
    assert (seen > 1).mean() > 0.4
    assert [tile.shape for tile in overlapping((300, 200))] == [(300, 200)]


@pytest.mark.parametrize("factor", [1, 4])
def test_agreeing_tiles_give_what_they_say_without_seams(tiles, factor):
    assert contradicted(tiles, everywhere(tiles)) == set()
    field = blend(tiles, everywhere(tiles), SHAPE, factor)
    index = np.stack(np.mgrid[: SHAPE[0] : STEP, : SHAPE[1] : STEP], axis=-1).astype(float)
    fixed = (index + 0.5) * factor - 0.5
    np.testing.assert_allclose(
        field.map(fixed) - fixed, factor * wave(index), atol=2e-4 * factor, rtol=0
    )


def test_where_tiles_differ_the_field_has_no_steps(tiles):
    some = {
        tile.place: np.full_like(wave(nodes(tile)), 4.0 if sum(tile.place) % 2 else 1.0)
        for tile in tiles
    }
    field = blend(tiles, some, SHAPE, 1).field
    steps = [np.abs(np.diff(field, axis=axis)).max() for axis in (0, 1)]
    # Three pixels over an overlap of at least 128, at their steepest, per node of 8.
    assert max(steps) < 0.5
    assert field.min() >= 1 - 1e-5
    assert field.max() <= 4 + 1e-5


def test_a_tile_without_a_correction_fades_to_zero(tiles):
    corrections = everywhere(tiles)
    corrections.pop((1, 1))
    field = blend(tiles, corrections, SHAPE, 1).field
    missing = next(tile for tile in tiles if tile.place == (1, 1))
    middle = (missing.rows.start + SIDE // 2) // STEP, (missing.cols.start + SIDE // 2) // STEP
    assert np.abs(field[middle]).max() < 1e-3
    assert np.abs(np.diff(field, axis=0)).max() < 0.6


def test_one_wrong_tile_goes_and_its_neighbours_stay(tiles):
    corrections = everywhere(tiles)
    corrections[1, 2] = corrections[1, 2] + np.float32(9)
    assert contradicted(tiles, corrections) == {(1, 2)}


def test_two_wrong_tiles_side_by_side_go(tiles):
    corrections = everywhere(tiles)
    corrections[1, 2] = corrections[1, 2] + np.float32(9)
    corrections[1, 3] = corrections[1, 3] - np.float32(12)
    assert contradicted(tiles, corrections) == {(1, 2), (1, 3)}


def test_what_nobody_confirms_stays_only_if_it_is_small(tiles):
    alone = {(0, 0): np.full((64, 64, 2), 5, np.float32)}
    assert contradicted(tiles, alone) == {(0, 0)}
    assert contradicted(tiles, {(0, 0): alone[0, 0] / 10}) == set()
    only = overlapping((300, 300))
    assert contradicted(only, {(0, 0): np.full((38, 38, 2), 5, np.float32)}) == set()
