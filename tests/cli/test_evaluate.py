"""mmreg evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mmreg.cli import main
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.io import read_image, read_landmarks, write_image, write_landmarks
from napari_mmreg.landmarks import FitSettings, LandmarkPair, measure


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The transform misses three of four landmarks by nothing and one by (0, 4)."""
    monkeypatch.chdir(tmp_path)
    MatrixTransform.translation((3, 0)).save("t.npz")
    fixed = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    moving = fixed + np.array([3, 0])
    moving[3, 1] += 4
    write_landmarks("points.csv", fixed, moving)
    return tmp_path


def row(out, name):
    (line,) = [line for line in out.splitlines() if line.startswith(name)]
    return [float(cell) for cell in line.removeprefix(name).split() if cell != "%"]


def test_error_with_and_without_the_transform(files, capsys):
    assert main(["evaluate", "--transform", "t.npz", "--landmarks", "points.csv"]) == 0
    out = capsys.readouterr().out
    assert "4 landmarks, in pixels of the moving image" in out
    assert row(out, "registered") == [1.0, 2.0, 0.0, 4.0, 75.0]  # mean, RMSE, median, max, <= 3
    assert row(out, "as loaded") == [3.5, 3.61, 3.0, 5.0, 75.0]


def test_spacing_makes_errors_physical(files, capsys):
    command = ["evaluate", "--transform", "t.npz", "--landmarks", "points.csv"]
    assert main([*command, "--spacing", "1", "0.5", "--json", "out.json"]) == 0
    out = capsys.readouterr().out
    assert row(out, "registered") == [0.5, 1.0, 0.0, 2.0, 100.0]
    numbers = json.loads((files / "out.json").read_text())
    assert numbers["registered"]["max"] == pytest.approx(2.0)
    assert numbers["registered"]["unit"] == "physical"


@pytest.mark.parametrize(
    ("transform", "landmarks", "message"),
    [
        ("absent.npz", "points.csv", "There is no file"),
        ("t.npz", "absent.csv", "There is no file"),
        ("t.npz", "broken.csv", "broken.csv, line 2"),
        ("t.npz", "empty.csv", "at least one"),
    ],
)
def test_bad_input(files, capsys, transform, landmarks, message):
    header = "point,fixed_row,fixed_col,moving_row,moving_col\n"
    (files / "broken.csv").write_text(header + "1,2,3,4,five\n")
    (files / "empty.csv").write_text(header)
    assert main(["evaluate", "--transform", transform, "--landmarks", landmarks]) == 2
    assert message in capsys.readouterr().err


def test_a_correction_is_measured_and_written(files, capsys):
    command = ["evaluate", "--transform", "t.npz", "--landmarks", "points.csv", "--correct"]
    options = ["--smoothing", "0", "--reach", "40", "--output", "new.npz", "--json", "out.json"]
    assert main([*command, *options, "--each"]) == 0
    out = capsys.readouterr().out
    assert row(out, "registered")[0] == 1.0
    assert row(out, "corrected")[0] == 0.0
    assert row(out, "left out")[0] > 1
    numbers = json.loads((files / "out.json").read_text())
    assert [pair["before"] for pair in numbers["landmarks"]] == [0, 0, 0, 4]
    moved = Transform.load(files / "new.npz").map([10.0, 10.0])
    np.testing.assert_allclose(moved, [13, 14], atol=1e-5)


def test_landmarks_alone_make_a_transform(files, capsys):
    assert main(["evaluate", "--landmarks", "points.csv", "--fit", "translation"]) == 0
    out = capsys.readouterr().out
    assert row(out, "fitted")[0] == pytest.approx(1.5)
    assert row(out, "left out")[0] == pytest.approx(2.0)
    assert "registered" not in out


def test_the_numbers_are_those_of_the_dock(files, capsys):
    """The dock's table is `measure` of the same pairs."""
    pairs = read_landmarks("points.csv")
    rows = [
        LandmarkPair(i + 1, name, tuple(f), tuple(m))
        for i, (name, f, m) in enumerate(zip(pairs.names, pairs.fixed, pairs.moving, strict=True))
    ]
    base = Transform.load("t.npz")
    found = measure(rows, base, base, FitSettings(strength=0.5))
    command = ["evaluate", "--transform", "t.npz", "--landmarks", "points.csv", "--correct"]
    assert main([*command, "--strength", "0.5", "--json", "out.json"]) == 0
    numbers = json.loads((files / "out.json").read_text())
    for name, column in (("before", 0), ("after", 1), ("left_out", 2)):
        shown = [pair[name] for pair in numbers["landmarks"]]
        assert shown == [found.of(pair.id)[column] for pair in rows]


