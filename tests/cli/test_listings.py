"""mmreg itself, mmreg models and mmreg samples."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

import napari_mmreg
from napari_mmreg.cli import COMMANDS, main
from napari_mmreg.fusion import list_fusions
from napari_mmreg.geometry import Transform
from napari_mmreg.io import read_image, read_landmarks
from napari_mmreg.models import list_models
from napari_mmreg.samples import list_samples, load_sample


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"\n    {name}\s", out)  # long names have a line of their own


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert "options:" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == napari_mmreg.__version__


def test_without_a_command_usage_is_shown(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "napari_mmreg.cli", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == napari_mmreg.__version__


def test_models_are_listed(capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    for info in list_models():
        assert info.name in out
        assert info.purpose in out
        assert info.licence in out
    assert "'auto' is " in out
    for fusion in list_fusions():
        assert fusion.name in out
        assert fusion.purpose in out


def test_models_without_their_weights_are_marked(capsys, monkeypatch, tmp_path):
    from napari_mmreg.models import ModelInfo, registry

    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    monkeypatch.setenv("MMREG_WEIGHTS", str(tmp_path))
    info = ModelInfo("spare", "Spare", "For this test.", "BSD-3-Clause", reference="nowhere 1999")
    registry.register_model(info, "nowhere:nothing")
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("spare ")]
    assert "missing" in line
    assert "spare: nowhere 1999" in out
    (tmp_path / "spare").mkdir()
    (tmp_path / "spare" / "config.json").write_text("{}")
    assert main(["models"]) == 0
    (line,) = [ln for ln in capsys.readouterr().out.splitlines() if ln.startswith("spare ")]
    assert "installed" in line


def test_models_can_say_what_computes_here(capsys):
    assert main(["models", "--devices"]) == 0
    assert "Here 'auto' takes c" in capsys.readouterr().out


def test_samples_are_listed(capsys):
    assert main(["samples"]) == 0
    out = capsys.readouterr().out
    for info in list_samples():
        assert info.name in out
        assert info.notes in out
    assert "download" in out


def test_a_sample_is_written_with_its_truth(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["samples", "visible_thermal_simulated"]) == 0
    sample = load_sample("visible_thermal_simulated")
    folder = tmp_path / "visible_thermal_simulated"
    np.testing.assert_array_equal(read_image(folder / "moving.tif"), sample.moving)
    np.testing.assert_array_equal(read_image(folder / "fixed.tif"), sample.fixed)
    pairs = read_landmarks(folder / "landmarks.csv")
    truth = Transform.load(folder / "truth.npz")
    np.testing.assert_allclose(truth.map(pairs.fixed), pairs.moving)
    assert main(["samples", "visible_thermal_simulated"]) == 2  # not replaced without --force
    assert main(["samples", "visible_thermal_simulated", "--force"]) == 0


def test_unknown_sample(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["samples", "lena"]) == 2
    assert "There is no sample 'lena'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
