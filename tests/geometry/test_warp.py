import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import (
    MatrixTransform,
    inside,
    pixel_grid,
    tiles,
    warp_image,
    warp_labels,
)
from napari_mmreg.geometry.warp import resample_tiles

DTYPES = ["bool", "u1", "i2", "u2", "i4", "u8", "i8", "f2", "f4", "f8", "g", "c8", "c16"]


def grid_of(shape, offset=(0.0, 0.0)):
    return pixel_grid(slice(0, shape[0]), slice(0, shape[1])) + offset


@given(st.tuples(st.integers(1, 30), st.integers(1, 30)), st.integers(1, 12))
def test_tiles_cover_every_pixel_once(shape, tile):
    count = np.zeros(shape, dtype=int)
    for rows, cols in tiles(shape, tile):
        assert rows.stop - rows.start <= tile
        assert_array_equal(
            pixel_grid(rows, cols)[..., 0], np.indices(shape)[0][rows, cols].astype(float)
        )
        count[rows, cols] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_sampling_at_the_pixels_gives_the_image(dtype, channels, order):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 2 if dtype == "bool" else 100, (21, 30, *channels)).astype(dtype)
    result = warp_image(image, grid_of((21, 30)), order=order)
    assert result.dtype == image.dtype
    assert_allclose(result, image, atol=1e-5 if image.dtype.kind in "fc" else 0)


def test_linear_between_pixels_and_replicated_in_the_outer_half_pixel():
    image = np.array([[0.0, 10.0], [20.0, 30.0]])
    positions = np.array([[[0.5, 0.25], [-0.5, 1.4], [-0.51, 0], [0, 1.5]]])
    assert_allclose(warp_image(image, positions, fill=-1), [[12.5, 10, -1, -1]])


def test_nearest_rounds_half_up_like_the_frames():
    image = np.arange(12).reshape(3, 4)
    positions = np.array([[[0.5, 1.49], [-0.5, 2.5], [2.49, 3.49]]])
    assert_array_equal(warp_image(image, positions, order=0), [[5, 3, 11]])


def test_rows_and_columns_are_not_mixed_up(pattern):
    shifted = warp_image(pattern, grid_of((30, 30), offset=(5, 20)), order=1)
    assert_array_equal(shifted, pattern[5:35, 20:50])


@pytest.mark.parametrize("order", [1, 3])
def test_tiling_leaves_no_seams(pattern, order):
    turn = MatrixTransform.from_params(rotation_degrees=40, scale=0.6, translation=(-10, 25))
    positions = turn.map(grid_of((100, 90)))
    whole = warp_image(pattern, positions, order=order, chunk=1000)
    assert_allclose(warp_image(pattern, positions, order=order, chunk=17), whole, atol=1e-6)
    known = inside(positions, pattern.shape)
    clipped = np.clip(positions, 0, np.array(pattern.shape) - 1)
    reference = ndimage.map_coordinates(pattern, np.moveaxis(clipped, -1, 0), order=order)
    core = known & ndimage.binary_erosion(known, iterations=3)
    assert core.any()
    assert_allclose(whole[core], reference[core], atol=2e-4)


def test_integers_are_rounded_and_clipped():
    image = np.zeros((20, 20), dtype=np.uint8)
    image[:, 10:] = 255
    middle = warp_image(image, grid_of((20, 19), offset=(0, 0.5)), order=1)
    assert middle[5, 9] == 128  # 127.5 rounds to even
    cubic = warp_image(image, grid_of((20, 19), offset=(0, 0.5)), order=3)
    assert cubic.max() == 255  # the spline overshoots on both sides and must not wrap
    assert cubic.min() == 0
    assert cubic[5, 10] == 255
    assert cubic[5, 8] == 0


@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_the_largest_integers_do_not_overflow(dtype):
    largest = np.iinfo(dtype).max
    image = np.full((6, 6), largest, dtype=dtype)
    linear = warp_image(image, grid_of((6, 5), offset=(0, 0.5)), order=1)
    assert (linear > largest - 4096).all()
    assert_array_equal(warp_image(image, grid_of((6, 6)), order=0), image)


