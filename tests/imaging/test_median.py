"""The fast 3 x 3 median equals scipy's."""

import numpy as np
import pytest
from scipy import ndimage

from napari_mmreg.imaging.median import median_of_nine


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (40, 33)], ids=str)
@pytest.mark.parametrize("levels", [3, 1000])
def test_equal_to_scipys(shape, levels):
    """With ties, as flat areas have them, and without."""
    image = np.random.default_rng(0).integers(levels, size=shape).astype(np.float32)
    expected = ndimage.median_filter(image, 3, mode="nearest")
    np.testing.assert_array_equal(median_of_nine(image), expected)
