import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.imaging import fill_invalid, normalise

RAMP = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
ALL = np.ones((20, 20), bool)


def test_outliers_do_not_set_the_contrast():
    image = RAMP.copy()
    image[3, 3] = 1e6
    scaled = normalise(image, ALL)
    assert scaled.dtype == np.float32
    assert scaled.min() == 0
    assert scaled[3, 3] == 1
    assert 0.45 < np.median(scaled) < 0.55


def test_only_the_mask_counts():
    image = RAMP.copy()
    image[:10] = 500
    mask = ALL.copy()
    mask[:10] = False
    scaled = normalise(image, mask)
    assert scaled[10:].max() == 1
    assert scaled[10:].min() == 0


def test_few_bright_spots_survive():
    image = np.zeros((20, 20), np.float32)
    image[4, 5] = 7
    assert normalise(image, ALL)[4, 5] == 1


def test_nothing_to_align_on():
    with pytest.raises(InputError, match="nothing to align on"):
        normalise(np.full((20, 20), 3, np.float32), ALL, "fixed")
    with pytest.raises(InputError, match="No pixel of the moving image is valid"):
        normalise(RAMP, ~ALL, "moving")


def test_filling_takes_the_nearest_valid_value():
    image = np.zeros((20, 20), np.float32)
    image[:, 5], image[:, 15] = 1, 2
    mask = np.zeros((20, 20), bool)
    mask[:, [5, 15]] = True
    filled = fill_invalid(image, mask)
    assert (filled[:, :10] == 1).all()
    assert (filled[:, 11:] == 2).all()
    assert fill_invalid(image, ALL) is image
