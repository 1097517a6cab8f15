"""What files say about their images: orientation, no data, place, channels, size."""

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

from napari_mmreg.errors import InputError
from napari_mmreg.io import Georeference, read_image, read_mask, read_picture, write_image
from napari_mmreg.limits import LIMIT_VARIABLE

GEO = Georeference(
    (
        (33550, 12, 3, (10.0, 10.0, 0.0)),
        (33922, 12, 6, (0.0, 0.0, 0.0, 600000.0, 5100000.0, 0.0)),
        (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1)),
    )
)


def picture(shape=(20, 30, 3)):
    return np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_exif_is_applied(tmp_path, orientation):
    image = Image.fromarray(picture())
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    found = read_picture(tmp_path / "a.png")
    assert_array_equal(found.image, expected)
    assert len(found.notes) == (orientation != 1)
    assert all("set upright" in note for note in found.notes)


def test_orientation_of_tiff_is_applied(tmp_path):
    stored = picture((20, 30))
    tifffile.imwrite(tmp_path / "a.tif", stored, extratags=[(274, 3, 1, 6, True)])
    assert_array_equal(read_image(tmp_path / "a.tif"), np.rot90(stored, -1))


def test_no_data_of_integers_is_known(tmp_path):
    image = picture((20, 30)).astype(np.int16)
    image[:5] = -9999
    write_image(tmp_path / "a.tif", image, nodata=-9999, georeference=GEO)
    found = read_picture(tmp_path / "a.tif")
    assert found.nodata == -9999
    assert_array_equal(found.valid, image != -9999)
    assert_array_equal(read_mask(tmp_path / "a.tif"), (image != -9999) & (image != 0))
    assert [tag[0] for tag in found.georeference.tags] == [33550, 33922, 34735]
    for tag, expected in zip(found.georeference.tags, GEO.tags, strict=True):
        assert_array_equal(tag[3], expected[3])


@pytest.mark.parametrize("value", ["-9999", "nan", "what", "1.5"])
def test_no_data_that_eight_bits_cannot_hold_is_none(tmp_path, value):
    tifffile.imwrite(
        tmp_path / "a.tif", picture((20, 30)), extratags=[(42113, 2, len(value) + 1, value, True)]
    )
    assert read_picture(tmp_path / "a.tif").nodata is None


def test_one_channel_of_many(tmp_path):
    image = picture((40, 50, 7))
    np.save(tmp_path / "last.npy", image)
    np.save(tmp_path / "first.npy", np.moveaxis(image, -1, 0))
    tifffile.imwrite(
        tmp_path / "c.tif",
        np.ascontiguousarray(np.moveaxis(image, -1, 0)),
        photometric="minisblack",
        metadata={"axes": "CYX"},
    )
    for name in ("last.npy", "first.npy", "c.tif"):
        assert_array_equal(read_image(tmp_path / name, channel=4), image[..., 4])
        with pytest.raises(InputError, match=r"no channel 9.*0 to 6"):
            read_image(tmp_path / name, channel=9)


def test_one_bit_images(tmp_path):
    bits = picture((20, 30)) > 128
    Image.fromarray(bits).save(tmp_path / "a.png")
    Image.fromarray(bits).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        assert_array_equal(read_image(tmp_path / name), bits * np.uint8(255))


def test_sizes_are_checked_before_anything_is_allocated(tmp_path, monkeypatch):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 9000000), }"
    size = len(header) + 1 + (-(len(header) + 11) % 64)
    content = b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + header.ljust(size - 1) + b"\n"
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=f"7.2e\\+04 GB.*{LIMIT_VARIABLE}"):
        read_image(tmp_path / "a.npy")
    write_image(tmp_path / "a.tif", picture((300, 300)))
    monkeypatch.setenv(LIMIT_VARIABLE, "0.00008")
    with pytest.raises(InputError, match="9e-05 GB, more than the 8e-05 GB"):
        read_image(tmp_path / "a.tif")
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    with pytest.raises(InputError, match="number of gigabytes"):
        read_image(tmp_path / "a.tif")


def mutated(content, rng):
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(0, len(data)))
        data[place] = int(rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))]))
    return bytes(data[: int(rng.integers(1, len(data) + 1))] if rng.random() < 0.3 else data)


@pytest.mark.parametrize("name", ["a.tif", "lzw.tif", "a.png", "a.jpg", "a.npy", "a.bmp"])
def test_damaged_images_end_in_typed_errors(tmp_path, name):
    rng = np.random.default_rng(7)
    path = tmp_path / name
    if name == "lzw.tif":
        Image.fromarray(picture()).save(path, compression="tiff_lzw")
    elif name == "a.tif":
        write_image(path, picture(), georeference=GEO, nodata=7)
    else:
        write_image(path, picture())
    content = path.read_bytes()
    read = 0
    for _ in range(60):
        path.write_bytes(mutated(content, rng))
        try:
            read_image(path)
            read += 1
        except InputError:
            pass
    assert read < 60
