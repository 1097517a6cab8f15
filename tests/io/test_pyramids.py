"""Images that are opened and written in parts: OME-Zarr, pyramids in TIFF."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import tifffile
import zarr

from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import MatrixTransform, resample_lazily
from napari_mmreg.io import Description, SeveralImagesError, open_pyramid, read_stack, write_pyramid
from napari_mmreg.io.levels import in_order, level_shapes, level_span
from napari_mmreg.io.tiff import Georeference
from napari_mmreg.run import Run

SHAPE = (700, 1101)


def picture(dtype=np.uint8, *, shape=SHAPE, channels=()):
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    wave = 110 + 60 * np.sin(rows / 30) + 60 * np.cos(cols / 40)
    return (wave[..., None] + np.arange(channels[0]) if channels else wave).astype(dtype)


def tiled(image, *, colours=False):
    shape = image.shape[-3:-1] if colours else image.shape[-2:]
    return resample_lazily(image, MatrixTransform.identity(), shape, channels_last=colours, order=1)


def mean_of_four(image):
    padded = np.pad(image, [(0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)], "edge")
    return padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, -1).mean((1, 3))


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.ome.zarr"])
def test_colours_come_back_with_their_levels(tmp_path, name):
    image = picture(channels=(3,))
    about = Description(colours=True, spacing=(0.5, 0.25), unit="micrometer")
    heard = []
    run = Run(progress=lambda stage, fraction: heard.append(fraction))
    write_pyramid(tmp_path / name, tiled(image, colours=True), about, run)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)
    assert len(heard) >= 6
    with open_pyramid(tmp_path / name) as pyramid:
        levels = pyramid.choose()
        assert pyramid.shape == SHAPE
        assert [level.shape[:2] for level in levels] == [SHAPE, (350, 551), (175, 276)]
        np.testing.assert_array_equal(levels[0][:, :], image)
        np.testing.assert_array_equal(levels[0][10:20, 1000:1101, 1], image[10:20, 1000:1101, 1])
        assert np.abs(levels[1][:, :] - mean_of_four(image)).max() <= 0.5
        levels, axes, colours = pyramid.planes()
        assert (axes, colours) == ("", True)
        if name != "a.tif":
            assert pyramid.spacing == (0.5, 0.25)
            assert pyramid.unit in ("µm", "micrometer")


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, np.bool_, np.uint64]
)
@pytest.mark.parametrize("name", ["a.ome.tif", "a.zarr"])
def test_every_dtype_comes_back(tmp_path, name, dtype):
    image = picture().astype(dtype) if dtype != np.bool_ else picture() > 120
    write_pyramid(tmp_path / name, tiled(image), Description(nearest=True), Run())
    with open_pyramid(tmp_path / name) as pyramid:
        level = pyramid.choose()[0]
        expected = image * np.uint8(255) if dtype == np.bool_ and "tif" in name else image
        assert level.dtype == expected.dtype
        np.testing.assert_array_equal(level[:, :], expected)


@pytest.mark.parametrize("name", ["s.ome.tif", "s.ome.zarr"])
def test_stacks_keep_their_axes(tmp_path, name):
    stack = np.stack([picture(np.uint16) + n for n in range(6)]).reshape(2, 3, *SHAPE)
    write_pyramid(tmp_path / name, tiled(stack), Description(axes="TC"), Run())
    with open_pyramid(tmp_path / name) as pyramid:
        levels, axes, colours = pyramid.planes()
        assert (axes, colours) == ("TC", False)
        np.testing.assert_array_equal(levels[0][:], stack)
        assert levels[1].shape == (2, 3, 350, 551)
        with pytest.raises(SeveralImagesError, match="which page, 0 to 1"):
            pyramid.choose()
        with pytest.raises(SeveralImagesError, match="which channel, 0 to 2"):
            pyramid.choose(page=1)
        np.testing.assert_array_equal(pyramid.choose(1, 2)[0][5:9, 7:20], stack[1, 2, 5:9, 7:20])
    if name.endswith("tif"):
        np.testing.assert_array_equal(read_stack(tmp_path / name).pages[5], stack[1, 2])


def test_ome_zarr_says_what_the_format_asks_for(tmp_path):
    about = Description(colours=True, spacing=(0.5, 0.25), unit="µm")
    write_pyramid(tmp_path / "a.zarr", tiled(picture(channels=(3,)), colours=True), about, Run())
    attributes = json.loads((tmp_path / "a.zarr" / ".zattrs").read_text())
    multiscales = attributes["multiscales"][0]
    assert multiscales["version"] == "0.4"
    assert [axis["name"] for axis in multiscales["axes"]] == ["c", "y", "x"]
    assert multiscales["axes"][1] == {"name": "y", "type": "space", "unit": "micrometer"}
    second = multiscales["datasets"][1]["coordinateTransformations"]
    assert second[0]["scale"] == [1, 1, 0.5]
    assert second[1]["translation"] == [0, 0.25, 0.125]
    colours = [channel["color"] for channel in attributes["omero"]["channels"]]
    assert colours == ["FF0000", "00FF00", "0000FF"]


def test_ngff_zarr_reads_what_is_written(tmp_path):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    image = picture(np.uint16)
    about = Description(spacing=(2.0, 3.0), unit="micrometer")
    write_pyramid(tmp_path / "a.ome.zarr", tiled(image), about, Run())
    read = ngff_zarr.from_ngff_zarr(str(tmp_path / "a.ome.zarr"))
    np.testing.assert_array_equal(np.asarray(read.images[0].data), image)
    assert read.images[0].scale == {"y": 2.0, "x": 3.0}


def test_what_ngff_zarr_writes_is_read(tmp_path):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    image = picture(np.uint16)
    made = ngff_zarr.to_ngff_image(
        image, dims=["y", "x"], scale={"y": 2.0, "x": 3.0}, axes_units={"y": "micrometer"}
    )
    for version in ("0.4", "0.5"):
        levels = ngff_zarr.to_multiscales(made, scale_factors=[2])
        ngff_zarr.to_ngff_zarr(str(tmp_path / version), levels, version=version)
        with open_pyramid(tmp_path / version) as pyramid:
            np.testing.assert_array_equal(pyramid.choose()[0][:, :], image)
            assert len(pyramid.levels) == 2
            assert pyramid.spacing == (2.0, 3.0)


def test_plain_zarr_arrays_and_groups(tmp_path):
    zarr.save_array(str(tmp_path / "plain.zarr"), picture(channels=(3,)))
    with open_pyramid(tmp_path / "plain.zarr") as pyramid:
        assert pyramid.choose()[0].shape == (*SHAPE, 3)
    zarr.open_group(str(tmp_path / "group.zarr"), mode="w").create_group("inner")
    with (
        pytest.raises(InputError, match=r"name one of them.*inner"),
        open_pyramid(tmp_path / "group.zarr"),
    ):
        pass
    (tmp_path / "empty").mkdir()
    with (
        pytest.raises(InputError, match="is a folder and no OME-Zarr"),
        open_pyramid(tmp_path / "empty"),
    ):
        pass
    (tmp_path / "damaged.zarr").mkdir()
    with (
        pytest.raises(InputError, match="cannot be read as OME-Zarr"),
        open_pyramid(tmp_path / "damaged.zarr"),
    ):
        pass


def test_gdal_reads_levels_and_place(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    keys = (1, 1, 0, 1, 3072, 0, 1, 32633)
    place = Georeference(
        (
            (33550, 12, 3, (2.0, 2.0, 0.0)),
            (33922, 12, 6, (0.0, 0.0, 0.0, 500000.0, 4e6, 0.0)),
            (34735, 3, 8, keys),
        )
    )
    image = picture(np.uint16)
    about = Description(georeference=place, nodata=7)
    write_pyramid(tmp_path / "g.tif", tiled(image), about, Run())
    with rasterio.open(tmp_path / "g.tif") as read:
        assert read.crs.to_epsg() == 32633
        assert read.overviews(1) == [2, 4]
        assert (read.nodata, read.transform.a) == (7, 2.0)
        np.testing.assert_array_equal(read.read(1), image)
    with open_pyramid(tmp_path / "g.tif") as pyramid:
        assert len(pyramid.levels) == 3
        assert pyramid.nodata == 7
        assert pyramid.georeference.tags == place.tags


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "zlib", "tile": (256, 256), "predictor": True},
        {"rowsperstrip": 16},
        {"byteorder": ">"},
    ],
)
def test_tiff_of_any_layout_is_read_in_parts(tmp_path, options):
    image = picture(np.uint16, channels=(3,))
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", **options)
    with open_pyramid(tmp_path / "a.tif") as pyramid:
        assert not pyramid.whole
        level = pyramid.choose()[0]
        np.testing.assert_array_equal(level[100:300, 600:], image[100:300, 600:])


def test_planes_of_colours_are_brought_last(tmp_path):
    image = picture(channels=(3,))
    planes = np.moveaxis(image, -1, 0)
    tifffile.imwrite(tmp_path / "p.tif", planes, photometric="rgb", planarconfig="separate")
    with open_pyramid(tmp_path / "p.tif") as pyramid:
        np.testing.assert_array_equal(pyramid.choose()[0][:, :], image)
        levels, axes, colours = pyramid.planes()
        assert (axes, colours) == ("", True)
        np.testing.assert_array_equal(levels[0][3:9, 5:8], image[3:9, 5:8])


def test_other_formats_and_arrays(tmp_path):
    image = picture()
    np.save(tmp_path / "a.npy", image)
    tifffile.imwrite(tmp_path / "white.tif", image, photometric="miniswhite")
    with open_pyramid(tmp_path / "a.npy") as pyramid:
        assert not pyramid.whole
        np.testing.assert_array_equal(pyramid.choose()[0][:, :], image)
    with open_pyramid(tmp_path / "white.tif") as pyramid:
        assert pyramid.whole
        np.testing.assert_array_equal(pyramid.choose()[0][:, :], ~image)


@pytest.mark.parametrize("name", ["a.ome.tif", "a.ome.zarr"])
def test_cancel_leaves_nothing_and_what_was_there(tmp_path, name):
    first = picture()
    write_pyramid(tmp_path / name, tiled(first), Description(), Run())
    asked = iter([False] * 4)
    run = Run(cancel=lambda: next(asked, True))
    with pytest.raises(Cancelled):
        write_pyramid(tmp_path / name, tiled(first + 1), Description(), run)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with open_pyramid(tmp_path / name) as pyramid:
        np.testing.assert_array_equal(pyramid.choose()[0][:, :], first)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"ome\.zarr"):
        write_pyramid(tmp_path / "a.png", tiled(picture()), Description(), Run())
    with pytest.raises(InputError, match="no file"), open_pyramid(tmp_path / "none.tif"):
        pass


def test_levels_end_at_one_tile_and_share_the_time():
    assert level_shapes((500, 400)) == [(500, 400)]
    assert level_shapes((2000, 401)) == [(2000, 401), (1000, 201), (500, 101)]
    spans = [level_span(n, 4) for n in range(4)]
    assert spans[0][0] == 0
    assert spans[-1][1] == pytest.approx(1)
    assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(spans))


def test_parts_come_in_order_and_errors_through():
    assert list(in_order(lambda n: n * n, range(50), workers=4)) == [n * n for n in range(50)]

    def fail(number):
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        list(in_order(fail, range(5)))
