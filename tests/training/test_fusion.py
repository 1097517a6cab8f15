"""The recipe of the fusion network, in the one trainer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_mmreg.fusion.cnn import build_network
from napari_mmreg.models.weights import load_weights, read_config, weights_folder
from napari_mmreg.training.batches import BatchGenerator
from napari_mmreg.training.export import export
from napari_mmreg.training.pack import PackedPair
from napari_mmreg.training.recipe import get_recipe
from napari_mmreg.training.recipes.fusion import FusionRecipe, aligned_batches, grey_pair
from napari_mmreg.training.run_folder import write_run
from napari_mmreg.training.trainer import Trainer, TrainerConfig
from napari_mmreg.training.validation import ValidationConfig


def packed(number, modality="a", mask=None):
    random = np.random.default_rng(number)
    coarse = random.integers(0, 255, (2, 24, 28), dtype=np.uint8)
    fixed, moving = np.kron(coarse, np.ones((1, 5, 5), np.uint8))
    return PackedPair(str(number), "train", modality, "RoadScene", str(number), fixed, moving, mask)


def test_pairs_as_fusion_methods_see_them():
    flat = PackedPair("f", "train", "a", "RoadScene", "f", *2 * [np.zeros((60, 60), np.uint8)])
    assert grey_pair(flat) is None
    mask = np.ones((120, 140), bool)
    mask[:, :20] = False
    fixed, moving, known = grey_pair(packed(0, mask=mask))
    np.testing.assert_array_equal(known, mask)
    for image in (fixed, moving):
        assert image.dtype == np.float32
        assert (image.min(), image.max()) == (0, 1)


def test_batches_are_aligned_and_look_as_they_are():
    batch = next(BatchGenerator([packed(1)], aligned_batches(), 0))
    assert not batch.flow.any()
    assert not batch.mono.any()
    inside = batch.valid.expand_as(batch.moving)
    torch.testing.assert_close(batch.aligned[inside], batch.moving[inside], atol=1e-4, rtol=0)


@pytest.fixture
def trained(tmp_path):
    """A short run's recipe, trainer and pairs."""
    whole = get_recipe("fusion-cnn")
    recipe = replace(
        whole,
        batches=replace(whole.batches, batch=2, sizes=((32, 32),)),
        optimisation=replace(whole.optimisation, learning_rate=0.02, warm_up=5, average=0.8),
    )
    pairs = [packed(n, modality) for n, modality in ((0, "a"), (1, "b"), (2, "b"))]
    config = TrainerConfig(out=tmp_path / "run", steps=40)
    constructor = dict(recipe.constructor)
    trainer = Trainer(recipe, constructor, BatchGenerator(pairs, recipe.batches), config)
    write_run(config.out, recipe, constructor, pairs, {})
    return recipe, trainer, pairs


def test_training_lowers_the_loss_and_the_card_compares_with_the_pyramid(trained, tmp_path):
    recipe, trainer, pairs = trained
    scorer = recipe.scorer(pairs, ValidationConfig(), "cpu")
    before = scorer(trainer.model, None).watched
    trainer.run()
    after = scorer(trainer.model, None)
    assert after.watched["score"] < 0.9 * before["score"]
    folder = tmp_path / "weights"
    export(trainer.config.out, folder, after, which="last")
    loaded = load_weights(folder, build_network)
    images = torch.rand(2, 1, 1, 20, 20)
    torch.testing.assert_close(loaded(*images), trainer.average(*images))
    card = (folder / "card.md").read_text()
    assert read_config(folder).sha256 in card
    assert "| RoadScene | 3 |" in card
    assert "Means over 3 aligned pairs" in card
    ssim = after.watched["fusion_ssim"]
    assert any(line.endswith(f"| {ssim:.3f} |") for line in card.splitlines())


def test_the_shipped_weights_fit_the_recipe():
    folder = weights_folder("fusion-cnn")
    recipe = FusionRecipe()
    assert read_config(folder).constructor == recipe.constructor
    network = load_weights(folder, recipe.build_model)
    assert sum(p.numel() for p in network.parameters()) == 113
