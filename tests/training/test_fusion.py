"""Training of the fusion network, small."""

import json

import numpy as np
import pytest
import torch

from napari_mmreg.errors import InputError
from napari_mmreg.fusion.cnn import build_network
from napari_mmreg.models.weights import load_weights, read_config
from napari_mmreg.training.fusion import FusionTraining, compare, crops, grey_pairs, train
from napari_mmreg.training.fusion_export import export
from napari_mmreg.training.pack import PackedPair

SMALL = FusionTraining(steps=40, batch=2, size=32, rate=0.02)


def packed(number, modality="a", mask=None):
    random = np.random.default_rng(number)
    coarse = random.integers(0, 255, (2, 12, 14), dtype=np.uint8)
    fixed, moving = np.kron(coarse, np.ones((1, 5, 5), np.uint8))
    return PackedPair(str(number), "train", modality, "RoadScene", str(number), fixed, moving, mask)


def test_flat_pairs_are_left_out():
    flat = PackedPair("f", "train", "a", "RoadScene", "f", *2 * [np.zeros((60, 60), np.uint8)])
    assert len(grey_pairs([packed(0), flat])) == 1


def test_crops_have_data_and_both_orders():
    mask = np.ones((60, 70), bool)
    mask[:, :20] = False
    (pair,) = grey_pairs([packed(1, mask=mask)])
    batches = crops([pair], SMALL, np.random.default_rng(0))
    means = []
    for _ in range(30):
        images, valid = next(batches)
        assert images.shape == (2, 2, 32, 32)
        assert valid.mean(dim=(1, 2, 3)).min() >= 0.9
        means += (images[:, 0] - images[:, 1]).mean(dim=(1, 2)).tolist()
    assert min(means) < 0 < max(means)
    with pytest.raises(InputError, match="larger than"):
        next(crops([pair], FusionTraining(size=200), np.random.default_rng(0)))


def test_training_lowers_the_loss_and_repeats(tmp_path):
    raw = [packed(n, modality) for n, modality in ((0, "a"), (1, "b"), (2, "b"))]
    pairs = grey_pairs(raw)
    before = train(pairs, FusionTraining(steps=0))
    one, two = train(pairs, SMALL), train(pairs, SMALL)
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(first, second)
    scores = compare(one, pairs)
    assert scores["cnn"]["fusion_ssim"] > compare(before, pairs)["cnn"]["fusion_ssim"]
    export(one, tmp_path, SMALL, raw, scores, len(pairs))
    loaded = load_weights(tmp_path, build_network)
    images = torch.rand(2, 1, 1, 20, 20)
    torch.testing.assert_close(loaded(*images), one(*images))
    card = (tmp_path / "card.md").read_text()
    assert read_config(tmp_path).sha256 in card
    assert "| RoadScene | 3 |" in card
    assert json.loads((tmp_path / "config.json").read_text())["extra"]["steps"] == 40
