"""Images through a transform, tile by tile, as they are looked at."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_mmreg import apply
from napari_mmreg.errors import InputError
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    MatrixTransform,
    is_lazy,
    resample_lazily,
    resample_pyramid,
)
from napari_mmreg.geometry import lazy as module

SHAPE, GRID = (400, 500), (520, 700)


def bent():
    rng = np.random.default_rng(3)
    return DisplacementTransform.coarse(rng.normal(size=(6, 7, 2)) * 9, GRID)


def turned():
    return MatrixTransform.from_params(
        rotation_degrees=11, scale=0.7, translation=(-40, 30), center=(200, 250)
    )


TRANSFORMS = {
    "matrix": turned(),
    "field": bent(),
    "composite": CompositeTransform([bent(), turned()]),
}


def picture(dtype=np.uint8, channels=()):
    rng = np.random.default_rng(0)
    return (rng.random((*SHAPE, *channels)) * 250).astype(dtype)


class Counting:
    """An array that tells what was read of it."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim
        self.chunks = (256, 256)
        self.pixels = 0

    def __getitem__(self, key):
        part = self.array[key]
        self.pixels += part.size
        return part


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(
    ("dtype", "channels"), [(np.uint8, (3,)), (np.float32, ()), (np.uint16, ())]
)
@pytest.mark.parametrize("order", [0, 1, 3])
def test_chunks_are_what_resampling_all_gives(name, dtype, channels, order):
    image = picture(dtype, channels)
    transform = TRANSFORMS[name]
    whole = transform.resample(image, GRID, order, 7)
    lazy = resample_lazily(
        image, transform, GRID, channels_last=bool(channels), order=order, fill=7
    ).to_dask()
    assert (lazy.shape, lazy.dtype) == (whole.shape, whole.dtype)
    np.testing.assert_array_equal(lazy.compute(), whole)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_window_across_seams_is_equal_but_for_rounding(name):
    image = picture(np.float32)
    transform = TRANSFORMS[name]
    whole = transform.resample(image, GRID, 1, np.nan)
    rows, cols = slice(477, 519), slice(333, 690)
    part = resample_lazily(image, transform, GRID, order=1, fill=np.nan).read(rows, cols)
    np.testing.assert_allclose(part, whole[rows, cols], rtol=1e-5)


def test_missing_pixels_do_not_spread_across_seams():
    image = picture(np.uint16)
    image[150:220, 60:400] = 999
    lazy = resample_lazily(image, turned(), GRID, order=1, fill=999, nodata=999)
    np.testing.assert_array_equal(
        lazy.to_dask().compute(), turned().resample(image, GRID, 1, nodata=999)
    )


def test_a_view_reads_only_what_it_shows():
    image = Counting(np.random.default_rng(0).integers(0, 99, (4000, 4000), dtype=np.uint16))
    lazy = resample_lazily(image, MatrixTransform.translation((3.5, 7)), (4000, 4000), order=1)
    view = lazy.to_dask()[1000:1100, 1000:1100].compute()
    assert view.shape == (100, 100)
    assert 100 * 100 <= image.pixels <= (2 * 520) ** 2


def test_dask_sources_and_stacks():
    stack = np.stack([picture(np.int16), picture(np.int16) + 5])
    chunked = da.from_array(stack, chunks=(1, 256, 256))
    assert is_lazy(chunked)
    assert not is_lazy(stack)
    lazily = apply(chunked, turned(), shape=GRID, order=1, lazily=True)
    assert lazily.numblocks[0] == 2
    np.testing.assert_array_equal(lazily.compute(), apply(stack, turned(), shape=GRID, order=1))


def test_the_other_way_round():
    image = picture()
    there = apply(image, turned(), to="moving", shape=GRID, lazily=True)
    np.testing.assert_array_equal(there.compute(), apply(image, turned(), to="moving", shape=GRID))


def test_labels_are_recognised_by_a_few_parts():
    labels = np.kron(np.arange(35).reshape(5, 7), np.ones((400, 400))).astype(np.uint16)
    source = Counting(labels)
    lazy = resample_lazily(source, turned(), GRID)
    assert lazy.order == 0
    assert source.pixels <= 64 * 256 * 256
    assert resample_lazily(picture(), turned(), GRID).order == 1


def smooth(shape):
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    return (2000 * (2 + np.sin(rows / 90) + np.cos(cols / 70))).astype(np.uint16)


def reduced(image, factor):
    rows, cols = (size // factor for size in image.shape)
    blocks = image[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor)
    return blocks.mean((1, 3)).astype(image.dtype)


def test_levels_show_the_same_place():
    image = smooth((2048, 1536))
    levels = [image, reduced(image, 2), reduced(image, 4), reduced(image, 8)]
    lazily = apply(levels, TRANSFORMS["matrix"], shape=(1024, 1600), order=1, fill=0, lazily=True)
    # The transform steps over 0.7 pixels: no level but the finest is as fine.
    assert [level.shape for level in lazily] == [(1024, 1600), (512, 800), (256, 400), (128, 200)]
    full = lazily[0].compute().astype(float)
    for factor, level in zip((2, 4, 8), lazily[1:], strict=True):
        expected = reduced(full, factor)
        seen = reduced((full > 0).astype(float), factor) == 1
        difference = np.abs(expected - level.compute())[seen]
        assert seen.mean() > 0.5
        assert np.percentile(difference, 99) < 40  # of values up to 8,000


def test_a_finer_source_is_read_at_the_level_that_is_as_fine():
    image = smooth((2048, 2048))
    levels = [image, reduced(image, 2), reduced(image, 4)]
    quarter = MatrixTransform(np.diag([4.0, 4.0, 1.0]))
    finest = resample_lazily(levels[0], quarter, (512, 512), order=1)
    pyramid = resample_pyramid(levels, finest)
    assert len(pyramid) == 1
    assert pyramid[0].source is levels[2]
    difference = pyramid[0].read(slice(0, 512), slice(0, 512)) - image[::4, ::4].astype(float)
    assert np.abs(difference).max() < 120


def test_what_looks_at_all_of_a_source_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr(module, "CROP", 300 * 300)
    image = Counting(smooth((2000, 2000)))
    far = MatrixTransform(np.diag([10.0, 10.0, 1.0]))
    seen = []
    plain = Counting.__getitem__

    def noted(self, key):
        part = plain(self, key)
        seen.append(part.size)
        return part

    monkeypatch.setattr(Counting, "__getitem__", noted)
    part = resample_lazily(image, far, (200, 200), order=1).read(slice(0, 200), slice(0, 200))
    assert max(seen) <= 330 * 330
    np.testing.assert_array_equal(part, far.resample(image.array, (200, 200), 1))


def test_what_is_no_image():
    with pytest.raises(InputError, match="shape"):
        resample_lazily(np.zeros(5), turned(), GRID)
