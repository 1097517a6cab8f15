"""What models with trained weights share: loading, and the way from one grid to any pair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from napari_mmreg.models import looks
from napari_mmreg.models.weights import load_weights, weights_folder

if TYPE_CHECKING:
    from torch import nn

    from napari_mmreg.imaging import Pair
    from napari_mmreg.models.protocol import ModelInfo, Prediction
    from napari_mmreg.run import Run


class TrainedModel(ABC):
    """A network for pairs of any size and aspect, see `napari_mmreg.models.looks`.

    Parameters
    ----------
    network : nn.Module, optional
        By default the network with the weights that are installed.

    Attributes
    ----------
    multiple : int
        The sides of the network's images must be multiples of this.
    sizes : sequence of int
        Longer sides of the grids of its looks.
    cell : int
        Pixels per cell of its answers, see `looks.predict`.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """

    info: ModelInfo
    multiple: ClassVar[int]
    sizes: ClassVar[Sequence[int]] = looks.SIZES
    cell: ClassVar[int] = 1

    def __init__(self, network: nn.Module | None = None) -> None:
        if network is None:
            network = load_weights(weights_folder(self.info.name), self.build_network)
        self.network: Any = network

    @staticmethod
    @abstractmethod
    def build_network(settings: Mapping[str, Any]) -> nn.Module:
        """Return a network without weights."""

    @abstractmethod
    def look(self, seen: looks.Seen) -> looks.Look:
        """Ask the network once."""

    def start(self, pair: Pair, run: Run) -> Tensor | None:  # noqa: ARG002
        """Return the homography of the pair's grid, (3, 3), to begin with, if there is one."""
        return None

    def predict(self, pair: Pair, run: Run) -> Prediction:
        """Estimate a homography and a displacement of the pair's grid.

        Parameters
        ----------
        pair : Pair
        run : Run

        Returns
        -------
        Prediction
            With `global_part`, the homography alone, and `error_scale`; for its `extras` see
            `looks.predict`.
        """
        self.network.to(run.device)
        with torch.inference_mode():
            return looks.predict(
                self.look, self.multiple, pair, run, self.start(pair, run), self.sizes, self.cell
            )
