"""Images in bands of rows."""

import numpy as np
import pytest
from scipy import ndimage

from napari_mmreg.nn import bands as module
from napari_mmreg.nn.bands import bands


@pytest.mark.parametrize("rows", [1, 7, 24, 25, 60])
@pytest.mark.parametrize("reach", [0, 2, 9])
def test_a_local_filter_in_bands_is_that_of_the_whole(rows, reach, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 8)
    image = np.random.default_rng(0).random((rows, 5))
    done = np.full_like(image, np.nan)
    for core, around, inner in bands(rows, reach):
        assert core.stop - core.start <= 8
        done[core] = ndimage.uniform_filter1d(image[around], 2 * reach + 1, axis=0)[inner]
    whole = ndimage.uniform_filter1d(image, 2 * reach + 1, axis=0)
    np.testing.assert_allclose(done, whole, atol=1e-12)
