"""Reading and writing images."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_mmreg.errors import InputError
from napari_mmreg.io.images import read_image, read_mask, write_image


def picture(*shape, dtype=np.uint8):
    values = np.random.default_rng(0).uniform(0, 200, shape)
    return values.astype(dtype)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("a.tif", (20, 30), np.uint8),
        ("a.tiff", (20, 30), np.uint16),
        ("a.tif", (20, 30), np.float32),
        ("a.tif", (20, 30), np.float64),
        ("a.tif", (20, 30), np.int16),
        ("a.tif", (20, 30, 2), np.float32),
        ("a.tif", (20, 30, 3), np.uint8),
        ("a.tif", (20, 30, 4), np.uint16),
        ("a.tif", (20, 30, 5), np.uint8),
        ("a.tif", (20, 3, 3), np.float32),
        ("a.png", (20, 30), np.uint8),
        ("a.png", (20, 30), np.uint16),
        ("a.png", (20, 30, 3), np.uint8),
        ("a.png", (20, 30, 4), np.uint8),
        ("a.bmp", (20, 30, 3), np.uint8),
        ("a.npy", (20, 30), np.float64),
        ("A.NPY", (20, 30), np.bool_),
    ],
)
def test_round_trip_keeps_values_dtype_and_channels(tmp_path, name, shape, dtype):
    image = picture(*shape, dtype=dtype)
    write_image(tmp_path / name, image)
    read = read_image(tmp_path / name)
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)
    assert [p.name for p in tmp_path.iterdir()] == [name]  # no temporary file is left


def test_nan_survives(tmp_path):
    image = picture(20, 30, dtype=np.float32)
    image[3, 4] = np.nan
    write_image(tmp_path / "a.tif", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image)


def test_jpeg_is_close(tmp_path):
    image = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    write_image(tmp_path / "a.jpg", image)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - image).max() < 8


def test_booleans_become_black_and_white(tmp_path):
    mask = picture(20, 30) > 100
    write_image(tmp_path / "a.png", mask)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), mask * 255)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), mask)


# --- kinds of TIFF that other programs write


def test_planar_colours_come_last(tmp_path):
    image = picture(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.moveaxis(image, 0, -1))


def test_several_pages_ask_for_one(tmp_path):
    stack = picture(5, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    with pytest.raises(InputError, match=r"holds 5 images.*page, 0 to 4"):
        read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", page=3), stack[3])
    with pytest.raises(InputError, match="has no page 5; it has pages 0 to 4"):
        read_image(tmp_path / "a.tif", page=5)


def test_ome_channels_are_pages_not_colours(tmp_path):
    stack = picture(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "CYX"})
    with pytest.raises(InputError, match="holds 3 images"):
        read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif", page=1), stack[1])


def test_axes_of_length_one_do_not_count(tmp_path):
    image = picture(1, 1, 20, 30)
    tifffile.imwrite(tmp_path / "a.ome.tif", image, metadata={"axes": "CZYX"})
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif"), image[0, 0])


def test_pages_of_different_size_give_the_first(tmp_path):
    """As with the thumbnails of whole-slide images."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(picture(40, 60))
        tiff.write(picture(10, 15))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), picture(40, 60))


def test_palette_becomes_colours(tmp_path):
    colours = np.zeros((3, 256), np.uint16)
    colours[0] = np.arange(256) * 256
    colours[2] = 65535
    image = picture(20, 30)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="palette", colormap=colours)
    expected = np.stack([image, np.zeros_like(image), np.full_like(image, 255)], axis=-1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), expected)


def test_white_is_zero_is_turned_round(tmp_path):
    image = picture(20, 30)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), 255 - image)


def test_gdal_no_data_becomes_nan_in_floats_only(tmp_path):
    image = picture(20, 30, dtype=np.float32)
    image[2, 3] = -9999
    tag = [(42113, "s", 0, "-9999", True)]
    tifffile.imwrite(tmp_path / "a.tif", image, extratags=tag)
    read = read_image(tmp_path / "a.tif")
    assert np.isnan(read[2, 3])
    assert np.isnan(read).sum() == 1
    assert read.dtype == np.float32
    counts = np.full((20, 30), 7, np.uint8)
    tifffile.imwrite(tmp_path / "b.tif", counts, extratags=[(42113, "s", 0, "7", True)])
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), counts)


