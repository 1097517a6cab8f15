import pytest
import torch

from napari_mmreg.training.appearance import AppearanceConfig
from napari_mmreg.training.batches import BatchConfig, BatchGenerator
from napari_mmreg.training.pack import PackedPair
from napari_mmreg.training.recipe import Optimisation
from napari_mmreg.training.record import Table
from napari_mmreg.training.scores import by, summarise, watched
from napari_mmreg.training.trainer import Trainer, TrainerConfig
from napari_mmreg.training.validation import ValidationConfig, Validator
from tiny_recipe import TinyRecipe, fit_affine


def test_affine_fit_withstands_outliers():
    torch.manual_seed(0)
    source = 200 * torch.rand(2, 300, 2)
    true = torch.tensor([[[1.1, 0.1, 5.0], [-0.1, 0.9, -8.0]]]).expand(2, -1, -1)
    target = source @ true[:, :, :2].transpose(1, 2) + true[:, None, :, 2]
    target[:, :90] = 200 * torch.rand(2, 90, 2)
    found = fit_affine(source, target, torch.ones(2, 300), [64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 2.0])
    assert torch.allclose(found[:, :, :2], true[:, :, :2], atol=2e-3)
    assert torch.allclose(found[:, :, 2], true[:, :, 2], atol=0.2)


def test_flow_follows_the_image_size():
    recipe = TinyRecipe()
    model = recipe.build_model({"width": 4})
    with torch.inference_mode():
        flow = recipe.predict_flow(model, torch.rand(2, 1, 70, 101), torch.rand(2, 1, 70, 101))
    assert flow.shape == (2, 2, 70, 101)
    assert bool(flow.isfinite().all())


@pytest.mark.slow
def test_the_trainer_learns_a_handful_of_pairs(tmp_path):
    """Through the real trainer: losses fall, and RE falls far below that of doing nothing."""
    from skimage import data
    from skimage.transform import resize
    from skimage.util import img_as_ubyte

    pairs = []
    for name in ("camera", "coins", "brick", "gravel"):
        image = img_as_ubyte(resize(getattr(data, name)(), (160, 160), anti_aliasing=True))
        pairs.append(PackedPair(name, "train", name, "own", name, image, 255 - image // 2))
    recipe = TinyRecipe(
        batches=BatchConfig(
            batch=4,
            sizes=((128, 128),),
            wide_share=0.2,
            appearance=AppearanceConfig(strength=0.3),
        ),
        optimisation=Optimisation(learning_rate=3e-3, warm_up=10, average=0.95),
    )
    config = ValidationConfig(protocols=("R96", "N96c"), per_modality=None)
    validator = Validator(pairs, config)

    def validate(model):
        return watched(validator.run(lambda f, m: recipe.predict_flow(model, f, m)))

    trainer = Trainer(
        recipe,
        {"width": 8},
        BatchGenerator(pairs, recipe.batches),
        TrainerConfig(out=tmp_path, steps=110, log_steps=10, validate_steps=1000),
        validate,
    )
    untrained = validate(trainer.average)
    trainer.run()
    losses = [float(row["loss"]) for row in Table(tmp_path / "log.csv", 1000).rows]
    assert losses[-1] < 0.7 * losses[0]
    scores = validator.run(lambda f, m: recipe.predict_flow(trainer.average, f, m))
    for group in by(scores, "protocol").values():
        found = summarise(group)
        assert found.median < 0.4 * found.identity
        assert found.mean < 0.4 * found.identity
        assert 0.8 < found.ratio < 1.2
    assert watched(scores)["score"] < 0.7 * untrained["score"]
