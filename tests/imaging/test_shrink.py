"""Small copies of images that need not fit into memory."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry.thinning import thin_block
from napari_mmreg.imaging import shrink as module
from napari_mmreg.imaging.shrink import is_multiscale, levels_of, shrink


@pytest.fixture
def budget(monkeypatch):
    monkeypatch.setattr(module, "SHRUNK", 100 * 100)
    monkeypatch.setattr(module, "ENOUGH", 50 * 50)
    monkeypatch.setattr(module, "BAND_PIXELS", 3000)


def ramp(shape):
    return np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1).astype(np.float32)


def test_what_is_small_is_kept():
    image = ramp((40, 60))[..., 0]
    small = shrink([image])
    np.testing.assert_array_equal(small.image, image)
    assert small.full_from_small.is_identity


@pytest.mark.parametrize("shape", [(400, 300), (401, 299), (997, 350)])
def test_bands_are_averages_at_the_same_place(budget, shape):
    image = ramp(shape)
    small = shrink([da.from_array(image, chunks=(64, 64, 2))])
    factor = int(small.scale[0])
    assert small.image.shape[0] * small.image.shape[1] <= 1.05 * 100 * 100
    np.testing.assert_allclose(small.image, thin_block(image, factor), rtol=1e-5)
    places = np.stack(np.mgrid[2:9, 3:8], axis=-1)
    np.testing.assert_allclose(small.image[2:9, 3:8], small.full_from_small.map(places), rtol=1e-4)


def test_the_coarsest_level_that_suffices_is_read(budget):
    class Unread:
        shape, dtype, ndim = (1600, 1600), np.dtype(np.float32), 2

        def __getitem__(self, key):
            raise AssertionError("this level must not be read")

    coarse = np.stack(np.mgrid[:50, :50])[0].astype(np.float32)
    small = shrink([Unread(), Unread(), coarse, coarse[::5, ::5]])
    assert small.image.shape == (50, 50)
    assert small.scale == (32, 32)
    np.testing.assert_allclose(small.full_from_small.map((0, 0)), (15.5, 15.5))


def test_no_data_and_labels(budget):
    image = np.full((400, 400), 7, np.uint16)
    image[:, 200:] = 1000
    image[::2] = 9999
    np.testing.assert_array_equal(np.unique(shrink([image], nodata=9999).image), [7, 1000])
    np.testing.assert_array_equal(np.unique(shrink([image], nearest=True).image), [9999])


def test_it_tells_and_stops(budget):
    seen = []
    shrink([ramp((400, 300))], step=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 5

    def stop(_fraction):
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        shrink([ramp((400, 300))], step=stop)


def test_what_levels_are():
    full = np.zeros((40, 60))
    assert is_multiscale([full, full[::2, ::2]])
    assert not is_multiscale(full)
    assert not is_multiscale([[1, 2], [3, 4]])
    assert not is_multiscale("levels")
    assert not is_multiscale([])
    with pytest.raises(InputError, match="from fine to coarse"):
        levels_of([full[::2, ::2], full], "fixed")
    with pytest.raises(InputError, match="one slice"):
        levels_of([np.zeros((5, 40, 60))])
