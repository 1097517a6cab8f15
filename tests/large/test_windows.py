"""Two images in tiles of one grid."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.geometry.thinning import thin_block
from napari_mmreg.large.windows import Side, Tile, from_grid, overlapping

SHAPE = (1200, 1000)


def ramp(shape=SHAPE):
    return np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1).astype(np.float32)


TILE = Tile((0, 0), slice(50, 170), slice(30, 130))


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("levels", [1, 3])
def test_a_tile_shows_its_place(factor, levels):
    image = ramp()
    pyramid = [image, *(thin_block(image, 2**n) for n in range(1, levels))]
    pull = MatrixTransform.from_params(rotation_degrees=3, scale=1.0, translation=(-9, 6))
    side = Side([da.from_array(level) for level in pyramid], pull, SHAPE)
    block, mask = side.read(TILE, factor)
    index = np.stack(np.mgrid[TILE.rows, TILE.cols], axis=-1).astype(float)
    expected = pull.map(from_grid(factor).map(index))
    inside = mask & (expected > 8).all(-1) & (expected < np.array(SHAPE) - 9).all(-1)
    assert inside.mean() > 0.6
    np.testing.assert_allclose(block[inside], expected[inside], atol=0.02)
    assert mask.shape == block.shape[:2] == TILE.shape


def test_the_level_that_is_as_fine_is_read():
    class Unread:
        shape, dtype, ndim = SHAPE, np.dtype(np.float32), 2

        def __getitem__(self, key):
            raise AssertionError("this level must not be read")

    levels = [Unread(), thin_block(ramp()[..., 0], 2), thin_block(ramp()[..., 0], 4)]
    side = Side(levels, MatrixTransform.identity(), SHAPE)
    side.read(TILE, 2)
    with pytest.raises(AssertionError):
        side.read(TILE, 1)
    # A moving image that is four times as fine is needed at its third level alone.
    finer = MatrixTransform(np.diag([4.0, 4.0, 1.0]))
    Side([Unread(), Unread(), levels[2]], finer, (300, 250)).read(
        Tile((0, 0), slice(0, 50), slice(0, 50)), 1
    )


def test_what_lies_outside_and_no_data():
    image = np.full(SHAPE, 7, np.uint8)
    image[:600] = 255
    side = Side([image], MatrixTransform.translation((0, 950)), SHAPE, nodata=255)
    _, mask = side.read(Tile((0, 0), slice(500, 700), slice(0, 100)), 1)
    assert not mask[:100].any()
    assert mask[100:, :50].all()
    assert not mask[:, 50:].any()


def test_the_last_tile_of_an_odd_grid():
    side = Side([ramp((1201, 999))], MatrixTransform.identity(), (1201, 999))
    tile = overlapping(side.grid(2))[-1]
    block, mask = side.read(tile, 2)
    assert block.shape[:2] == tile.shape
    assert mask[:-1, :-1].all()
