"""RegNetMamba-2 behind the model protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_mmreg.alignment.levels import Level, build_level, pair_tensors
from napari_mmreg.models.cascade import NetworkInput, NetworkOutput, warp_inputs
from napari_mmreg.models.registry import get_info
from napari_mmreg.models.regnetmamba2.matching import (
    coarse_affine,
    dense_error,
    dense_places,
    likeliest,
    match,
)
from napari_mmreg.models.regnetmamba2.network import COARSE, RegNetMamba2, RegNetMamba2Config
from napari_mmreg.models.trained import TrainedModel
from napari_mmreg.nn.homography import plausible

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

TURNS = (0, 45, -45, 90, -90, 135, -135, 180)
"""Degrees by which the moving image is turned to begin with; the network knows up to 45 more."""

SEARCH = 160
"""Longer side of the grid on which the turns are tried."""

SURE = 0.06
"""Consensus from which on no other turn is tried. On `train`, right turns have 0.04 to 0.28 and
wrong ones below 0.035, except in images that look alike from all sides."""

UPRIGHT = 1.5
"""How many times the consensus another turn must have to be believed rather than none."""

MATCHES = 1000
"""Single matches that are handed on, at most."""


class RegNetMamba2Model(TrainedModel):
    """RegNetMamba-2 for pairs of any size, aspect and rotation.

    Its matches are the likeliest ones that obey the homography.
    """

    info = get_info("regnetmamba2")
    multiple = COARSE

    @staticmethod
    def build_network(settings: Mapping[str, Any]) -> RegNetMamba2:
        """Return a network without weights."""
        return RegNetMamba2(RegNetMamba2Config.from_json(settings))

    def start(self, pair: Pair, run: Run) -> Tensor:
        """Return the homography of the pair's grid, (3, 3), that the most cells agree on."""
        level = build_level(pair_tensors(pair, run.device), SEARCH)
        nothing = torch.eye(3, dtype=torch.float64, device=run.device)
        best, merit = nothing, 0.0
        for turn in TURNS:
            run.check()
            matrix, consensus = self.agreement(level, _turn(turn, pair.shape, nothing))
            if not bool(plausible(matrix[None], *pair.shape)):
                continue
            worth = consensus * (UPRIGHT if turn == 0 else 1.0)
            if worth > merit:
                best, merit = matrix, worth
            if consensus > SURE:
                break
        return best

    def agreement(self, level: Level, before: Tensor) -> tuple[Tensor, float]:
        """Match cells after a homography; return it improved, and the matches' consensus."""
        inputs = warp_inputs(level, before, COARSE)
        features = self.network(*inputs.images)
        temperature = self.network.log_temperatures[0].exp()
        affine, consensus = coarse_affine(features, temperature, inputs.fixed_mask)
        step = torch.eye(3, dtype=torch.float64, device=affine.device)
        step[:2] = affine.double()
        return level.to_full(level.from_full(before) @ step), consensus

    def call_network(self, inputs: NetworkInput) -> NetworkOutput:
        """One forward pass and its matches."""
        features = self.network(*inputs.images)
        shape = (inputs.fixed.shape[-2], inputs.fixed.shape[-1])
        found = match(features, self.network.log_temperatures, shape, inputs.fixed_mask)
        return NetworkOutput(
            dense_places(found, shape), dense_error(found, shape), likeliest(found, MATCHES)
        )


def _turn(degrees: float, shape: tuple[int, int], like: Tensor) -> Tensor:
    """Turn a frame about its centre: (3, 3), (x, y), fixed to moving."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    return like.new_tensor(
        [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0.0, 0.0, 1.0]]
    )
