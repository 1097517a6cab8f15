import json

import pytest
import torch
from torch import nn

from napari_mmreg.errors import ModelError
from napari_mmreg.models import list_models
from napari_mmreg.models.weights import (
    PACKAGED,
    file_sha256,
    load_weights,
    read_config,
    save_weights,
    shared_network,
    weights_folder,
)


def build(config):
    return nn.Sequential(nn.Linear(config["width"], 2), nn.Dropout(0.5))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    network = build({"width": 3})
    save_weights(tmp_path / "m", "m", network.state_dict(), {"width": 3}, {"step": 7})
    return tmp_path / "m"


def test_round_trip(folder):
    torch.manual_seed(0)
    expected = build({"width": 3})
    network = load_weights(folder, build)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert torch.equal(network[0].weight, expected[0].weight)
    config = read_config(folder)
    assert (config.model, config.constructor, config.extra) == ("m", {"width": 3}, {"step": 7})


def test_a_shared_network_is_read_once_until_its_files_change(folder):
    first = shared_network(folder, build)
    assert shared_network(str(folder), build) is first
    assert load_weights(folder, build) is not first
    save_weights(folder, "m", build({"width": 4}).state_dict(), {"width": 4})
    assert shared_network(folder, build)[0].in_features == 4
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="is missing"):
        shared_network(folder, build)


def test_loading_leaves_the_random_state_alone(folder):
    before = torch.get_rng_state()
    load_weights(folder, build)
    assert torch.equal(torch.get_rng_state(), before)


def test_changed_weights_are_refused(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="sha256 differs"):
        load_weights(folder, build)


def test_missing_files(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        load_weights(folder, build)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match="not a folder of weights"):
        load_weights(folder, build)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 1, "model": "m"}'])
def test_damaged_config(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match="damaged"):
        read_config(folder)


def test_newer_format(folder):
    entries = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**entries, "format": 2}))
    with pytest.raises(ModelError, match="update napari-mmreg"):
        read_config(folder)


@pytest.mark.parametrize("constructor", [{"width": 4}, {"deep": 3}])
def test_weights_must_fit_exactly(folder, constructor):
    entries = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**entries, "constructor": constructor}))
    with pytest.raises(ModelError, match="do not fit"):
        load_weights(folder, build)


def test_extra_and_lacking_tensors_are_refused(folder):
    with pytest.raises(ModelError, match="do not fit"):
        load_weights(folder, lambda c: nn.Sequential(*build(c), nn.Linear(2, 2)))


def test_weights_come_with_the_package():
    for name in ["fusion-cnn", *(info.name for info in list_models() if info.needs_weights)]:
        folder = weights_folder(name)
        assert folder == PACKAGED / name
        assert file_sha256(folder / "model.safetensors") == read_config(folder).sha256
        assert (folder / "card.md").is_file()


def test_where_weights_are_looked_for(folder, monkeypatch):
    monkeypatch.setenv("MMREG_WEIGHTS", str(folder.parent))
    assert weights_folder("m") == folder
    assert weights_folder("hrnet") == PACKAGED / "hrnet"
    with pytest.raises(ModelError, match="MMREG_WEIGHTS"):
        weights_folder("no-such-model")
