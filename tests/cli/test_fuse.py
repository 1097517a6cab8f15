"""mmreg fuse, and mmreg register --fuse."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.cli import main
from napari_mmreg.cli.outputs import FUSED, OUTPUTS
from napari_mmreg.fusion import fuse
from napari_mmreg.io import read_image, write_image


def test_register_also_writes_the_fused_image(pair, engine, capsys):
    command = ["register", "fixed.tif", "moving.tif", "-o", "out"]
    assert main([*command, "--fuse", "laplacian"]) == 0
    assert {p.name for p in (pair / "out").iterdir()} == {*OUTPUTS, FUSED}
    assert FUSED in capsys.readouterr().out
    valid = engine.transform.valid((96, 112), (96, 112))
    expected = fuse(read_image("fixed.tif"), read_image("out/registered.tif"), valid=valid)
    np.testing.assert_array_equal(read_image(f"out/{FUSED}"), expected)
    assert main([*command, "--fuse", "laplacian"]) == 2
    assert FUSED in capsys.readouterr().err


def test_a_failed_registration_is_not_fused(pair, engine):
    engine.status = "failed"
    assert main(["register", "fixed.tif", "moving.tif", "-o", "out", "--fuse", "laplacian"]) == 3
    assert [p.name for p in (pair / "out").iterdir()] == ["report.json"]


def test_unknown_methods_are_refused_before_the_run(pair, engine, capsys):
    assert main(["register", "fixed.tif", "moving.tif", "-o", "out", "--fuse", "magic"]) == 2
    assert not engine.calls
    assert main(["fuse", "fixed.tif", "moving.tif", "-o", "out.tif", "--method", "magic"]) == 2
    assert capsys.readouterr().err.count("laplacian") == 2


@pytest.mark.parametrize("options", [[], ["--mask", "mask.png"]])
def test_fuse_two_files(pair, options):
    registered = read_image("moving.tif").copy()
    registered[:20] = 0  # outside the warped frame
    valid = np.ones(registered.shape, bool)
    valid[: 20 if options else 21] = False  # a border is found one pixel wider
    write_image("registered.tif", registered)
    write_image("mask.png", valid.astype(np.uint8))
    command = ["fuse", "fixed.tif", "registered.tif", "-o", "fused.png", *options]
    assert main(command) == 0
    expected = fuse(read_image("fixed.tif"), registered, valid=valid)
    np.testing.assert_array_equal(read_image("fused.png"), expected)
    assert main(command) == 2  # it is there
    assert main([*command, "--force", "-q"]) == 0
