import numpy as np
import pytest
from scipy.spatial import ConvexHull
from skimage import data
from skimage.draw import disk, polygon2mask

from napari_mmreg.imaging.field_of_view import _filled, without_border

PICTURE = (data.camera()[::2, ::2] / 255).astype(np.float32)
ALL = np.ones(PICTURE.shape, bool)
FRAME = polygon2mask(PICTURE.shape, np.array([[30, 5], [8, 200], [230, 245], [250, 40]]))


def noisy(image):
    """Compression noise in what should be black."""
    return image + np.random.default_rng(0).uniform(0, 0.008, image.shape).astype(np.float32)


def test_noisy_black_around_a_turned_frame_is_found():
    found = without_border(noisy(np.where(FRAME, PICTURE + 0.05, 0)), ALL)
    assert (found ^ FRAME).mean() < 0.02


def test_a_plain_picture_and_a_known_mask_stay():
    assert without_border(PICTURE, ALL) is ALL
    known = ALL.copy()
    known[:20] = False
    assert without_border(np.where(FRAME, PICTURE, 0), known) is known


def test_a_round_object_on_black_is_not_a_frame():
    image = np.zeros_like(PICTURE)
    rows, cols = disk((128, 128), 105)
    image[rows, cols] = PICTURE[rows, cols] + 0.05
    assert without_border(noisy(image), ALL) is ALL


@pytest.mark.parametrize("seed", range(20))
def test_the_area_of_a_hull_is_exact(seed):
    points = np.random.default_rng(seed).integers(0, (40, 60), (3 + seed, 2))
    corners = points[ConvexHull(points).vertices]
    np.testing.assert_array_equal(_filled(corners, (40, 60)), polygon2mask((40, 60), corners))
