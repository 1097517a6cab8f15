import pytest
import torch

from napari_mmreg.errors import ModelError
from napari_mmreg.training.recipe import Curriculum, Recipe, get_recipe, list_recipes


def test_every_recipe_is_complete():
    for name in list_recipes():
        recipe = get_recipe(name)
        assert isinstance(recipe, Recipe)
        # A second run of a model has its name and a word more.
        assert name == recipe.name or name.startswith(f"{recipe.name}-")
        model = recipe.build_model(recipe.constructor)
        assert isinstance(model, torch.nn.Module)


def test_unknown_recipe():
    with pytest.raises(ModelError, match="hrnet"):
        get_recipe("no-such")


def test_curriculum_changes_weights_by_progress():
    weights = Curriculum([(0.1, {"dense": 6.0}), (0.6, {"dense": 10.0}), (1.0, {"dense": 12.0})])
    found = [weights(p)["dense"] for p in (0.0, 0.099, 0.1, 0.59, 0.6, 1.0)]
    assert found == [6.0, 6.0, 10.0, 10.0, 12.0, 12.0]


@pytest.mark.parametrize("stages", [[], [(0.5, {})], [(0.6, {}), (0.5, {}), (1.0, {})]])
def test_curriculum_must_reach_the_end_in_order(stages):
    with pytest.raises(ValueError, match="end"):
        Curriculum(stages)
