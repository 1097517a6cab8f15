"""The trained networks behind the model protocol; with random weights and with the shipped ones."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from napari_mmreg.errors import Cancelled, ModelError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.models import load_model
from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.network import FusionRegister
from napari_mmreg.models.hrnet.config import HRNetConfig
from napari_mmreg.models.hrnet.network import HRNet
from napari_mmreg.models.regnetmamba2.network import RegNetMamba2, RegNetMamba2Config
from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.network import RFNet
from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.network import SASNet
from napari_mmreg.models.weights import WEIGHTS_VARIABLE, save_weights
from napari_mmreg.run import Run
from napari_mmreg.training.recipe import get_recipe

SMALL = {
    "hrnet": HRNetConfig(
        widths=(8, 8, 12, 16, 16), blocks=(1, 1, 1, 1, 1), hidden=8, radii=(1, 1, 2, 2)
    ),
    "regnetmamba2": RegNetMamba2Config(widths=(8, 12, 16), state=4, blocks=1),
    "rfnet": RFNetConfig(translator=(8, 8), style=4, widths=(8, 12, 16), fusion=(6, 8), fine=8),
    "sasnet": SASNetConfig(
        widths=(8, 12, 16), blocks=(1, 1), appearance=(6, 8, 10), code=6, matched=8, hidden=8
    ),
    "fusionregister": FusionRegisterConfig(
        widths=(8, 12, 16), matched=(6, 8, 8), fused=6, hidden=8, detail=4
    ),
}
NETWORKS = {
    "hrnet": (HRNet, HRNetConfig),
    "regnetmamba2": (RegNetMamba2, RegNetMamba2Config),
    "rfnet": (RFNet, RFNetConfig),
    "sasnet": (SASNet, SASNetConfig),
    "fusionregister": (FusionRegister, FusionRegisterConfig),
}
COFFEE = data.coffee()[40:360, 100:500].astype(np.float32)
FIXED, OTHER = COFFEE[..., 0], 255 - COFFEE[..., 2]


@pytest.fixture(params=list(SMALL))
def name(request):
    return request.param


@pytest.fixture
def untrained(name, tmp_path, monkeypatch):
    torch.manual_seed(0)
    network, small = NETWORKS[name][0](SMALL[name]), asdict(SMALL[name])
    save_weights(tmp_path / name, name, network.state_dict(), small)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    return load_model(name)


@pytest.mark.parametrize("shape", [(16, 16), (33, 200), (300, 47), (320, 400)], ids=str)
def test_any_size_and_aspect(untrained, shape):
    pair = prepare_pair(FIXED[: shape[0], : shape[1]], OTHER[: shape[0], : shape[1]])
    one, two = untrained.predict(pair, Run()), untrained.predict(pair, Run())
    displacement = one.transform.displacement(pair.shape)
    assert np.isfinite(displacement).all()
    assert one.error_scale.shape == pair.shape
    assert (one.error_scale > 0).all()
    np.testing.assert_array_equal(displacement, two.transform.displacement(pair.shape))


def test_it_can_be_cancelled(untrained):
    with pytest.raises(Cancelled):
        untrained.predict(prepare_pair(FIXED, OTHER), Run(cancel=lambda: True))


def test_weights_of_another_architecture_are_refused(name, tmp_path, monkeypatch):
    network, config = NETWORKS[name]
    save_weights(tmp_path / name, name, network(SMALL[name]).state_dict(), asdict(config()))
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(ModelError, match="do not fit"):
        load_model(name)


def golden(name):
    return Path(__file__).with_name(f"golden_{name}.npy")


def shipped_flow(name):
    """Run the shipped network once on a fixed pair; every eighth pixel of the flow."""
    fixed = torch.from_numpy(FIXED[:192, :256] / 255)[None, None]
    moving = torch.from_numpy(OTHER[6:198, 4:260] / 255)[None, None]
    with torch.inference_mode():
        flow = get_recipe(name).predict_flow(load_model(name).network, fixed, moving)
    return flow[0, :, ::8, ::8].numpy()


def test_shipped_weights_give_the_stored_flow(name):
    """Catches a change of the network, its inputs or its weights that changes answers."""
    np.testing.assert_allclose(shipped_flow(name), np.load(golden(name)), atol=0.1)


def two_colours(true):
    """Return the red channel, moved, against the inverted blue one."""
    return prepare_pair(true.resample(FIXED, FIXED.shape, fill=np.nan), OTHER)


def distance(true, found, pair):
    displacement = found.transform.displacement(FIXED.shape) - true.displacement(FIXED.shape)
    return np.linalg.norm(displacement, axis=-1)[pair.fixed_mask]


def test_shipped_weights_register_two_colours(name):
    moved = {"rotation_degrees": 7, "scale": 1.06, "translation": (9, -14)}
    if name == "fusionregister":  # made for what is left of a misalignment
        moved = {"rotation_degrees": 1.5, "scale": 1.03, "translation": (2, -3)}
    true = MatrixTransform.from_params(**moved, center=(160, 200))
    pair = two_colours(true)
    found = load_model(name).predict(pair, Run())
    away = distance(true, found, pair)
    assert np.median(away) < 2.5  # 1.6 px at 256-px scale
    # Where it expects larger errors, they are larger.
    expected = found.error_scale[pair.fixed_mask]
    sure = expected < np.median(expected)
    assert away[sure].mean() < away[~sure].mean()


@pytest.mark.parametrize("turn", [40, 90, -170])
def test_matching_finds_any_rotation(turn):
    true = MatrixTransform.from_params(rotation_degrees=turn, center=(160, 200))
    pair = two_colours(true)
    found = load_model("regnetmamba2").predict(pair, Run())
    assert np.median(distance(true, found, pair)) < 3
    matches = found.matches
    error = np.linalg.norm(true.map(matches[:, :2]) - matches[:, 2:4], axis=1)
    assert len(matches) > 100
    assert np.median(error) < 3


if __name__ == "__main__":  # after new weights: python tests/models/test_trained_models.py
    for each in SMALL:
        np.save(golden(each), shipped_flow(each))