def test_bigwarp_files_half_finished_and_disabled_pairs(files, capsys):
    (files / "b.csv").write_text(
        '"a","true","0","6","0","0"\n"b","false","50","50","0","0"\n'
        '"c","true","Infinity","Infinity","3","3"\n'
    )
    command = ["evaluate", "--transform", "t.npz", "--landmarks", "b.csv"]
    assert main(command) == 0
    assert "at 1 landmarks" in (out := capsys.readouterr().out)
    assert row(out, "registered")[0] == 3.0
    assert main([*command, "--spacing", "2", "2", "--fixed-spacing", "1", "1"]) == 0
    assert row(capsys.readouterr().out, "registered")[0] == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--correct"], "give it with --transform"),
        (["--fit", "homography", "--transform", "t.npz", "--output", "x.npz"], ""),
        (["--transform", "t.npz", "--output", "x.npz"], "add --correct or --fit"),
        (["--transform", "t.npz", "--correct", "--strength", "2"], "strength"),
    ],
)
def test_options_that_do_not_fit(files, capsys, options, message):
    code = main(["evaluate", "--landmarks", "points.csv", *options])
    assert code == (2 if message else 0)
    assert message in capsys.readouterr().err


def test_suspicious_landmarks_are_said(files, capsys):
    rng = np.random.default_rng(0)
    fixed = rng.uniform(0, 200, (10, 2))
    moving = fixed + np.array([3, 0]) + rng.normal(0, 0.2, fixed.shape)
    moving[4] += (30, 0)
    write_landmarks("many.csv", fixed, moving, [f"p{i}" for i in range(10)])
    assert main(["evaluate", "--transform", "t.npz", "--landmarks", "many.csv"]) == 0
    assert "! Pair p4 is" in capsys.readouterr().out


