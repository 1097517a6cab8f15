"""mmreg evaluate."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_mmreg.cli import main
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.io import write_landmarks


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
    return [float(cell) for cell in line.removeprefix(name).split()]


def test_error_with_and_without_the_transform(files, capsys):
    assert main(["evaluate", "--transform", "t.npz", "--landmarks", "points.csv"]) == 0
    out = capsys.readouterr().out
    assert "4 landmarks, in pixels of the moving image" in out
    assert row(out, "registered") == [1.0, 2.0, 0.0, 4.0]  # mean, RMSE, median, max
    assert row(out, "as loaded") == [3.5, 3.61, 3.0, 5.0]


def test_spacing_makes_errors_physical(files, capsys):
    command = ["evaluate", "--transform", "t.npz", "--landmarks", "points.csv"]
    assert main([*command, "--spacing", "1", "0.5", "--json", "out.json"]) == 0
    out = capsys.readouterr().out
    assert row(out, "registered") == [0.5, 1.0, 0.0, 2.0]
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
