"""What models with trained weights share: loading, and the way from one grid to any pair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from napari_mmreg.alignment.levels import build_level, pair_tensors
from napari_mmreg.alignment.preview import show_alignment
from napari_mmreg.models.cascade import (
    SIZES,
    NetworkInput,
    NetworkOutput,
    Pass,
    fit_pass,
    make_prediction,
    warp_inputs,
)
from napari_mmreg.models.weights import shared_network, weights_folder

if TYPE_CHECKING:
    from torch import nn

    from napari_mmreg.imaging import Pair
    from napari_mmreg.models.protocol import ModelInfo, Prediction
    from napari_mmreg.run import Run


class TrainedModel(ABC):
    """A network for pairs of any size and aspect, see `napari_mmreg.models.cascade`.

    Parameters
    ----------
    network : nn.Module, optional
        By default the network with the weights that are installed, which all models of a name
        share.

    Attributes
    ----------
    multiple : int
        The sides of the network's images must be multiples of this.
    sizes : sequence of int
        Longer sides of the grids, one for each pass.
    cell : int
        Pixels per cell of its answers, see `cascade.fit_pass`.
    far : float
        Mean motion, in pixels at 256-px scale, below which no further pass follows: what the last
        one found is left to refinement. By default all passes are made.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """

    info: ModelInfo
    multiple: ClassVar[int]
    sizes: ClassVar[Sequence[int]] = SIZES
    cell: ClassVar[int] = 1
    far: ClassVar[float] = 0.0

    def __init__(self, network: nn.Module | None = None) -> None:
        self._given = network is not None
        self.network: Any = network if self._given else self._installed("cpu")

    def _installed(self, device: str) -> nn.Module:
        return shared_network(weights_folder(self.info.name), self.build_network, device)

    def move_network(self, device: str) -> None:
        """Have the network on a device; what others share is not moved, but loaded there."""
        if self._given:
            self.network.to(device)
        else:
            self.network = self._installed(device)

    @staticmethod
    @abstractmethod
    def build_network(settings: Mapping[str, Any]) -> nn.Module:
        """Return a network without weights."""

    @abstractmethod
    def call_network(self, inputs: NetworkInput) -> NetworkOutput:
        """Run the network once."""

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
            Of the pair's grid, see `cascade.make_prediction`.

        Raises
        ------
        Cancelled
            If the run was cancelled.
        """
        self.move_network(run.device)
        with torch.inference_mode():
            tensors = pair_tensors(pair, run.device)
            start = self.start(pair, run)
            if start is None:
                start = torch.eye(3, dtype=torch.float64, device=run.device)
            passes: list[Pass] = []
            for number, size in enumerate(self.sizes, start=1):
                if passes and passes[-1].near and passes[-1].motion() < self.far:
                    break
                level = build_level(tensors, size)
                before = passes[-1] if passes else None
                matrix = start if before is None else before.found
                last = number == len(self.sizes)
                inputs = warp_inputs(level, matrix, self.multiple, before, last=last)
                output = self.call_network(inputs)
                passes.append(fit_pass(level, matrix, inputs, output, self.cell))
                show_alignment(tensors, passes[-1].found, run)
                run.step(number / len(self.sizes))
            return make_prediction(passes[0], passes[-1])
