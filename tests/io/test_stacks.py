"""Files of several images, read and written as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_mmreg.errors import InputError
from napari_mmreg.io.stacks import holds_stack, read_stack, write_stack


def picture(*shape, dtype=np.uint16):
    return np.random.default_rng(0).uniform(0, 200, shape).astype(dtype)


@pytest.mark.parametrize(
    ("name", "axes", "shape", "dtype"),
    [
        ("a.tif", "TCYX", (2, 3, 20, 30), np.uint16),
        ("a.tif", "TYXS", (2, 20, 30, 3), np.uint8),
        ("a.tif", "ZYX", (5, 20, 30), np.float32),
        ("a.ome.tif", "TCYX", (2, 3, 20, 30), np.uint8),
        ("a.npy", "QQYX", (2, 3, 20, 30), np.float64),
        ("a.npy", "QYXS", (2, 20, 30, 4), np.uint8),
    ],
)
def test_axes_values_and_dtype_stay(tmp_path, name, axes, shape, dtype):
    image = picture(*shape, dtype=dtype)
    path = tmp_path / f"in.{name.partition('.')[2]}"
    if name.endswith(".npy"):
        np.save(path, image)
    else:
        photometric = "rgb" if "S" in axes else "minisblack"
        tifffile.imwrite(path, image, metadata={"axes": axes}, photometric=photometric)
    assert holds_stack(path)
    stack = read_stack(path)
    assert stack.axes == axes.partition("Y")[0]
    assert stack.shape == shape[: len(stack.axes)]
    rows_cols = stack.pages.shape[1:3]
    write_stack(tmp_path / name, iter(stack.pages), stack, rows_cols)
    again = read_stack(tmp_path / name)
    assert again.axes == stack.axes
    assert again.pages.dtype == dtype
    np.testing.assert_array_equal(again.pages.reshape(shape), image)
    assert len(list(tmp_path.iterdir())) == 2  # no temporary file is left


def test_plain_pages_and_series_of_one_size(tmp_path):
    images = picture(3, 20, 30)
    for metadata in (None, {}):
        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path) as writer:
            for image in images:
                writer.write(image, metadata=metadata)
        assert holds_stack(path)
        np.testing.assert_array_equal(read_stack(path).pages, images)


def test_a_pyramid_and_a_thumbnail_are_one_image(tmp_path):
    image = picture(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(image, subifds=1)
        writer.write(image[::2, ::2], subfiletype=1)
        writer.write(image[::8, ::8])
    assert not holds_stack(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif").pages, image[None])


def test_imagej_and_planar_colours(tmp_path):
    image = picture(2, 3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "ZCYX"})
    stack = read_stack(tmp_path / "a.tif")
    assert (stack.axes, stack.shape) == ("ZC", (2, 3))
    np.testing.assert_array_equal(stack.pages, image.reshape(6, 20, 30))
    planar = picture(4, 3, 20, 30, dtype=np.uint8)
    tifffile.imwrite(
        tmp_path / "b.tif", planar, photometric="rgb", planarconfig="separate", metadata=None
    )
    np.testing.assert_array_equal(read_stack(tmp_path / "b.tif").pages, np.moveaxis(planar, 1, -1))


def test_frames_of_other_formats(tmp_path):
    frames = [Image.fromarray(picture(20, 30, dtype=np.uint8)) for _ in range(3)]
    frames[1] = Image.fromarray(255 - np.asarray(frames[0]))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert holds_stack(tmp_path / "a.gif")
    stack = read_stack(tmp_path / "a.gif")
    assert stack.shape == (3,)
    assert (stack.pages[0] != stack.pages[1]).any()


def test_pages_are_set_upright(tmp_path):
    images = picture(2, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", images, extratags=[(274, 3, 1, 6, False)], metadata=None)
    stack = read_stack(tmp_path / "a.tif")
    np.testing.assert_array_equal(stack.pages, np.rot90(images, -1, axes=(1, 2)))
    assert "upright" in stack.picture.notes[0]


def test_what_cannot_be_read_or_written(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0 no more")
    assert not holds_stack(tmp_path / "absent.tif")
    for name, message in (("absent.tif", "There is no file"), ("a.tif", "cannot be read")):
        with pytest.raises(InputError, match=message):
            read_stack(tmp_path / name)
    np.save(tmp_path / "b.npy", np.zeros((2, 20, 30)))
    stack = read_stack(tmp_path / "b.npy")
    with pytest.raises(InputError, match=r"not written as \.png"):
        write_stack(tmp_path / "c.png", iter(stack.pages), stack, (20, 30))
    with pytest.raises(InputError, match="Choose another folder"):
        write_stack(tmp_path / "no" / "c.tif", iter(stack.pages), stack, (20, 30))
