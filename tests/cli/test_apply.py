"""mmreg apply."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.cli import main
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.io import read_image, save_transform, write_image


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    MatrixTransform.translation((2, 3)).save("shift.npz")
    image = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
    write_image("image.tif", image)
    write_image("fixed.png", np.zeros((15, 25, 3), np.uint8))
    return image


def test_like_takes_the_size_of_the_fixed_image(files, capsys):
    assert main(["apply", "shift.npz", "image.tif", "--like", "fixed.png", "-o", "out.tif"]) == 0
    np.testing.assert_array_equal(read_image("out.tif"), files[2:17, 3:28])
    assert "15 x 25 pixels, 100.0 % with data" in capsys.readouterr().out


def test_shape_and_what_lies_outside(files, capsys):
    assert main(["apply", "shift.npz", "image.tif", "--shape", "20", "30", "-o", "out.tif"]) == 0
    out = read_image("out.tif")
    np.testing.assert_array_equal(out[:18, :27], files[2:, 3:])
    assert (out[18:] == 0).all()
    assert "81.0 % with data" in capsys.readouterr().out


def test_no_data_is_nan_in_floats(files):
    write_image("float.tif", files.astype(np.float32))
    assert main(["apply", "shift.npz", "float.tif", "--shape", "20", "30", "-o", "out.tif"]) == 0
    assert np.isnan(read_image("out.tif")[18:]).all()


def test_order_zero_invents_no_labels(files):
    MatrixTransform.translation((0.4, 0.4)).save("half.npz")
    labels = np.kron([[0, 7], [90, 0]], np.ones((10, 15))).astype(np.uint8)
    write_image("labels.png", labels)
    arguments = ["apply", "half.npz", "labels.png", "--shape", "20", "30", "--force"]
    assert main([*arguments, "--order", "0", "-o", "out.png"]) == 0
    assert set(np.unique(read_image("out.png"))) == {0, 7, 90}
    assert main([*arguments, "--order", "1", "-o", "out.png"]) == 0
    assert len(np.unique(read_image("out.png"))) > 3


def test_itk_transforms_are_read(files):
    pytest.importorskip("SimpleITK")
    save_transform("shift.tfm", MatrixTransform.translation((2, 3)))
    assert main(["apply", "shift.tfm", "image.tif", "--like", "fixed.png", "-o", "out.tif"]) == 0
    np.testing.assert_array_equal(read_image("out.tif"), files[2:17, 3:28])


def test_existing_output_needs_force(files, capsys):
    arguments = ["apply", "shift.npz", "image.tif", "--like", "fixed.png", "-o", "out.tif"]
    write_image("out.tif", files)
    assert main(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert read_image("out.tif").shape == (15, 25)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.npz", "image.tif", "--shape", "9", "9", "-o", "o.tif"], "There is no file"),
        (["image.tif", "image.tif", "--shape", "9", "9", "-o", "o.tif"], "use one of .npz"),
        (["shift.npz", "absent.tif", "--shape", "9", "9", "-o", "o.tif"], "There is no file"),
        (["shift.npz", "image.tif", "--shape", "0", "9", "-o", "o.tif"], "at least 1"),
        (["shift.npz", "image.tif", "--like", "absent.png", "-o", "o.tif"], "There is no file"),
        (["shift.npz", "image.tif", "--shape", "9", "9", "-o", "o.gif"], "not written as .gif"),
    ],
)
def test_bad_input(files, capsys, arguments, message):
    assert main(["apply", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_size_must_be_said(files, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["apply", "shift.npz", "image.tif", "-o", "o.tif"])
    assert stop.value.code == 2
    assert "--like --shape" in capsys.readouterr().err