# With images


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Two pictures of discs, the second one shifted by (4, -3), labels, landmarks and truth."""
    monkeypatch.chdir(tmp_path)
    rows, cols = np.indices((90, 120))
    labels = np.zeros(rows.shape, np.uint8)
    for number, (row, col) in enumerate(((30, 35), (32, 85), (65, 60)), start=1):
        labels[np.hypot(rows - row, cols - col) <= 12] = number
    fixed = np.array([40, 220, 180, 250], np.uint8)[labels]
    truth = MatrixTransform.translation((4, -3))
    moving = truth.inverse().resample(255 - fixed, fixed.shape, fill=215)
    for name, image in (
        ("fixed", fixed),
        ("moving", moving),
        ("labels", labels),
        ("moving-labels", truth.inverse().resample(labels, labels.shape, order=0)),
    ):
        write_image(f"{name}.tif", image)
    truth.save("truth.npz")
    points = np.array([[20.0, 20], [60, 80]])
    write_landmarks("points.csv", points, points + np.array([4, -3]))
    return tmp_path


def test_images_labels_and_a_report(images, capsys):
    command = ["evaluate", "--fixed", "fixed.tif", "--moving", "moving.tif", "--landmarks"]
    command += ["points.csv", "--transform", "truth.npz", "--fixed-labels", "labels.tif"]
    command += ["--moving-labels", "moving-labels.tif", "--report", "out", "--json", "n.json", "-q"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert row(out, "IoU  ")[1] == 1.0
    (line,) = [line for line in out.splitlines() if line.startswith("Landmarks, mean")]
    assert line.split()[2:] == ["5.00", "0.00", "px"]
    assert "Report: out/evaluation.html" in out.replace("\\", "/")
    data = json.loads((images / "out" / "evaluation.json").read_text())
    numbers = json.loads((images / "n.json").read_text())
    assert numbers == data["evaluations"]
    assert numbers[0]["numbers"]["re_max"]["after"] == pytest.approx(0)
    assert numbers[0]["objects"]["protocol"] == "labels on both"


def test_the_command_and_the_api_agree(images):
    from napari_mmreg import Transform, evaluate, load_segmenter
    from napari_mmreg.io.images import read_image

    command = ["evaluate", "--fixed", "fixed.tif", "--moving", "moving.tif", "-q"]
    assert main([*command, "--transform", "truth.npz", "--json", "n.json"]) == 0
    numbers = json.loads((images / "n.json").read_text())[0]["numbers"]
    expected = evaluate(
        read_image("fixed.tif"),
        read_image("moving.tif"),
        Transform.load("truth.npz"),
        initial=MatrixTransform.identity(),
        segmenter=load_segmenter("regions"),
    )
    for key, value in expected.after.items():
        assert numbers[key]["after"] == pytest.approx(value)
    assert numbers["object_iou"]["after"] > numbers["object_iou"]["before"]


def test_models_are_registered_and_compared(images, engine, capsys):
    engine.transform = MatrixTransform.translation((4, -3))
    command = ["evaluate", "--fixed", "fixed.tif", "--moving", "moving.tif", "--models"]
    assert main([*command, "auto, classical", "--truth", "truth.npz", "--report", "out", "-q"]) == 0
    assert [call["model"] for call in engine.calls] == ["auto", "classical"]
    data = json.loads((images / "out" / "evaluation.json").read_text())
    assert [e["name"] for e in data["evaluations"]] == ["auto", "classical"]
    assert data["evaluations"][0]["provenance"]["status"] == "ok"
    assert data["evaluations"][0]["numbers"]["re_grid"]["after"] == pytest.approx(0, abs=1e-4)
    assert "Models compared" in (images / "out" / "evaluation.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fixed", "fixed.tif"], "both images"),
        (["--transform", "truth.npz", "--report", "r"], "--report needs the images"),
        (["--transform", "truth.npz"], "Give two images"),
        (
            ["fixed.tif", "moving.tif", "--transform", "truth.npz", "--models", "all"],
            "either --transform, or --models",
        ),
        (
            [
                *("--fixed", "fixed.tif", "--moving", "moving.tif"),
                *("--transform", "truth.npz", "--segmenter", "nowhere"),
            ],
            "no readable config.json",
        ),
    ],
)
def test_bad_options_with_images(images, capsys, options, message):
    assert main(["evaluate", *options]) == 2
    assert message in capsys.readouterr().err


def test_images_are_measured_as_they_lie(images, capsys):
    command = ["evaluate", "fixed.tif", "moving.tif", "--segmenter", "none", "--json", "n.json"]
    assert main([*command, "-q"]) == 0
    numbers = json.loads((images / "n.json").read_text())[0]["numbers"]
    from napari_mmreg import evaluate

    expected = evaluate(
        read_image("fixed.tif"), read_image("moving.tif"), MatrixTransform.identity()
    )
    assert numbers["ncc"]["after"] == pytest.approx(expected.after["ncc"])
    assert numbers["ncc"]["before"] is None
    assert capsys.readouterr().out.startswith("as they lie")


def test_landmarks_are_measured_as_they_lie(files, capsys):
    assert main(["evaluate", "--landmarks", "points.csv"]) == 0
    assert row(capsys.readouterr().out, "as loaded") == [3.5, 3.61, 3.0, 5.0, 75.0]


def test_pages_and_channels_are_named_alike_in_all_commands(images, capsys):
    stack = np.stack([read_image("fixed.tif")] * 3 + [255 - read_image("fixed.tif")])
    tifffile.imwrite("stack.tif", stack, photometric="minisblack")
    for command in (
        ["register", "stack.tif", "moving.tif", "-o", "o"],
        ["fuse", "stack.tif", "moving.tif", "-o", "o.tif"],
        ["evaluate", "stack.tif", "moving.tif"],
        ["apply", "truth.npz", "moving.tif", "--like", "stack.tif", "-o", "o.tif"],
    ):
        assert main(command) == 2
        assert "Use --fixed-page N." in capsys.readouterr().err
    apply = ["apply", "truth.npz", "stack.tif", "--like", "fixed.tif", "-o", "o.tif"]
    assert main(apply) == 0  # every page is carried
    assert "4 pages of" in capsys.readouterr().out
    for option in ("--moving-page", "--page"):
        assert main([*apply, option, "3", "--force"]) == 0
    Path("o.tif").unlink()
    np.save("five.npy", np.repeat(read_image("fixed.tif")[..., None], 5, axis=-1))
    assert main(["register", "five.npy", "moving.tif", "-o", "o"]) == 2
    assert "Choose one with --fixed-channel N, 0 to 4." in capsys.readouterr().err
