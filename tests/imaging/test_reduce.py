import numpy as np
import pytest

from napari_mmreg.imaging import reduce
from napari_mmreg.imaging.reduce import area_weights, reduce_area


def test_integer_factor_is_the_block_mean():
    image = np.random.default_rng(0).integers(0, 1000, (40, 60)).astype(np.uint16)
    reduced = reduce_area(image, None, (4.0, 3.0))
    mean = image.reshape(10, 4, 20, 3).mean(axis=(1, 3))
    low, high = image.min(), image.max()
    np.testing.assert_allclose(reduced.grey, (mean - low) / (high - low), atol=1e-6)
    assert reduced.mask.all()


@pytest.mark.parametrize("factor", [1.0, 1.3, 2.5, 7.77])
def test_any_factor_keeps_a_ramp_in_place(factor):
    weights = area_weights(100, factor)
    count = weights.shape[0]
    assert count == np.ceil(100 / factor - 0.5)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    # Pixel i of the output has its centre at (i + 0.5) * factor - 0.5; the ramp x -> x of
    # piecewise constant pixels is off by less than half a pixel.
    centres = (np.arange(count - 1) + 0.5) * factor - 0.5
    np.testing.assert_allclose((weights @ np.arange(100))[:-1], centres, atol=0.5 / factor)


def test_masked_pixels_do_not_leak_into_means():
    image = np.full((32, 32), 10.0)
    image[:, 16:] = 20.0
    mask = np.ones((32, 32), bool)
    image[5, 5], mask[5, 5] = 1000.0, False
    image[8:12, 8:12] = np.nan
    reduced = reduce_area(image, mask, (4.0, 4.0))
    assert not reduced.mask[2, 2]
    assert reduced.mask.sum() == 63
    np.testing.assert_allclose(reduced.grey[1, 1], reduced.grey[0, 0])


def test_blocks_of_any_height_agree(monkeypatch):
    image = np.random.default_rng(1).uniform(size=(61, 47, 4)).astype(np.float32)
    image[..., 3] = image[..., 3] > 0.3
    image[:9, :, :3] = 0
    whole = reduce_area(image, None, (2.7, 1.9))
    monkeypatch.setattr(reduce, "BLOCK_PIXELS", 100)
    monkeypatch.setattr("napari_mmreg.imaging.grey.BLOCK_PIXELS", 100)
    parts = reduce_area(image, None, (2.7, 1.9))
    np.testing.assert_allclose(whole.grey, parts.grey, atol=1e-6)
    for name in ("mask", "zero", "partly_zero"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


@pytest.mark.parametrize("offset", [0.0, -0.5, 0.25])
def test_black_is_exactly_zero_in_every_channel(offset):
    image = np.random.default_rng(1).uniform(0.01, 1, size=(61, 47, 3)) + offset
    image[:9] = 0
    image[30, 20, 0] = 0
    reduced = reduce_area(image, None, (2.7, 1.9))
    assert reduced.zero[:3].all()
    assert not reduced.zero[3:].any()
    assert reduced.partly_zero[:4].all()
    assert not reduced.partly_zero[4:].any()
    assert not reduce_area(image + 1, None, (2.7, 1.9)).partly_zero.any()


def test_stops_between_blocks():
    calls = []

    def check():
        calls.append(1)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        reduce_area(np.zeros((32, 32)), None, (2.0, 2.0), check=check)
    assert calls == [1]
