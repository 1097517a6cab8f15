import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import approximate_polygon

from napari_mmreg.imaging.outline import free_outline, simplify


def blob(seed):
    """An uneven area, off-centre."""
    noise = np.random.default_rng(seed).standard_normal((70, 90))
    rows, cols = np.mgrid[:70, :90]
    return np.hypot(rows - 30, cols - 50) < 22 + 150 * ndimage.gaussian_filter(noise, 6)


@pytest.mark.parametrize("tolerance", [0.4, 1.5, 6.0])
@pytest.mark.parametrize("seed", range(5))
def test_simplify_keeps_the_points_that_skimage_keeps(seed, tolerance):
    for piece in free_outline(blob(seed)):
        np.testing.assert_array_equal(
            simplify(piece, tolerance), approximate_polygon(piece, tolerance)
        )


def test_simplify_keeps_the_corners_of_closed_lines():
    corners = np.array([[3, 4], [3, 40], [21, 40], [21, 4], [3, 4]])
    between = (corners[:-1] + corners[1:]) // 2
    line = np.empty((9, 2), dtype=np.intp)
    line[::2], line[1::2] = corners, between
    np.testing.assert_array_equal(simplify(line, 0.5), corners)


def test_simplify_leaves_short_lines():
    line = np.array([[0.0, 0.0], [5.0, 1.0]])
    np.testing.assert_array_equal(simplify(line, 1.0), line)
