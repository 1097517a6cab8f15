"""What a recipe is, and the registry of recipes. A new system is one recipe module."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from napari_mmreg.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_mmreg.training.batches import BatchConfig, TrainingBatch

# Name -> module below training.recipes, which holds the recipe as `RECIPE`.
_RECIPES = {
    "fusionregister": "fusionregister",
    "hrnet": "hrnet",
    "regnetmamba2": "regnetmamba2",
    "rfnet": "rfnet",
    "sasnet": "sasnet",
    "sasnet-rendering": "sasnet_rendering",
    "tiny": "tiny",
}


@dataclass(frozen=True, slots=True)
class Optimisation:
    """How a model's parameters are stepped.

    Attributes
    ----------
    learning_rate, weight_decay, betas : float
        Of AdamW.
    warm_up : float
        Steps over which the rate rises from zero.
    final : float
        The rate at the end as a part of `learning_rate`; a cosine leads there.
    clip : float
        Largest gradient norm.
    average : float
        Decay of the exponential moving average of the weights; validated and exported.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.98)
    warm_up: int = 50
    final: float = 0.02
    clip: float = 1.0
    average: float = 0.998


@runtime_checkable
class Recipe(Protocol):
    """How one system is trained; a frozen dataclass.

    Attributes
    ----------
    name : str
        The model's name.
    batches : BatchConfig
        The batches it likes; the command line may change their number and size.
    optimisation : Optimisation
    constructor : mapping
        Default arguments of `build_model`; JSON types only, they are stored with the weights.
    notes : str
        What a model card should say about the recipe.
    """

    name: str
    batches: BatchConfig
    optimisation: Optimisation
    constructor: Mapping[str, Any]
    notes: str

    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new model; random weights come from torch's global generator."""
        ...

    def prepare(self, model: nn.Module, progress: float) -> None:
        """Get the model ready for a step: freeze or thaw parts of it as training proceeds."""
        ...

    def loss(self, model: nn.Module, batch: TrainingBatch, progress: float) -> dict[str, Tensor]:
        """Return the loss's terms, weighted; their sum is minimised.

        Terms whose name begins with ``log_`` are only logged. `progress` runs from 0 to 1
        over the whole training.
        """
        ...

    def predict_flow(
        self,
        model: nn.Module,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the flow (B, 2, H, W), fixed to moving, (x, y) in px, of (B, C, H, W) images.

        The masks are None in validation: benchmarks do not give them either.
        """
        ...


class Curriculum:
    """Loss weights that change in stages, by progress.

    Parameters
    ----------
    stages : sequence of (float, mapping)
        Progress at which each stage ends (the last one at 1), and its weights.

    Examples
    --------
    >>> stages = [(0.1, {"dense": 6.0}), (0.6, {"dense": 10.0}), (1.0, {"dense": 12.0})]
    >>> Curriculum(stages)(0.3)["dense"]
    10.0
    """

    def __init__(self, stages: Sequence[tuple[float, Mapping[str, float]]]) -> None:
        ends = [end for end, _ in stages]
        if not ends or ends != sorted(ends) or ends[-1] < 1.0:
            raise ValueError("Stages must end in rising order, the last one at 1.")
        self._stages = [(end, dict(weights)) for end, weights in stages]

    def __call__(self, progress: float) -> dict[str, float]:
        """Return the weights at a progress in [0, 1]."""
        for end, weights in self._stages:
            if progress < end:
                return weights
        return self._stages[-1][1]


def list_recipes() -> list[str]:
    """Return the names that `get_recipe` knows."""
    return sorted(_RECIPES)


def get_recipe(name: str) -> Recipe:
    """Return the recipe of a model; its module is imported only now.

    Raises
    ------
    ModelError
        If there is none of that name.
    """
    if name not in _RECIPES:
        raise ModelError(f"There is no recipe {name!r}; there are: {', '.join(list_recipes())}.")
    module = importlib.import_module(f"napari_mmreg.training.recipes.{_RECIPES[name]}")
    recipe = module.RECIPE
    if not isinstance(recipe, Recipe):
        raise ModelError(f"The recipe {name!r} lacks a part; see training/recipe.py.")
    return recipe
