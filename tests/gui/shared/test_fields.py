"""Corrections, arrows, colours and grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.gui.shared import fields


def test_an_image_that_was_right_from_the_start_has_no_correction():
    start = MatrixTransform.from_params(rotation_degrees=8, scale=(2, 3), translation=(5, -4))
    displacement = start.displacement((30, 40))
    assert np.abs(displacement).max() > 20
    np.testing.assert_allclose(fields.correction(displacement, start), 0, atol=1e-4)


def test_a_correction_is_measured_in_fixed_pixels():
    start = MatrixTransform.from_params(scale=2.0)
    # The engine found the counterpart 3 fixed rows further down, which is 6 moving rows.
    found = MatrixTransform.translation((6, 0)).compose(start)
    field = fields.correction(found.displacement((30, 40)), start, stride=3)
    assert field.shape == (10, 14, 2)
    np.testing.assert_allclose(field, np.broadcast_to((3, 0), field.shape), atol=1e-4)


def test_arrows_start_on_the_grid_and_point_along_the_field(bent):
    field = bent.displacement((96, 128))
    vectors, lengths = fields.arrow_vectors(field, across=16)
    assert 12 * 14 <= len(vectors) <= 12 * 17
    rows, cols = vectors[:, 0].astype(int).T
    np.testing.assert_array_equal(vectors[:, 1], field[rows, cols])
    np.testing.assert_allclose(lengths, np.linalg.norm(vectors[:, 1], axis=1), rtol=1e-5)


def test_arrows_of_a_thinned_field_lie_in_fixed_pixels():
    field = np.ones((20, 30, 2), np.float32)
    vectors, _ = fields.arrow_vectors(field, across=10, stride=4)
    assert vectors[:, 0].max(axis=0) == pytest.approx((76, 112), abs=12)


def test_there_are_never_more_arrows_than_can_be_drawn():
    field = np.ones((500, 700, 2), np.float32)
    vectors, _ = fields.arrow_vectors(field, across=700)
    assert 0.9 * fields.MAX_ARROWS < len(vectors) <= fields.MAX_ARROWS


def test_arrows_leave_out_what_is_undefined():
    field = np.full((40, 40, 2), np.nan, np.float32)
    assert len(fields.arrow_vectors(field, 10)[0]) == 0
    field[:20] = 1
    vectors, _ = fields.arrow_vectors(field, 10)
    assert len(vectors)
    assert vectors[:, 0, 0].max() < 20


def test_hue_says_direction_and_saturation_length():
    field = np.zeros((1, 4, 2), np.float32)
    field[0, 1] = (0, 5)  # right
    field[0, 2] = (0, -5)  # left
    field[0, 3] = np.nan
    still, right, left, unknown = fields.flow_colour(field, full=5)[0].tolist()
    assert still == [255, 255, 255]
    assert right == [255, 0, 0]
    assert left == [0, 255, 255]
    assert unknown == [0, 0, 0]


def test_the_grid_is_straight_where_nothing_moves_and_bends_with_the_field(bent):
    still = fields.grid_lines(np.zeros((96, 128, 2), np.float32), lines=8)
    assert ((still[:, 1] == 0).sum(axis=1) == 1).all()  # along rows or along columns
    field = bent.displacement((96, 128))
    lines = fields.grid_lines(field, lines=8)
    assert lines.shape == still.shape
    origin = still[:, 0].astype(int)
    np.testing.assert_allclose(lines[:, 0], origin + field[tuple(origin.T)], atol=1e-4)


@given(st.integers(16, 400), st.integers(16, 400), st.integers(1, 100))
def test_any_size_of_field_can_be_drawn(rows, cols, across):
    field = np.zeros((rows, cols, 2), np.float32)
    vectors, _ = fields.arrow_vectors(field, across)
    lines = fields.grid_lines(field)
    for drawn in (vectors, lines):
        assert len(drawn)
        assert (drawn[:, 0] >= 0).all()
        assert (drawn[:, 0] + drawn[:, 1] < (rows, cols)).all()


def test_large_fields_are_thinned():
    assert fields.field_stride((1000, 1400)) == 1
    rows, cols = 9000, 7000
    stride = fields.field_stride((rows, cols))
    assert rows * cols / stride**2 <= fields.MAX_FIELD_PIXELS
