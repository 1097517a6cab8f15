"""mmreg apply."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_mmreg.cli import main
from napari_mmreg.geometry import DisplacementTransform, Frame, MatrixTransform
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


def test_all_pages_and_channels_are_carried(files, capsys):
    stack = np.stack([files, files[::-1], 2 * files]).reshape(3, 1, 20, 30)
    stack = np.concatenate([stack, stack + 1], axis=1)
    tifffile.imwrite("stack.tif", stack, metadata={"axes": "TCYX"}, photometric="minisblack")
    assert main(["apply", "shift.npz", "stack.tif", "--like", "fixed.png", "-o", "out.tif"]) == 0
    assert "6 pages of 15 x 25 pixels, 100.0 % with data" in capsys.readouterr().out
    with tifffile.TiffFile("out.tif") as written:
        assert written.series[0].axes == "TCYX"
        np.testing.assert_array_equal(written.asarray(), stack[:, :, 2:17, 3:28])
    assert main(["apply", "shift.npz", "stack.tif", "--shape", "9", "9", "-o", "o.png"]) == 2
    assert "--page N" in capsys.readouterr().err
    arguments = ["apply", "shift.npz", "stack.tif", "--shape", "9", "9", "--page", "2"]
    assert main([*arguments, "-o", "o.png"]) == 0
    np.testing.assert_array_equal(read_image("o.png"), stack[1, 0, 2:11, 3:12])


def test_pages_of_labels_keep_their_ids(files, capsys):
    MatrixTransform.translation((0.4, 0.4)).save("half.npz")
    labels = np.kron([[0, 7], [90, 0]], np.ones((10, 15))).astype(np.uint8)
    tifffile.imwrite("stack.tif", np.stack([labels, labels[::-1]]), metadata=None)
    assert main(["apply", "half.npz", "stack.tif", "--shape", "20", "30", "-o", "out.tif"]) == 0
    assert set(np.unique(tifffile.imread("out.tif"))) == {0, 7, 90}
    assert "nearest neighbour" in capsys.readouterr().err


def test_the_size_may_come_from_the_transform(files):
    known = MatrixTransform.translation((2, 3)).with_frames(Frame((15, 25)), Frame((20, 30)))
    known.save("known.npz")
    assert main(["apply", "known.npz", "image.tif", "-o", "out.tif"]) == 0
    np.testing.assert_array_equal(read_image("out.tif"), files[2:17, 3:28])


def test_the_other_way_round(files):
    shape = ["--shape", "20", "30"]
    assert main(["apply", "shift.npz", "image.tif", *shape, "--to", "moving", "-o", "o.tif"]) == 0
    np.testing.assert_array_equal(read_image("o.tif")[2:, 3:], files[:18, :27])


def test_points_and_shapes_keep_their_columns(files, tmp_path, capsys):
    (tmp_path / "points.csv").write_text("index,axis-0,axis-1,class\n0,5,7.5,soma\n1,1,2,axon\n")
    assert main(["apply", "shift.npz", "points.csv", "-o", "out.csv"]) == 0
    assert "Wrote out.csv, 2 of 2 points" in capsys.readouterr().out
    text = (tmp_path / "out.csv").read_text()
    assert text == "index,axis-0,axis-1,class\n0,3,4.5,soma\n1,-1,-1,axon\n"
    assert main(["apply", "shift.npz", "out.csv", "--to", "moving", "-o", "back.csv"]) == 0
    assert (tmp_path / "back.csv").read_text().splitlines()[1] == "0,5,7.5,soma"
    (tmp_path / "shapes.csv").write_text(
        "index,shape-type,vertex-index,axis-0,axis-1\n0,path,0,5,7\n0,path,1,9,8\n"
    )
    assert main(["apply", "shift.npz", "shapes.csv", "-o", "moved.csv"]) == 0
    assert (tmp_path / "moved.csv").read_text().endswith("0,path,0,3,4\n0,path,1,7,5\n")
    line = {"type": "LineString", "coordinates": [[7.5, 5.5], [8.5, 9.5]]}
    (tmp_path / "line.geojson").write_text(json.dumps(line))
    assert main(["apply", "shift.npz", "line.geojson", "-o", "out.geojson"]) == 0
    moved = json.loads((tmp_path / "out.geojson").read_text())
    assert moved["coordinates"] == [[4.5, 3.5], [5.5, 7.5]]


def test_points_without_a_place_are_left_out_and_said(files, tmp_path, capsys):
    DisplacementTransform(np.full((15, 25, 2), (2, 3), np.float32)).save("field.npz")
    (tmp_path / "points.csv").write_text("index,axis-0,axis-1\n0,5,7\n1,99,7\n")
    assert main(["apply", "field.npz", "points.csv", "-o", "out.csv"]) == 0
    said = capsys.readouterr()
    assert "1 of 2 points were left out" in said.err
    assert "1 of 2 points" in said.out
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == ["0,3,4"]


def test_points_follow_a_fixed_image_at_another_size(files, tmp_path, capsys):
    known = MatrixTransform.translation((2, 3)).with_frames(Frame((15, 25)), Frame((20, 30)))
    known.save("known.npz")
    (tmp_path / "points.csv").write_text("index,axis-0,axis-1\n0,5,7\n")
    arguments = ["apply", "known.npz", "points.csv", "--shape", "30", "50", "-o", "out.csv"]
    assert main(arguments) == 0
    assert "scaled" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "0,6.5,8.5"
    assert main([*arguments, "--as-is", "--force"]) == 0
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "0,3,4"


def test_marks_go_to_files_of_their_kind(files, tmp_path, capsys):
    (tmp_path / "points.csv").write_text("index,axis-0,axis-1\n0,5,7\n")
    assert main(["apply", "shift.npz", "points.csv", "-o", "out.tif"]) == 2
    assert "use .csv" in capsys.readouterr().err
