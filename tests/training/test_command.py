import argparse
import json

import imageio.v3 as iio
import pytest
import torch

import tiny_recipe  # noqa: F401 - registers the recipe "tiny"
from napari_mmreg.errors import DeviceError, InputError, ModelError
from napari_mmreg.models.weights import load_weights
from napari_mmreg.training.__main__ import main
from napari_mmreg.training.checkpoint import list_checkpoints, load_checkpoint
from napari_mmreg.training.command import _adapt, add_arguments, run
from napari_mmreg.training.recipe import get_recipe, list_recipes


def train(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def pack(own_folder, tmp_path):
    path = tmp_path / "pack.npz"
    assert main(["pack", "--data", str(own_folder), "--out", str(path), "--long-side", "96"]) == 0
    return path


SMALL = ("--size", 64, "--batch", 2, "--device", "cpu", "--set", "width=4", "--per-modality", 1)
QUICK = ("--protocols", "R64")


def test_from_a_folder_of_pairs_to_weights_with_a_card(pack, tmp_path, capsys):
    out = tmp_path / "run"
    assert train("tiny", "--data", pack, "--out", out, "--steps", 2, *SMALL, *QUICK) == 0
    for name in ("run.json", "log.csv", "validation.csv", "scores.csv", "worst.png"):
        assert (out / name).is_file() or name == "log.csv"
    with pytest.raises(InputError, match="--resume"):
        train("tiny", "--data", pack, "--out", out, "--steps", 3, *SMALL)
    assert (
        train("tiny", "--data", pack, "--out", out, "--steps", 3, "--resume", *SMALL, *QUICK) == 0
    )
    assert "Going on from step 2" in capsys.readouterr().out

    weights = tmp_path / "weights" / "tiny"
    shared = ["--data", str(pack), "--protocols", "R96,Z64", "--per-modality", "1"]
    assert main(["validate", str(out), *shared]) == 0
    assert "| R96 | 1 |" in capsys.readouterr().out
    assert main(["export", str(out), *shared, "--out", str(weights), "--which", "last"]) == 0
    recipe = get_recipe("tiny")
    model = load_weights(weights, recipe.build_model)
    flow = recipe.predict_flow(model, torch.rand(1, 1, 64, 72), torch.rand(1, 1, 64, 72))
    assert flow.shape == (1, 2, 64, 72)
    config = json.loads((weights / "config.json").read_text())
    assert config["constructor"] == {"width": 4}
    assert config["extra"]["step"] == 3
    card = (weights / "card.md").read_text()
    assert config["sha256"] in card
    assert "| own |" in card  # the source, with its number of pairs
    assert "| R96 | 1 |" in card
    assert (weights / "curves.png").is_file()

    on = tmp_path / "on"
    arguments = ("tiny", "--data", pack, "--out", on, "--steps", 1, "--init", weights)
    assert (
        train(*arguments, "--rate", 0, *SMALL[:6], *QUICK) == 0
    )  # width 4 is what the weights have
    begun = load_checkpoint(list_checkpoints(on / "checkpoints")[-1])
    for name, value in model.state_dict().items():
        assert torch.equal(begun.model[name], value)
    with pytest.raises(ModelError, match="do not fit"):
        train(*arguments[:4], tmp_path / "other", *arguments[5:], *SMALL[:6], "--set", "width=8")


def test_a_run_validates_what_it_is_told(pack, tmp_path):
    out = tmp_path / "run"
    asked = ("--protocols", "S64,Z64", "--steps", 1)
    assert train("tiny", "--data", pack, "--out", out, *asked, *SMALL) == 0
    head = (out / "validation.csv").read_text().splitlines()[0].split(",")
    assert {"S64_median", "Z64_median"} <= set(head)
    assert "R256_median" not in head


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_takes_the_options(name):
    args = argparse.Namespace(batch=2, size=[64, 96], rate=0.5, recipe=[])
    adapted = _adapt(get_recipe(name), args)
    assert adapted.batches.batch == 2
    assert adapted.batches.sizes == ((64, 64), (96, 96))
    assert adapted.optimisation.learning_rate == 0.5
    assert get_recipe(name).batches.batch != 2


def test_sheet(pack, tmp_path):
    path = tmp_path / "sheet.png"
    arguments = ["sheet", "--data", str(pack), "--out", str(path), "--count", "3", "--size", "64"]
    assert main(arguments) == 0
    assert iio.imread(path).shape == (3 * 68, 7 * 68, 3)


def test_errors_are_told_without_a_traceback(tmp_path, capsys):
    assert main(["sheet", "--data", str(tmp_path / "no")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_run_without_result_cannot_be_exported(tmp_path, capsys):
    assert main(["export", str(tmp_path)]) == 2
    assert "not the folder of a training run" in capsys.readouterr().err


def test_numbers_of_the_recipe_can_be_given():
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    def adapted(number):
        options = ["hrnet", "--out", "x", "--recipe", number]
        return _adapt(get_recipe("hrnet"), parser.parse_args(options))

    assert adapted("jitter=6").jitter == 6
    with pytest.raises(InputError, match=r"no numbers .*notes.* it has .*jitter"):
        adapted("notes=none")
    with pytest.raises(InputError, match=r"takes numbers, not .*jitter.*wide"):
        adapted("jitter=wide")


def test_settings_and_devices_are_checked(pack, tmp_path):
    start = ("tiny", "--data", pack, "--out", tmp_path / "r", "--steps", 1)
    with pytest.raises(InputError, match="NAME=VALUE"):
        train(*start, "--set", "width")
    with pytest.raises(DeviceError, match="no device called 'abacus'"):
        train(*start, "--device", "abacus")
