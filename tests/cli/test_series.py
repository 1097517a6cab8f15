"""mmreg series."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile

from napari_mmreg.cli import main
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.io import write_image
from napari_mmreg.series import SeriesResult, engine
from results import make_result

pytestmark = pytest.mark.usefixtures("engine_of_planes")


@pytest.fixture
def engine_of_planes(monkeypatch):
    """Answers at once: a plane whose first pixel is n is shifted by (n, -n); 9 has failed."""

    def register_pair(_model, images, _options, run, *, refine):
        run.check()
        n = round(float(images[1].ravel()[0]))
        status = "failed" if n == 9 else "ok"
        return make_result(*images, MatrixTransform.translation((n % 9, -n % 9)), status=status)

    monkeypatch.setattr(engine, "register_pair", register_pair)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planes(*numbers, shape=(32, 40)):
    stack = np.random.default_rng(0).integers(0, 200, (len(numbers), *shape)).astype(np.uint8)
    stack[:, 0, 0] = numbers
    return stack


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_stack_and_one_image(folder, capsys):
    tifffile.imwrite("moving.tif", planes(0, 1, 2), metadata={"axes": "ZYX"}, ome=True)
    write_image("fixed.png", planes(0)[0])
    code = main(["series", "fixed.png", "moving.tif", "-o", "out", "--model", "classical"])
    assert code == 0
    out = capsys.readouterr().out
    assert "3 of 3 planes are registered and hold." in out
    with tifffile.TiffFile("out/registered.tif") as written:
        assert (written.series[0].axes, written.series[0].shape) == ("ZYX", (3, 32, 40))
    assert [row["drift_row_px"] for row in rows(folder / "out" / "planes.csv")] == [
        *("0.0000", "1.0000", "2.0000"),
    ]
    assert len(SeriesResult.load("out")) == 3


def test_time_and_channels_and_what_is_looked_at(folder, capsys):
    stack = np.zeros((2, 3, 32, 40), np.uint8)
    stack[:, 1] = planes(1, 2)
    tifffile.imwrite("moving.tif", stack, metadata={"axes": "TCYX"}, imagej=True)
    tifffile.imwrite("fixed.tif", planes(0, 0), metadata={"axes": "TYX"}, imagej=True)
    arguments = ["series", "fixed.tif", "moving.tif", "-o", "out", "--model", "classical"]
    assert main([*arguments, "--moving-channel", "1"]) == 0
    result = SeriesResult.load("out")
    np.testing.assert_allclose(result.transforms[1].map((0.0, 0.0)), (2, 7))
    assert tifffile.imread("out/registered.tif").shape == (2, 3, 32, 40)
    assert "is looked at" not in capsys.readouterr().err
    assert main([*arguments, "--force", "--moving-at", "C=2"]) == 0
    np.testing.assert_allclose(SeriesResult.load("out").transforms[1].map((0.0, 0.0)), (0, 0))
    assert main([*arguments, "--force"]) == 0
    assert "looked at where C=0; --moving-at chooses" in capsys.readouterr().err


def test_folders_of_planes_in_the_order_of_their_numbers(folder):
    (folder / "planes").mkdir()
    for n, image in enumerate(planes(*range(11))):
        if n != 9:
            write_image(folder / "planes" / f"p{n}.png", image)
    (folder / "planes" / "notes.txt").write_text("no plane")
    write_image("fixed.png", planes(0)[0])
    arguments = ["series", "fixed.png", "planes", "-o", "out", "--model", "classical", "-q"]
    assert main(arguments) == 0
    drift = [float(row["drift_row_px"]) for row in rows(folder / "out" / "planes.csv")]
    assert drift == [0, 1, 2, 3, 4, 5, 6, 7, 8, 1]
    write_image(folder / "planes" / "p3.png", np.zeros((5, 40), np.uint8))
    assert main([*arguments, "--force"]) == 2


def test_one_transform_for_all(folder):
    np.save("moving.npy", planes(3, 3, 3))
    np.save("fixed.npy", planes(0, 0, 0))
    arguments = ["series", "fixed.npy", "moving.npy", "-o", "out", "--mode", "once"]
    assert main([*arguments, "--model", "classical", "--estimate-on", "1"]) == 0
    assert [path.name for path in (folder / "out" / "transforms").iterdir()] == ["plane_all.npz"]


def test_failures_are_said_by_words_and_exit_code(folder, capsys):
    np.save("moving.npy", planes(9, 1))
    write_image("fixed.png", planes(0)[0])
    arguments = ["series", "fixed.png", "moving.npy", "-o", "out", "--model", "classical"]
    assert main(arguments) == 0
    assert "warning: 1 of 2 planes are registered and hold. Failed" in capsys.readouterr().err
    np.save("moving.npy", planes(9, 9))
    assert main([*arguments, "--force"]) == 3
    assert not (folder / "out" / "registered.tif").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--axis", "Z"], "has no axis Z: before rows and columns it has 0 (T), 1 (C)"),
        (["--moving-at", "Q=1"], "no other axis Q"),
        (["--moving-at", "C=7"], "the numbers are 0 to 2"),
        (["--mode", "once", "--estimate-on", "8"], "no plane 8"),
    ],
)
def test_wrong_options_say_what_there_is(folder, capsys, options, message):
    stack = np.zeros((2, 3, 32, 40), np.uint8)
    tifffile.imwrite("moving.tif", stack, metadata={"axes": "TCYX"}, imagej=True)
    write_image("fixed.png", planes(0)[0])
    assert main(["series", "fixed.png", "moving.tif", "-o", "out", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_results_are_not_overwritten(folder, capsys):
    np.save("moving.npy", planes(1, 1))
    write_image("fixed.png", planes(0)[0])
    (folder / "out").mkdir()
    (folder / "out" / "planes.csv").write_text("mine")
    assert main(["series", "fixed.png", "moving.npy", "-o", "out"]) == 2
    assert "--force" in capsys.readouterr().err


def test_two_videos_of_a_fixed_rig(folder, monkeypatch):
    pytest.importorskip("av", reason="needs the extra video")
    from napari_mmreg.io import Video, write_video

    scene = np.full((32, 40, 3), 60, np.uint8)

    def register_pair(_model, images, _options, _run, *, refine):
        return make_result(*images, MatrixTransform.translation((8, -8)))

    monkeypatch.setattr(engine, "register_pair", register_pair)
    for name, brightness in (("visible", 100), ("infrared", 200)):
        with write_video(f"{name}.mp4", 20) as write:
            for n in range(6):
                frame = scene.copy()
                frame[16:24, 16 + n : 24 + n] = brightness
                write(frame)
    arguments = ["series", "visible.mp4", "infrared.mp4", "-o", "out", "--mode", "once"]
    assert main([*arguments, "--model", "classical", "--compare", "side", "--frames", "1:5"]) == 0
    assert not (folder / "out" / "registered.tif").exists()
    registered, compared = Video("out/registered.mp4"), Video("out/compare.mp4")
    assert (registered.shape, registered.fps) == ((4, 32, 40, 3), 20)
    assert compared.shape == (4, 32, 80, 3)
    for n in range(4):  # shifted by (8, -8): what lay at (16, 17 + n) lies at (8, 25 + n)
        assert registered[n][10:14, 27 + n : 31 + n].mean() > 180
        np.testing.assert_allclose(
            compared[n][10:14, 67 + n : 71 + n], registered[n][10:14, 27 + n : 31 + n], atol=25
        )
    registered.close()
    compared.close()
    with pytest.raises(SystemExit):
        main([*arguments, "--frames", "1-5"])
