"""Where georeferenced images lie on each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.io import Georeference
from napari_mmreg.io.geo import start_on_earth, world_from_pixels

PATHS = (Path("fixed.tif"), Path("moving.tif"))


def place(col, row, step, keys=(1, 1, 0, 1, 3072, 0, 1, 32633)):
    return Georeference(
        (
            (33550, 12, 3, (step, step, 0.0)),
            (33922, 12, 6, (0.0, 0.0, 0.0, col, row, 0.0)),
            (34735, 3, len(keys), keys),
        )
    )


def test_pixels_of_different_sizes_in_one_system():
    start = start_on_earth(PATHS, (place(1000, 5000, 10), place(1200, 4900, 2.5)), (100, 100))
    # The corner of the moving image is 10 rows and 20 columns into the fixed one.
    np.testing.assert_allclose(start.map((9.5, 19.5)), (-0.5, -0.5))
    np.testing.assert_allclose(start.map((10.5, 20.5)), (3.5, 3.5))


def test_positions_of_centres_and_a_whole_matrix():
    point = (1, 1, 0, 2, 1025, 0, 1, 2, 3072, 0, 1, 32633)
    centre = world_from_pixels(place(1000, 5000, 10, point))
    np.testing.assert_allclose(centre @ (0, 0, 1), (1000, 5000, 1))
    corner = world_from_pixels(place(1000, 5000, 10))
    np.testing.assert_allclose(corner @ (0, 0, 1), (1005, 4995, 1))
    matrix = (0.0, 2.0, 0, 50, -3.0, 0.0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1)
    turned = Georeference(((34264, 12, 16, matrix), (34735, 3, 12, point)))
    np.testing.assert_allclose(world_from_pixels(turned) @ (2, 5, 1), (54, 65, 1))


def test_without_a_place_there_is_no_start():
    assert start_on_earth(PATHS, (None, place(0, 0, 1)), (9, 9)) is None
    keys_only = Georeference(((34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32633)),))
    assert start_on_earth(PATHS, (keys_only, place(0, 0, 1)), (9, 9)) is None


def test_pixels_without_a_size():
    with pytest.raises(InputError, match="without a size"):
        start_on_earth(PATHS, (place(0, 0, 1), place(0, 0, 0.0)), (9, 9))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of what rasterio calls
def test_across_systems(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin
    from rasterio.warp import transform

    from napari_mmreg.io import read_picture

    paths = tmp_path / "a.tif", tmp_path / "b.tif"
    lon, lat = (values[0] for values in transform("EPSG:32633", "EPSG:4326", [5e5], [5e6]))
    placed = {
        paths[0]: ("EPSG:32633", from_origin(5e5, 5e6, 10, 10)),
        paths[1]: ("EPSG:4326", from_origin(lon - 0.01, lat + 0.01, 1e-4, 1e-4)),
    }
    for path, (crs, affine) in placed.items():
        size = {"height": 200, "width": 300, "count": 1, "dtype": "uint8"}
        with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=affine, **size) as out:
            out.write(np.ones((1, 200, 300), np.uint8))
    places = tuple(read_picture(path).georeference for path in paths)
    start = start_on_earth(paths, places, (200, 300))
    np.testing.assert_allclose(start.map((-0.5, -0.5)), (99.5, 99.5), atol=0.3)
    # 1 km south is 0.009 degrees of latitude, or 90 pixels.
    np.testing.assert_allclose(start.map((99.5, -0.5))[0], 189.5, atol=0.5)
