"""What is left of a field beyond the affine map that fits it best."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.geometry.affine_fit import beyond_affine
from napari_mmreg.gui.shared import fields


def affine(shape):
    rows, cols = np.indices(shape, dtype=np.float64)
    return np.stack([5 + 0.02 * rows - 0.03 * cols, -70 + 0.4 * cols], -1).astype(np.float32)


@pytest.mark.parametrize("shape", [(60, 90), (1200, 900)])
def test_of_an_affine_field_nothing_is_left(shape):
    np.testing.assert_allclose(beyond_affine(affine(shape)), 0, atol=1e-3)


def test_a_bend_is_left_and_unknown_places_stay_unknown():
    bend = np.zeros((60, 90, 2), np.float32)
    rows, cols = np.indices((60, 90))
    bend[..., 0] = 2 * np.sin(rows / 60 * 4 * np.pi) * np.sin(cols / 90 * 4 * np.pi)
    field = affine((60, 90)) + bend
    field[:10] = np.nan
    left = beyond_affine(field)
    assert np.isnan(left[:10]).all()
    np.testing.assert_allclose(left[10:], bend[10:], atol=0.25)


def test_a_field_of_nothing_is_left_alone():
    assert np.isnan(beyond_affine(np.full((4, 5, 2), np.nan, np.float32))).all()


def test_a_thinned_field_is_masked_by_every_nth_pixel():
    valid = np.zeros((9, 9), np.bool_)
    valid[:, 3:] = True
    known = fields.only_where(np.ones((3, 3, 2), np.float32), valid, 3)
    np.testing.assert_array_equal(np.isfinite(known[..., 0]), [[False, True, True]] * 3)


def test_colours_are_seen_through_where_nothing_is_known():
    field = np.ones((4, 5, 2), np.float32)
    field[0] = np.nan
    colour = fields.flow_colour_where_known(field, 1.0)
    assert colour.shape == (4, 5, 4)
    assert not colour[0, :, 3].any()
    assert (colour[1:, :, 3] == 255).all()