def test_booleans_are_cut_at_one_half():
    image = np.zeros((5, 6), dtype=bool)
    image[:, 3:] = True
    assert_array_equal(warp_image(image, grid_of((5, 5), offset=(0, 0.4)))[0], image[0, :5])
    assert_array_equal(warp_image(image, grid_of((5, 5), offset=(0, 0.6)))[0], image[0, 1:])


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_missing_pixels_neither_spread_nor_vanish(pattern, order, missing):
    image = pattern.copy()
    image[20, 60] = missing
    image[40:44, 10:15] = missing
    result = warp_image(image, grid_of(pattern.shape, offset=(0.2, -0.2)), order=order)
    bad = np.isfinite(image) != np.isfinite(result)
    assert not bad[:, 1:].any()
    reference = warp_image(pattern, grid_of(pattern.shape, offset=(0.2, -0.2)), order=order)
    good = np.isfinite(result)
    assert_allclose(result[good], reference[good], atol=0.1)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_an_image_of_nothing_stays_nothing(order):
    image = np.full((10, 10), np.nan, dtype=np.float32)
    assert np.isnan(warp_image(image, grid_of((9, 9), offset=(0.3, 0.3)), order=order)).all()


def test_labels_are_never_invented():
    labels = np.zeros((30, 30), dtype=np.int64)
    labels[5:20, 4:18] = 2**53 + 1  # no float holds this
    turn = MatrixTransform.from_params(rotation_degrees=33, center=(15, 15))
    result = warp_labels(labels, turn.map(grid_of((30, 30))), fill=7)
    assert set(np.unique(result)) == {0, 7, 2**53 + 1}


@pytest.mark.parametrize(
    ("dtype", "fill", "expected"),
    [("u1", None, 0), ("u1", 9, 9), ("f4", np.nan, np.nan), ("f4", 0.1, np.float32(0.1))],
)
def test_fill_values(dtype, fill, expected):
    image = np.ones((4, 4), dtype=dtype)
    positions = np.full((1, 2, 2), np.nan)
    positions[0, 0] = 1
    assert_array_equal(warp_image(image, positions, fill=fill)[0], [1, expected])


@pytest.mark.parametrize(("dtype", "fill"), [("u1", 256), ("u1", -1), ("i4", np.nan), ("b", 0.5)])
def test_fill_values_that_do_not_fit(dtype, fill):
    with pytest.raises(InputError, match="fill value"):
        warp_image(np.ones((4, 4), dtype=dtype), np.zeros((2, 2, 2)), fill=fill)


@pytest.mark.parametrize(
    ("image", "positions", "order", "message"),
    [
        (np.ones(4), np.zeros((2, 2, 2)), 1, "rows, columns"),
        (np.ones((0, 4)), np.zeros((2, 2, 2)), 1, "at least one pixel"),
        (np.ones((4, 4)), np.zeros((2, 2)), 1, "H, W, 2"),
        (np.ones((4, 4)), np.zeros((2, 2, 2)), 2, "0, 1 or 3"),
        (np.array([["a", "b"]]), np.zeros((2, 2, 2)), 0, "dtype"),
    ],
)
def test_unusable_input(image, positions, order, message):
    with pytest.raises(InputError, match=message):
        warp_image(image, positions, order=order)


class LazyImage:
    """Like a zarr or dask array: has no data until a part of it is asked for."""

    def __init__(self, image):
        self.image, self.shape, self.dtype, self.ndim = image, image.shape, image.dtype, image.ndim
        self.largest = 0

    def __getitem__(self, key):
        part = self.image[key]
        self.largest = max(self.largest, part.size)
        return part


@pytest.mark.parametrize("order", [0, 1, 3])
def test_only_what_a_tile_looks_at_is_read(order):
    image = np.random.default_rng(0).random((300, 400)).astype(np.float32)
    lazy = LazyImage(image)
    positions = grid_of((300, 400), offset=(0.0, 0.0))
    assert_allclose(warp_image(lazy, positions, order=order, chunk=64), image, atol=1e-5)
    assert lazy.largest <= (64 + 32) ** 2


def test_inside_knows_half_open_frames():
    positions = np.array([[-0.5, 0], [-0.6, 0], [3.49, 2], [3.5, 2], [0, 4.5], [np.nan, 1]])
    assert inside(positions, (4, 5)).tolist() == [True, False, True, False, False, False]


def test_what_one_tile_raises_is_raised():
    def positions_of(rows, cols):
        if rows.start and cols.start:
            raise ZeroDivisionError
        return pixel_grid(rows, cols)

    with pytest.raises(ZeroDivisionError):
        resample_tiles(np.ones((4, 4)), (40, 40), positions_of, order=1, fill=0, chunk=16)
