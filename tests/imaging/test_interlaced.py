"""Bidirectional scans: split and interlaced again."""

import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.geometry.scanlines import same_place
from napari_mmreg.imaging.interlaced import merge_scan, split_scan


@pytest.mark.parametrize("shape", [(8, 5), (9, 5), (7, 4, 3), (2, 3)], ids=str)
def test_directions_hold_every_second_row(shape):
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    forward, backward = split_scan(image)
    np.testing.assert_array_equal(forward, image[0::2])
    np.testing.assert_array_equal(backward, image[1::2])
    forward[:] = 0
    assert image[0].any()


@pytest.mark.parametrize("shape", [(1, 5), (5,), (4, 5, 6, 7)], ids=str)
def test_what_cannot_be_split_says_so(shape):
    with pytest.raises(InputError, match="at least two rows"):
        split_scan(np.zeros(shape))


@pytest.mark.parametrize("shape", [(40, 30), (41, 30), (20, 16, 3)], ids=str)
def test_directions_that_fit_give_the_image_back(shape):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    merged = merge_scan(*split_scan(image), same_place())
    np.testing.assert_array_equal(merged, image)
    assert merged.dtype == image.dtype


def test_backward_lines_are_fetched_from_where_they_were_found():
    rows, cols = np.indices((40, 60), dtype=np.float32)
    image = np.sin(cols / 5) + rows / 20
    seen = image.copy()
    seen[1::2, 6:] = image[1::2, :-6]  # backward lines lag by six columns
    lag = MatrixTransform.translation((-0.5, 6))
    merged = merge_scan(*split_scan(seen), lag)
    np.testing.assert_allclose(merged[:, :-6], image[:, :-6], atol=1e-5)
    # Where the backward line has no data, its forward neighbours stand in.
    beyond = (image[0:-2:2, -5:] + image[2::2, -5:]) / 2
    np.testing.assert_allclose(merged[1:-1:2, -5:], beyond, atol=1e-5)