def test_a_tiff_by_another_name(tmp_path):
    tifffile.imwrite(tmp_path / "a.svs", picture(20, 30, dtype=np.uint16))
    np.testing.assert_array_equal(read_image(tmp_path / "a.svs"), picture(20, 30, dtype=np.uint16))


def test_lzw_is_read(tmp_path):
    image = picture(20, 30, 3)
    Image.fromarray(image).save(tmp_path / "a.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image)


def test_several_lzw_pages_ask_for_one(tmp_path):
    pages = [Image.fromarray(picture(20, 30) + n) for n in range(3)]
    pages[0].save(
        tmp_path / "a.tif", compression="tiff_lzw", save_all=True, append_images=pages[1:]
    )
    with pytest.raises(InputError, match="holds 3 images"):
        read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", page=2), picture(20, 30) + 2)


# --- everyday formats


def test_grey_with_alpha_becomes_rgba(tmp_path):
    image = picture(20, 30, 2)
    Image.fromarray(image, "LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image[..., [0, 0, 0, 1]])


def test_cmyk_is_not_taken_for_rgba(tmp_path):
    Image.fromarray(picture(20, 30, 3)).convert("CMYK").save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").shape == (20, 30, 3)


def test_png_palette_becomes_colours(tmp_path):
    red = Image.new("RGB", (30, 20), (250, 10, 20)).quantize(4)
    assert red.mode == "P"
    red.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [250, 10, 20]


def test_animations_ask_for_a_frame(tmp_path):
    frames = np.stack([np.full((20, 30, 3), v, np.uint8) for v in (0, 100, 200)])
    iio.imwrite(tmp_path / "a.gif", frames)
    with pytest.raises(InputError, match="holds 3 images"):
        read_image(tmp_path / "a.gif")
    assert read_image(tmp_path / "a.gif", page=1)[0, 0, 0] == 100
    with pytest.raises(InputError, match="no page 7"):
        read_image(tmp_path / "a.gif", page=7)


# --- files that cannot be used


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.npy", "a.xyz", "a"])
@pytest.mark.parametrize("content", [b"", b"this is no image at all", b"II*\0\x08\0\0\0"])
def test_damaged_and_foreign_files_say_what_to_do(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="save it as TIFF or PNG"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_half_a_file(tmp_path, name):
    write_image(tmp_path / name, picture(200, 300))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_image(tmp_path / name)


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path / "a.npy")


def test_archives_of_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", picture(20, 30))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"numpy\.save"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(20,), (2, 3, 4, 20, 30)])
def test_arrays_of_too_few_or_too_many_axes(tmp_path, shape):
    np.save(tmp_path / "a.npy", picture(*shape))
    with pytest.raises(InputError, match="needs one image"):
        read_image(tmp_path / "a.npy")


def test_array_stacks_ask_for_one(tmp_path):
    stack = picture(6, 20, 30)
    np.save(tmp_path / "a.npy", stack)
    with pytest.raises(InputError, match="holds 6 images"):
        read_image(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", page=5), stack[5])


# --- places and formats that cannot be written


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("a.jpg", picture(20, 30, dtype=np.float32), "use .tif"),
        ("a.jpg", picture(20, 30, 4), "use .tif"),
        ("a.png", picture(20, 30, dtype=np.float32), "use .tif"),
        ("a.png", picture(20, 30, 3, dtype=np.uint16), "use .tif"),
        ("a.xyz", picture(20, 30), "not written as .xyz"),
        ("a", picture(20, 30), "files without a suffix"),
        ("a.tif", picture(20), "cannot be written"),
    ],
)
def test_formats_that_cannot_hold_the_image(tmp_path, name, image, message):
    with pytest.raises(InputError, match=message):
        write_image(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="Choose another folder"):
        write_image(tmp_path / "absent" / "a.tif", picture(20, 30))


def test_masks_ignore_alpha_and_nan(tmp_path):
    image = np.zeros((20, 30, 4), np.uint8)
    image[..., 3] = 255
    image[:5, :, 1] = 9
    write_image(tmp_path / "a.png", image)
    mask = read_mask(tmp_path / "a.png")
    assert mask[:5].all()
    assert not mask[5:].any()
    values = np.full((20, 30), np.nan, np.float32)
    values[0] = 1
    write_image(tmp_path / "b.tif", values)
    assert read_mask(tmp_path / "b.tif").sum() == 30
