import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.imaging import check_image, check_mask, check_spacing


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros(40), "2-D slice"),
        (np.zeros((2, 20, 20, 3)), "2-D slice"),
        (np.zeros((30, 20, 20)), "one 2-D slice"),
        (np.zeros((3, 20, 20)), "moveaxis"),
        (np.zeros((20, 20, 2)), "channels"),
        (np.zeros((0, 20)), "empty"),
        (np.zeros((15, 200)), "at least 16"),
        (np.zeros((20, 20), complex), "np.abs"),
        (np.zeros((20, 20), object), "numbers"),
        (np.full((20, 20), "a"), "numbers"),
        (np.zeros((20, 20), "datetime64[s]"), "numbers"),
        (np.ma.masked_equal(np.zeros((20, 20)), 1), "masked array"),
    ],
)
def test_bad_images_are_refused_with_advice(image, says):
    with pytest.raises(InputError, match=says) as caught:
        check_image(image, "moving")
    assert "moving image" in str(caught.value)


@pytest.mark.parametrize("shape", [(16, 16), (20, 30, 3), (20, 30, 4)])
def test_good_images_are_not_copied(shape):
    image = np.zeros(shape, "uint16")
    assert np.shares_memory(check_image(image), image)
    assert check_image(image).shape == shape


def test_one_channel_is_grey():
    assert check_image(np.zeros((20, 30, 1))).shape == (20, 30)


def test_masks():
    assert check_mask(None, (20, 30)) is None
    assert check_mask(np.ones((20, 30), int), (20, 30, 3)).shape == (20, 30)
    with pytest.raises(InputError, match="shape"):
        check_mask(np.ones((30, 20), bool), (20, 30), "fixed")
    with pytest.raises(InputError, match=r"> 0\.5"):
        check_mask(np.ones((20, 30)), (20, 30), "fixed")
    with pytest.raises(InputError, match="fixed mask is empty"):
        check_mask(np.zeros((20, 30), bool), (20, 30), "fixed")


def test_spacing():
    assert check_spacing(0.5) == (0.5, 0.5)
    assert check_spacing([2, 1]) == (2.0, 1.0)
    for bad in (0, -1.0, (1.0, np.nan), (1.0, np.inf), (1, 2, 3), "wide", None):
        with pytest.raises(InputError, match="positive numbers"):
            check_spacing(bad)
