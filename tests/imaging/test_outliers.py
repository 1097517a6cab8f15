"""Lone hot pixels do not set the contrast; everything else does as before."""

import numpy as np
import pytest
import skimage.data
from numpy.testing import assert_allclose

from napari_mmreg.imaging.grey import find_range
from napari_mmreg.imaging.outliers import without_outliers
from napari_mmreg.imaging.prepare import prepare_pair


def hot(image, share, value=65535):
    spoilt = image.astype(np.uint16)
    spoilt[np.random.default_rng(0).random(image.shape) < share] = value
    return spoilt


@pytest.mark.parametrize(
    "name", ["camera", "coins", "moon", "hubble_deep_field", "retina", "text", "brick"]
)
def test_pictures_have_no_outliers(name):
    image = getattr(skimage.data, name)()
    assert without_outliers(image, None, find_range(image)) == (0.0, 1.0)


def test_speckle_and_sparse_one_bit_images_have_none():
    rng = np.random.default_rng(0)
    speckle = rng.gamma(1, 20, (256, 256)).clip(0, 255).astype(np.uint8)
    assert without_outliers(speckle, None, find_range(speckle)) == (0.0, 1.0)
    bits = (rng.random((100, 100)) < 0.01) * np.uint8(255)
    assert without_outliers(bits, None, (0, 255)) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.01, 0.02])
def test_hot_pixels_are_left_out(share):
    image = skimage.data.camera()[::2, ::2]
    low, high = without_outliers(hot(image, share), None, (0, 65535))
    assert low == 0
    assert_allclose(high * 65535, 255, atol=1)


def test_few_hot_pixels_matter_where_many_are_averaged():
    spoilt = hot(skimage.data.camera(), 0.001)
    assert without_outliers(spoilt, None, (0, 65535)) == (0.0, 1.0)
    assert without_outliers(spoilt, None, (0, 65535), area=16)[1] < 0.01


def test_grey_values_are_those_of_the_clean_image():
    image = skimage.data.camera()[::2, ::2]
    clean = prepare_pair(image, image)
    spoilt = prepare_pair(hot(image, 0.01), hot(image, 0.01, 60000))
    assert np.median(np.abs(spoilt.fixed - clean.fixed)) < 0.05
    assert np.median(np.abs(spoilt.moving - clean.moving)) < 0.05
