"""What a recipe is, and the registry of recipes. A new system is one recipe module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_mmreg.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from napari_mmreg.training.batches import BatchConfig, TrainingBatch
    from napari_mmreg.training.pack import PackedPair
    from napari_mmreg.training.scores import Scorer
    from napari_mmreg.training.validation import ValidationConfig


@dataclass(frozen=True, slots=True)
class RecipeName:
    """The name that `get_recipe` knows a recipe by."""

    name: str


_RECIPES: Registry[RecipeName, Recipe] = Registry("recipe")


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


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """How one network is trained.

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
    data : str
        What it says about the samples.
    mixed : bool
        Whether CUDA may compute in bfloat16 and TensorFloat-32, which is faster.
    """

    name: str
    batches: BatchConfig
    optimisation: Optimisation
    constructor: Mapping[str, Any]
    notes: str
    data: str = "Aligned pairs, misaligned synthetically and changed in appearance at random."
    mixed: bool = True

    @abstractmethod
    def build_model(self, config: Mapping[str, Any]) -> nn.Module:
        """Return a new model; random weights come from torch's global generator."""

    def prepare(self, model: nn.Module, progress: float) -> None:  # noqa: B027
        """Get the model ready for a step: freeze or thaw parts of it as training proceeds.

        By default all parts learn all the time.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: TrainingBatch, progress: float) -> dict[str, Tensor]:
        """Return the loss's terms, weighted; their sum is minimised.

        Terms whose name begins with ``log_`` are only logged. `progress` runs from 0 to 1
        over the whole training.
        """

    @abstractmethod
    def scorer(self, pairs: Sequence[PackedPair], config: ValidationConfig, device: str) -> Scorer:
        """Return what scores a model on held-out pairs."""


@dataclass(frozen=True, kw_only=True)
class FlowRecipe(Recipe):
    """How a network that predicts a flow is trained.

    Attributes
    ----------
    unmasked_share : float
        Share of batches whose masks the network does not see: borders may go undetected.
    """

    unmasked_share: float = 0.0

    def draw_masks(
        self, batch: TrainingBatch, generator: torch.Generator
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the batch's masks, or none of them, by `unmasked_share`."""
        import torch

        if float(torch.rand((), generator=generator)) < self.unmasked_share:
            return None, None
        return batch.fixed_mask, batch.moving_mask

    def predict_flow(
        self,
        model: nn.Module,
        fixed: Tensor,
        moving: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the flow (B, 2, H, W), fixed to moving, (x, y) in px, of (B, C, H, W) images.

        By default that of the model's answer. The masks are None in validation: benchmarks do
        not give them either.
        """
        flow: Tensor = model(fixed, moving, fixed_mask, moving_mask).flow
        return flow

    def scorer(self, pairs: Sequence[PackedPair], config: ValidationConfig, device: str) -> Scorer:
        """Return a scorer of the registration error under the benchmark's protocols."""
        from napari_mmreg.training.scores import FlowScorer

        config = replace(config, channels=self.batches.channels)
        return FlowScorer(self.predict_flow, pairs, config, device)


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


def register_recipe(name: str, factory: str | Callable[[], Recipe]) -> None:
    """Add a recipe.

    Parameters
    ----------
    name : str
        The model's; a second run of a model has its name, a hyphen and a word more.
    factory : str or callable
        What returns the recipe. A string ``"module:name"`` is only imported when it is used.

    Raises
    ------
    InputError
        If the name is taken.
    """
    _RECIPES.add(RecipeName(name), factory)


def list_recipes() -> list[str]:
    """Return the names that `get_recipe` knows."""
    return [info.name for info in _RECIPES.infos()]


def get_recipe(name: str) -> Recipe:
    """Return the recipe of a model; its module is imported only now.

    Raises
    ------
    ModelError
        If there is none of that name.
    """
    return _RECIPES.load(name)


_ROOM = "napari_mmreg.training.recipes"
register_recipe("elastic", f"{_ROOM}.elastic:ElasticRecipe")
register_recipe("fusion-cnn", f"{_ROOM}.fusion:FusionRecipe")
register_recipe("fusionregister", f"{_ROOM}.fusionregister:FusionRegisterRecipe")
register_recipe("hrnet", f"{_ROOM}.hrnet:HRNetRecipe")
register_recipe("regnetmamba2", f"{_ROOM}.regnetmamba2:RegNetMamba2Recipe")
register_recipe("rfnet", f"{_ROOM}.rfnet:RFNetRecipe")
register_recipe("sasnet", f"{_ROOM}.sasnet:SASNetRecipe")
register_recipe("sasnet-rendering", f"{_ROOM}.sasnet_rendering:rendering_recipe")
