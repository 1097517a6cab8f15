"""Where the lines of the two directions lie."""

import numpy as np

from napari_mmreg.geometry.scanlines import direction_grid, same_place


def test_rows_of_a_direction_are_every_second_row_of_the_image():
    points = np.array([[0.0, 0.0], [3.0, 5.0]])
    np.testing.assert_allclose(direction_grid(0).map(points), [[0, 0], [6, 5]])
    np.testing.assert_allclose(direction_grid(1).map(points), [[1, 0], [7, 5]])


def test_the_same_place_is_half_a_row_up_in_the_backward_direction():
    np.testing.assert_allclose(same_place().map([[4.0, 7.0]]), [[3.5, 7.0]])
