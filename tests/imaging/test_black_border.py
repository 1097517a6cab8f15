import numpy as np
import pytest
from scipy import ndimage
from skimage import data, draw

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import black_border

CAMERA = np.maximum(data.camera()[::2, ::2], 1)


def warped(degrees, scale=1.0, shift=(0.0, 0.0)):
    transform = MatrixTransform.from_params(
        rotation_degrees=degrees, scale=scale, translation=shift, center=(127.5, 127.5)
    )
    return transform.resample(CAMERA, CAMERA.shape), transform.valid(CAMERA.shape, CAMERA.shape)


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"),
    [(12, 1.0, (0, 0)), (0, 1.0, (20, -13)), (-30, 1.2, (5, 9)), (45, 1.0, (0, 0))],
)
def test_corners_of_a_warped_frame_are_found(degrees, scale, shift):
    image, valid = warped(degrees, scale, shift)
    border = black_border(image == 0)
    assert border[~valid].all()
    # No more than a thin rim of the picture goes with it.
    assert not (border & ndimage.binary_erosion(valid, iterations=3, border_value=1)).any()


def test_a_picture_without_border_is_left_alone():
    assert not black_border(CAMERA == 0).any()
    image = CAMERA.copy()
    image[40:80, 100:130] = 0  # a black thing inside
    assert not black_border(image == 0).any()


def test_a_generally_dark_picture_is_left_alone():
    rng = np.random.default_rng(0)
    image, _ = warped(12)
    assert black_border(image == 0).any()
    image[rng.uniform(size=image.shape) < 0.2] = 0
    assert not black_border(image == 0).any()


def test_specks_of_compression_do_not_hide_the_border():
    image, valid = warped(12)
    rng = np.random.default_rng(0)
    image[~valid & (rng.uniform(size=image.shape) < 0.05)] = 1
    border = black_border(image == 0)
    assert (border | valid).mean() > 0.999
    assert not (border & ndimage.binary_erosion(valid, iterations=5, border_value=1)).any()


def test_a_round_object_on_black_is_left_alone():
    image = np.zeros((256, 256), np.uint8)
    image[draw.ellipse(128, 128, 125, 110)] = 100
    assert 0.05 < (image == 0).mean() < 0.6
    assert not black_border(image == 0).any()


def test_a_small_object_on_black_is_left_alone():
    image = np.zeros((256, 256), np.uint8)
    image[100:200, 60:160] = CAMERA[100:200, 60:160]
    assert not black_border(image == 0).any()


def test_partly_black_rim_joins_the_border():
    zero = np.zeros((64, 64), bool)
    zero[:, :8] = True
    partly = np.zeros_like(zero)
    partly[:, :10] = True
    partly[30, 40] = True
    border = black_border(zero, partly)
    assert border[:, :10].all()
    assert not border[:, 10:].any()


def test_all_black_and_thin_remains_do_not_crash():
    zero = np.ones((64, 64), bool)
    assert not black_border(zero).any()
    zero[:, 30] = False
    assert not black_border(zero).any()
