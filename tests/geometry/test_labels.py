"""What is interpolated, and what is not."""

import numpy as np
import pytest
import skimage.data
from numpy.testing import assert_array_equal
from scipy import ndimage
from skimage import measure, morphology

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform, looks_like_labels

TURN = MatrixTransform.from_params(rotation_degrees=6, translation=(9, -7))


def cells(dtype):
    seeds = np.random.default_rng(0).random((240, 300)) < 0.004
    grown = morphology.dilation(seeds, morphology.disk(5))
    return measure.label(grown).astype(dtype)


def labels():
    blocks = np.random.default_rng(1).integers(0, 60, (12, 12)) * 37
    points = np.zeros((200, 200), np.int32)
    points[np.random.default_rng(2).integers(0, 200, (2, 30))] = 5
    points[20, 30], points[70, 90] = 17, 400
    classes = (ndimage.gaussian_filter(np.random.default_rng(3).random((200, 200)), 9) * 60) % 5
    return {
        "blocks": np.kron(blocks, np.ones((20, 20))).astype(np.int32),
        "cells, 8 bits": (cells(np.int32) % 256).astype(np.uint8),
        "cells, 16 bits": cells(np.uint16),
        "points": points,
        "classes": classes.astype(np.uint8),
        "mask": (cells(np.int32) > 0).astype(np.uint8) * 255,
        "bool": cells(np.int32) > 0,
        "big-endian": cells(np.dtype(">u2")),
    }


def pictures():
    camera = skimage.data.camera()
    ramp = np.add.outer(np.arange(512), np.arange(512)) // 8
    return {
        "camera": camera,
        "coins": skimage.data.coins(),
        "cell": skimage.data.cell(),
        "moon": skimage.data.moon(),
        "blurred": ndimage.gaussian_filter(camera, 8),
        "16 bits": camera.astype(np.uint16) * 257,
        "32 bits": camera.astype(np.int32) * 100,
        "ramp": ramp.astype(np.uint8),
        "colours": skimage.data.astronaut(),
        "float": cells(np.float32),
        "dark": np.where(camera > 128, camera, 0),
    }


@pytest.mark.parametrize("name", labels())
def test_labels(name):
    image = labels()[name]
    assert looks_like_labels(image)
    resampled = TURN.resample(image, image.shape)
    assert set(np.unique(resampled).tolist()) <= {0, *np.unique(image).tolist()}


@pytest.mark.parametrize("name", pictures())
def test_pictures(name):
    image = pictures()[name]
    assert not looks_like_labels(image)
    assert_array_equal(TURN.resample(image, (50, 60)), TURN.resample(image, (50, 60), order=1))


def test_the_order_can_be_chosen():
    blocks = labels()["blocks"]
    assert len(np.unique(TURN.resample(blocks, (200, 200), order=1))) > 200


def test_no_data_is_never_interpolated():
    image = np.random.default_rng(4).integers(100, 1000, (80, 90)).astype(np.int16)
    image[20:40, 30:] = -9999
    for order in (0, 1, 3):
        found = TURN.resample(image, (100, 100), order, nodata=-9999)
        known = found != -9999
        assert found[known].min() > -600  # a spline overshoots, but not into -9999
        assert known.sum() > 3000
        assert found[99, 0] == -9999 or TURN.valid((100, 100), image.shape)[99, 0]


def test_interpolation_does_not_make_no_data():
    image = np.array([[10, 0, 20], [0, 30, 0], [40, 0, 50]] * 6, np.uint8)
    image = np.tile(image, (1, 6))
    found = TURN.resample(np.where(image, image, 60), (30, 30), 3, nodata=255)
    inside = TURN.valid((30, 30), image.shape)
    assert (found[inside] != 255).all()
    assert (found[~inside] == 255).all()


def test_channels_first_are_refused_or_said():
    stack = np.random.default_rng(5).random((3, 50, 60))
    with pytest.raises(InputError, match=r"first axis seems to hold 3 channels.*channel_axis=0"):
        TURN.resample(stack, (40, 45))
    found = TURN.resample(stack, (40, 45), channel_axis=0)
    assert found.shape == (3, 40, 45)
    for warped, channel in zip(found, stack, strict=True):
        assert_array_equal(warped, TURN.resample(channel, (40, 45)))
    assert TURN.resample(np.moveaxis(stack, 0, -1), (40, 45)).shape == (40, 45, 3)
    assert TURN.resample(np.ones((40, 50, 5)), (40, 45)).shape == (40, 45, 5)
