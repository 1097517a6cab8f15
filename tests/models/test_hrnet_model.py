"""HRNet behind the model protocol; with random weights and with the shipped ones."""

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
from napari_mmreg.models.hrnet.config import HRNetConfig
from napari_mmreg.models.hrnet.model import HRNetModel
from napari_mmreg.models.hrnet.network import HRNet
from napari_mmreg.models.weights import WEIGHTS_VARIABLE, save_weights
from napari_mmreg.run import Run

GOLDEN = Path(__file__).with_name("hrnet_flow.npy")
SMALL = HRNetConfig(widths=(8, 8, 12, 16, 16), blocks=(1, 1, 1, 1, 1), hidden=8, radii=(1, 1, 2, 2))
COFFEE = data.coffee()[40:360, 100:500].astype(np.float32)
FIXED, OTHER = COFFEE[..., 0], 255 - COFFEE[..., 2]


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    torch.manual_seed(0)
    save_weights(tmp_path / "hrnet", "hrnet", HRNet(SMALL).state_dict(), asdict(SMALL))
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    return HRNetModel()


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


def test_weights_of_another_architecture_are_refused(tmp_path, monkeypatch):
    other = HRNetConfig()
    save_weights(tmp_path / "hrnet", "hrnet", HRNet(SMALL).state_dict(), asdict(other))
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(ModelError, match="do not fit"):
        load_model("hrnet")


def shipped_flow():
    """Run the shipped network once on a fixed pair; every eighth pixel of the flow."""
    network = HRNetModel().network
    fixed = torch.from_numpy(FIXED[:192, :256] / 255)[None, None]
    moving = torch.from_numpy(OTHER[6:198, 4:260] / 255)[None, None]
    with torch.inference_mode():
        return network(fixed, moving).flow[0, :, ::8, ::8].numpy()


def test_shipped_weights_give_the_stored_flow():
    """Catches a change of the network, its inputs or its weights that changes answers."""
    np.testing.assert_allclose(shipped_flow(), np.load(GOLDEN), atol=0.05)


def test_shipped_weights_register_two_colours():
    """The red channel against the inverted blue one, turned, scaled and shifted."""
    true = MatrixTransform.from_params(
        rotation_degrees=7, scale=1.06, translation=(9, -14), center=(160, 200)
    )
    pair = prepare_pair(true.resample(FIXED, FIXED.shape, fill=np.nan), OTHER)
    found = load_model("hrnet").predict(pair, Run())
    truth = true.displacement(FIXED.shape)
    away = np.linalg.norm(found.transform.displacement(FIXED.shape) - truth, axis=-1)
    assert np.median(away[pair.fixed_mask]) < 2
    # Where it expects larger errors, they are larger.
    sure = found.error_scale < np.median(found.error_scale)
    assert away[pair.fixed_mask & sure].mean() < away[pair.fixed_mask & ~sure].mean()


if __name__ == "__main__":  # after new weights: python tests/models/test_hrnet_model.py
    np.save(GOLDEN, shipped_flow())
