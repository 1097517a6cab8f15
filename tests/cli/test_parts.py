"""Commands on images that are not read as a whole."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mmreg.cli import main
from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Frame, MatrixTransform, Transform, resample_lazily
from napari_mmreg.io import Description, Georeference, open_pyramid, read_image, write_pyramid
from napari_mmreg.limits import WORKING_VARIABLE, is_large
from napari_mmreg.run import Run

SHAPE = (900, 1200)


@cache
def picture(shape=SHAPE):
    from skimage import data
    from skimage.transform import resize

    return (255 * resize(data.camera(), shape, anti_aliasing=True)).astype(np.uint8)


def turned():
    center = (SHAPE[0] / 2, SHAPE[1] / 2)
    return MatrixTransform.from_params(rotation_degrees=5, translation=(9, -14), center=center)


def write(path, image, **about):
    colours = image.ndim == 3
    identity = MatrixTransform.identity()
    lazy = resample_lazily(image, identity, image.shape[:2], channels_last=colours, order=1)
    write_pyramid(path, lazy, Description(colours=colours, **about), Run())


@pytest.fixture
def image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    turned().with_frames(Frame(SHAPE), Frame(SHAPE)).save("turn.npz")
    made = np.stack([picture(), picture()[::-1], 255 - picture()], axis=-1)
    tifffile.imwrite("image.tif", made, photometric="rgb")
    return made


@pytest.mark.parametrize("name", ["out.ome.tif", "out.ome.zarr"])
def test_apply_writes_pyramids(image, capsys, name):
    assert main(["apply", "turn.npz", "image.tif", "-o", name]) == 0
    with open_pyramid(name) as written:
        assert len(written.levels) == 3
        np.testing.assert_array_equal(
            written.choose()[0][:, :], turned().resample(image, SHAPE, 1, 0)
        )
    out = capsys.readouterr().out
    share = 100 * turned().valid(SHAPE, SHAPE).mean()
    assert "900 x 1200 pixels" in out
    assert float(out.split("pixels, ")[1].split()[0]) == pytest.approx(share, abs=0.3)


def test_apply_reads_zarr_and_keeps_the_pixels_size(image):
    write("moving.zarr", image)
    write("fixed.zarr", image[..., 0], spacing=(0.25, 0.5), unit="micrometer")
    command = ["apply", "turn.npz", "moving.zarr", "-o"]
    assert main([*command, "o.ome.tif", "--like", "fixed.zarr"]) == 0
    with open_pyramid("o.ome.tif") as written:
        assert written.spacing == (0.25, 0.5)
        np.testing.assert_array_equal(
            written.choose()[0][:, :], turned().resample(image, SHAPE, 1, 0)
        )
    assert main([*command, "one.ome.tif", "--channel", "1"]) == 0
    np.testing.assert_array_equal(
        read_image("one.ome.tif"), turned().resample(image[..., 1], SHAPE, 1, 0)
    )


@pytest.fixture
def all_large(monkeypatch):
    monkeypatch.setattr("napari_mmreg.io.pyramids.is_large", lambda *_: True)


def test_a_large_file_is_written_in_tiles_and_equal(image, all_large):
    tifffile.imwrite("large.tif", image, photometric="rgb", compression="zlib")
    assert main(["apply", "turn.npz", "large.tif", "-o", "tiles.tif"]) == 0
    with tifffile.TiffFile("tiles.tif") as tiles:
        assert tiles.pages[0].is_tiled
        assert len(tiles.series[0].levels) == 3
    np.testing.assert_array_equal(read_image("tiles.tif"), turned().resample(image, SHAPE, 1, 0))
    # What cannot be written in parts is written as a whole, as ever.
    assert main(["apply", "turn.npz", "large.tif", "-o", "whole.png"]) == 0
    np.testing.assert_array_equal(read_image("whole.png"), read_image("tiles.tif"))


def test_the_working_memory_decides_what_is_large(monkeypatch):
    assert not is_large((9000, 9000, 3), 1)
    assert is_large((20000, 20000, 3), 1)
    monkeypatch.setenv(WORKING_VARIABLE, "16")
    assert not is_large((20000, 20000, 3), 1)
    monkeypatch.setenv(WORKING_VARIABLE, "much")
    with pytest.raises(InputError, match="number of gigabytes"):
        is_large((9, 9), 1)


def test_what_cannot_be(image, capsys):
    write("moving.zarr", image)
    assert main(["apply", "turn.npz", "moving.zarr", "-o", "out.png"]) == 2
    assert "written as .ome.tif, .tif or .ome.zarr" in capsys.readouterr().err
    stack = np.stack([image[..., 0]] * 2)
    tifffile.imwrite("stack.ome.tif", stack, metadata={"axes": "CYX"})
    assert main(["apply", "turn.npz", "stack.ome.tif", "-o", "c.ome.zarr", "--channel", "7"]) == 2
    assert "--moving-channel" in capsys.readouterr().err
    assert main(["apply", "turn.npz", "stack.ome.tif", "-o", "c.ome.zarr"]) == 0
    assert "2 planes of 900 x 1200" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["zarr", "ome.tif"])
def test_register_pyramids(image, all_large, monkeypatch, kind):
    monkeypatch.setattr("napari_mmreg.imaging.shrink.SHRUNK", 450 * 600)
    monkeypatch.setattr("napari_mmreg.imaging.shrink.ENOUGH", 300 * 300)
    write(f"fixed.{kind}", picture(), spacing=(0.5, 0.5), unit="micrometer")
    write(f"moving.{kind}", turned().resample(255 - picture(), SHAPE, 1))
    command = ["register", f"fixed.{kind}", f"moving.{kind}", "-o", "result", "-q"]
    assert main([*command, "--model", "classical", "--device", "cpu"]) == 0
    found = Transform.load("result/transform.npz")
    points = np.stack(np.mgrid[100:800:50, 100:1100:50], axis=-1)
    apart = np.linalg.norm(turned().map(found.map(points)) - points, axis=-1)
    assert apart.mean() < 2
    assert found.fixed_frame == Frame(SHAPE)
    report = json.loads(Path("result/report.json").read_text())
    assert report["provenance"]["inputs"]["fixed"]["shape"] == [900, 1200]
    assert report["provenance"]["estimated_on"]["fixed"]["px_per_copy_px"] == [2, 2]
    with open_pyramid("result/registered.tif") as registered:
        assert registered.shape == SHAPE
        assert registered.spacing == (0.5, 0.5)
        assert len(registered.levels) == 3
    assert read_image("result/misregistration.tif").shape[0] < SHAPE[0]
    assert main([*command, "--fuse", "laplacian", "--force"]) == 2


@pytest.mark.parametrize("kind", ["zarr", "tif"])
def test_tiles_are_refined_on_request(image, monkeypatch, kind):
    monkeypatch.setattr("napari_mmreg.models.elastic.load_elastic", lambda device: None)
    monkeypatch.setattr("napari_mmreg.large.refine._correct", lambda *_: None)
    monkeypatch.setattr("napari_mmreg.large.refine.FIRST", 400)
    write(f"fixed.{kind}", picture())
    write(f"moving.{kind}", turned().resample(255 - picture(), SHAPE, 1))
    command = ["register", f"fixed.{kind}", f"moving.{kind}", "-o", "r", "--model", "classical"]
    assert main([*command, "--device", "cpu", "-q", "--tiles", "2"]) == 0
    report = json.loads(Path("r/report.json").read_text())
    (only,) = report["provenance"]["refined_tiles"]
    assert (only["factor"], only["accepted"]) == (2, 0)
    assert only["tried"] > 0
    with pytest.raises(SystemExit):
        main([*command, "--tiles", "3", "--force"])


def georeference(col, row, step, code=32633):
    return Georeference(
        (
            (33550, 12, 3, (step, step, 0.0)),
            (33922, 12, 6, (0.0, 0.0, 0.0, col, row, 0.0)),
            (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, code)),
        )
    )


def test_register_starts_from_the_place_on_earth(image, capsys):
    from napari_mmreg.io import write_image

    scene = picture()
    write_image("fixed.tif", scene[:600, :700], georeference=georeference(5e5, 4e6, 1.0))
    moving = 255 - scene[150:, 200:]
    write_image("moving.tif", moving, georeference=georeference(5e5 + 204, 4e6 - 145, 1.0))
    command = ["register", "fixed.tif", "moving.tif", "-o", "r", "--model", "classical"]
    assert main([*command, "--device", "cpu"]) == 0
    assert "where the two images lie on Earth" in capsys.readouterr().err
    found = Transform.load("r/transform.npz")
    points = np.array([[300.0, 350.0], [450, 600]])
    assert np.abs(found.map(points) - (points - (150, 200))).max() < 3
    assert main([*command, "--device", "cpu", "--force", "--ignore-georeference", "-q"]) in (0, 3)
    assert "Earth" not in capsys.readouterr().err
