"""``mmreg transforms``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_mmreg.cli import main
from napari_mmreg.geometry import Frame, MatrixTransform, Transform
from napari_mmreg.io import file_kinds, load_transform

TURN = MatrixTransform.from_params(rotation_degrees=8, translation=(2, 3), center=(10, 20))
FRAMES = Frame((30, 40), (500, 250), "µm"), Frame((20, 30), (750, 125), "µm")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TURN.with_frames(*FRAMES).save("turn.npz")


def test_all_kinds_are_listed(capsys):
    assert main(["transforms"]) == 0
    listed = capsys.readouterr().out
    assert all(kind.name in listed and kind.convention in listed for kind in file_kinds())


def test_converting(capsys):
    convert = ["transforms", "turn.npz", "-o", "TransformParameters.0.txt", "--unit", "mm"]
    assert main(convert) == 0
    assert "Wrote TransformParameters.0.txt" in capsys.readouterr().out
    assert "(Spacing 0.25 0.5)" in Path("TransformParameters.0.txt").read_text()
    back = ["transforms", "TransformParameters.0.txt", "-o", "back.npz"]
    spacings = ["--fixed-spacing", "0.5", "0.25", "--moving-spacing", "0.75", "0.125"]
    assert main([*back, *spacings, "--unit", "mm"]) == 0
    assert_allclose(Transform.load("back.npz").map([5, 6]), TURN.map([5, 6]))
    assert main(convert) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*convert, "--force"]) == 0


def test_kinds_may_be_named():
    assert main(["transforms", "turn.npz", "-o", "numbers", "--to", "matrix"]) == 0
    assert main(["transforms", "numbers", "--from", "matrix", "-o", "back.npz"]) == 0
    assert_allclose(load_transform("back.npz").map([5, 6]), TURN.map([5, 6]))
    np.save("m.npy", TURN.matrix_xy)
    assert main(["transforms", "m.npy", "--matrix-order", "xy", "-o", "back.npz", "--force"]) == 0
    assert_allclose(load_transform("back.npz").map([5, 6]), TURN.map([5, 6]))


def test_the_other_way_round():
    assert main(["transforms", "turn.npz", "-o", "back.npz", "--inverse"]) == 0
    back = Transform.load("back.npz")
    assert_allclose(back.map(TURN.map([5, 6])), [5, 6])
    assert back.fixed_frame == FRAMES[1]
    spacings = ["--fixed-spacing", "0.5", "0.25", "--moving-spacing", "0.75", "0.125"]
    arguments = ["transforms", "turn.npz", "-o", "TransformParameters.0.txt", "--inverse"]
    assert main([*arguments, *spacings]) == 0
    loaded = load_transform(
        "TransformParameters.0.txt", fixed_spacing=(0.75, 0.125), moving_spacing=(0.5, 0.25)
    )
    assert_allclose(loaded.map(TURN.map([5, 6])), [5, 6])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["turn.npz"], "-o FILE"),
        (["absent.npz", "-o", "t.npz"], "There is no file"),
        (["turn.npz", "-o", "t.png"], "cannot be stored in t.png"),
        (["turn.npz", "-o", "t.npz", "--to", "spiral"], "no kind of file called 'spiral'"),
        (["turn.npz", "-o", "TransformParameters.txt", "--unit", "kg"], "given in 'kg'"),
    ],
)
def test_bad_input(capsys, arguments, message):
    assert main(["transforms", *arguments]) == 2
    assert message in capsys.readouterr().err
