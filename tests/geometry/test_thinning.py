"""Blocks with fewer pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.geometry.thinning import thin_block

BLOCK = np.array([[0, 2, 9], [4, 5, 9], [8, 8, 1]], np.uint8)


def test_averages_are_rounded_and_the_last_pixels_count_twice():
    np.testing.assert_array_equal(thin_block(BLOCK, 2), [[3, 9], [8, 1]])


def test_labels_are_picked():
    np.testing.assert_array_equal(thin_block(BLOCK, 2, nearest=True), [[0, 9], [8, 1]])
    np.testing.assert_array_equal(thin_block(BLOCK > 4, 2), [[False, True], [True, False]])


@pytest.mark.parametrize(("nodata", "expected"), [(9, [[3, 9], [8, 1]]), (0, [[4, 9], [8, 1]])])
def test_no_data_does_not_count(nodata, expected):
    np.testing.assert_array_equal(thin_block(BLOCK, 2, nodata=nodata), expected)


def test_holes_do_not_spread():
    holes = np.array([[np.nan, 1.0], [3.0, np.nan]], np.float32)
    np.testing.assert_array_equal(thin_block(holes, 2), [[2.0]])
    assert np.isnan(thin_block(np.full((4, 4), np.nan), 2)).all()


def test_a_ramp_stays_where_it_is():
    rows, cols = np.mgrid[:12, :18].astype(np.float64)
    small = thin_block(np.stack([rows, cols], axis=-1), 3)
    where = np.stack(np.mgrid[:4, :6], axis=-1)
    np.testing.assert_allclose(small, (where + 0.5) * 3 - 0.5)
