"""The trained fusion network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from napari_mmreg.errors import ModelError
from napari_mmreg.fusion import fuse
from napari_mmreg.fusion.cnn import FOLDER, CNNFusion
from napari_mmreg.fusion.network import FusionNet
from napari_mmreg.models.weights import WEIGHTS_VARIABLE, save_weights
from napari_mmreg.nn import bands

GOLDEN = Path(__file__).with_name("golden_cnn.npy")
COFFEE = data.coffee()[40:200, 100:300]


def shipped():
    return fuse(COFFEE[..., 0], 255 - COFFEE[..., 2], "cnn")[::4, ::4]


def test_its_shape_is_mmdrfuses():
    assert sum(p.numel() for p in FusionNet().parameters()) == 113


def test_the_reach_is_as_far_as_a_pixel_acts():
    network = FusionNet((4, 4))
    images = torch.rand(2, 1, 1, 31, 31)
    changed = images.clone()
    changed[0, ..., 15, 15] += 0.5
    rows = (network(*images) != network(*changed))[0, 0].any(1).nonzero()
    assert rows.max() - 15 <= network.reach == 3


def test_shipped_weights_give_the_stored_picture():
    np.testing.assert_allclose(shipped().astype(int), np.load(GOLDEN), atol=1)


def test_bands_change_nothing(monkeypatch):
    whole = shipped()
    monkeypatch.setattr(bands, "ROWS", 48)
    np.testing.assert_array_equal(shipped(), whole)


def test_shipped_weights_keep_edges_of_either_image():
    from napari_mmreg.evaluation.fusion_quality import q_abf

    one, other = COFFEE[..., 0], 255 - COFFEE[..., 2]
    mean = (one.astype(float) + other) / 2
    assert q_abf(one, other, fuse(one, other, "cnn")) > q_abf(one, other, mean) + 0.05


def test_missing_or_foreign_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    save_weights(tmp_path / FOLDER, FOLDER, FusionNet((5,)).state_dict(), {"widths": [4]})
    with pytest.raises(ModelError, match="do not fit"):
        CNNFusion()
    monkeypatch.setattr(
        "napari_mmreg.fusion.cnn.weights_folder", lambda name: (_ for _ in ()).throw(ModelError(""))
    )
    with pytest.raises(ModelError, match="laplacian"):
        CNNFusion()


if __name__ == "__main__":  # after new weights: python tests/fusion/test_cnn.py
    np.save(GOLDEN, shipped())
