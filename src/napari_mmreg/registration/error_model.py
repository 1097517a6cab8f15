"""From measurements to how large the error probably is: two small calibrated networks.

One says how large the mean error of the whole is, the other how large the error of each pixel is.
Both give a log-logistic distribution. ``benchmarks/calibration.py`` trains them on scenes that the
elastic stage has not seen, and scores them; ``weights/trust/`` holds them and their card. Ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mmreg.models.weights import shared_network, weights_folder
from napari_mmreg.nn.config import NetworkConfig
from napari_mmreg.registration.error_estimate import ErrorEstimate

if TYPE_CHECKING:
    from napari_mmreg.registration.measurements import Measurements

NAME = "trust"
WHOLE, LOCAL = 19, 9
"""Measurements of a result in whole, and of each of its pixels."""

LIMIT = 2.0
"""Standard deviations beyond which a measurement counts as this far away only: in a modality that
the training has not seen, measurements lie further out, where nothing was learned."""

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ErrorModelConfig(NetworkConfig):
    """Constructor arguments of `ErrorModel`; JSON types only.

    Attributes
    ----------
    hidden : tuple of two int
        Units of the two hidden layers.
    members : tuple of two int
        Networks whose mean answers for the whole, and for a pixel.
    dropout : float
        Share of the first layer's units that are left out in a step of the training.
    """

    hidden: tuple[int, ...] = (24, 12)
    members: tuple[int, ...] = (6, 4)
    dropout: float = 0.3


class ErrorNetwork(nn.Module):
    """The mean of small networks that read an error's distribution off n measurements.

    Attributes
    ----------
    centre, deviation : Tensor of shape (n,)
        Of the measurements, which are standardised by them.
    members : ModuleList
    """

    centre: Tensor
    deviation: Tensor

    def __init__(self, inputs: int, members: int, config: ErrorModelConfig) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))
        first, second = config.hidden
        self.members = nn.ModuleList(
            nn.Sequential(
                nn.Linear(inputs, first),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(first, second),
                nn.GELU(),
                nn.Linear(second, 2),
            )
            for _ in range(members)
        )

    def standardised(self, features: Tensor) -> Tensor:
        """Return what the members are given for measurements (..., n)."""
        return ((features - self.centre) / self.deviation).clamp(-LIMIT, LIMIT)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logarithms of median and spread, (..., 2), for measurements (..., n)."""
        scaled = self.standardised(features)
        return bounded(torch.stack([member(scaled) for member in self.members]).mean(0))


def bounded(answers: Tensor) -> Tensor:
    """Keep the logarithms of median and spread, (..., 2), within what can be told apart."""
    return torch.stack([answers[..., 0].clamp(-5, 6), answers[..., 1].clamp(-3, 1.5)], -1)


class ErrorModel(nn.Module):
    """The two networks, and how a pair that is moved follows from one that is not.

    Parameters
    ----------
    config : ErrorModelConfig, optional

    Attributes
    ----------
    whole, pixel : ErrorNetwork
        Of `whole_features`, and of `pixel_features` with those of the whole behind them.
    moved : Tensor of float64, shape (2,)
        See `before`.
    """

    moved: Tensor

    def __init__(self, config: ErrorModelConfig | None = None) -> None:
        super().__init__()
        config = config or ErrorModelConfig()
        self.whole = ErrorNetwork(WHOLE, config.members[0], config)
        self.pixel = ErrorNetwork(LOCAL + WHOLE, config.members[1], config)
        self.register_buffer("moved", torch.zeros(2, dtype=torch.float64))

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> ErrorModel:
        """Build from the constructor's arguments in ``config.json``."""
        return cls(ErrorModelConfig.from_json(settings))

    def errors(self, found: Measurements) -> tuple[ErrorEstimate, ErrorEstimate]:
        """Return the estimate in whole, () arrays, and per pixel of the measuring grid."""
        whole, local = whole_features(found), pixel_features(found)
        return self.of_whole(whole), self.of_pixels(local, whole)

    def of_whole(self, whole: Rows) -> ErrorEstimate:
        """Return the estimate of mean errors for `whole_features` (..., 19)."""
        return _estimate(self.whole, torch.from_numpy(whole).float())

    def of_pixels(self, local: Rows, whole: Rows) -> ErrorEstimate:
        """Return the estimate of errors for `pixel_features` (9, ...) of one result."""
        places = torch.from_numpy(local).float().movedim(0, -1)
        same = torch.from_numpy(whole).float().expand(*places.shape[:-1], -1)
        return _estimate(self.pixel, torch.cat([places, same], -1))

    def before(self, after: ErrorEstimate, displacement: Rows) -> ErrorEstimate:
        """Return the estimate for the pair as it came.

        What a transform moved by much more than it may be wrong was misaligned by as much. The
        median is that of the result and the displacement, added as independent; with r the
        logarithm of the ratio of the two medians, the logarithm of the spread falls by b r + c r^2.
        Without displacement the two estimates are one.

        Parameters
        ----------
        after : ErrorEstimate
        displacement : ndarray
            What the transform does, in px at 256-px scale.
        """
        ratio = 0.5 * np.log1p((displacement / after.median) ** 2)
        b, c = self.moved.tolist()
        return ErrorEstimate(
            np.asarray(after.median * np.exp(ratio), np.float32),
            np.asarray(after.spread * np.exp(np.minimum(b * ratio + c * ratio**2, 0)), np.float32),
        )


def _estimate(network: ErrorNetwork, features: Tensor) -> ErrorEstimate:
    with torch.inference_mode():
        median, spread = network(features).exp().unbind(-1)
    return ErrorEstimate(median.numpy(), spread.numpy())


def whole_features(found: Measurements) -> Rows:
    """Return what speaks for and against the result in whole, (19,)."""
    look, inside = found.look, found.mask
    middle = [_middle(part, inside) for part in _local(found)]
    return np.array(
        [
            math.log(max(found.peak, 0.1)),
            found.margin,
            *middle,
            _middle((look.moves + 0.2).log(), inside, 0.9),
            min(found.rival, 2.0),
            found.after,
            found.after - found.before,
            found.overlap,
            math.log(max(float(found.mask.float().mean()), 0.01)),
            float(not float(found.displacement.max())),
            found.shift[1],
        ]
    )


def pixel_features(found: Measurements) -> Rows:
    """Return what speaks for and against the result per pixel, (9, h, w)."""
    return np.stack([part.double().cpu().numpy() for part in _local(found)])


def _local(found: Measurements) -> list[Tensor]:
    look = found.look
    return [
        (look.moves + 0.2).log(),
        look.expects.log(),
        (look.differs + 0.2).log(),
        (look.vote + 0.2).log(),
        look.precision,
        look.gain,
        (found.residual + 0.01).log(),
        (found.texture + 0.01).log(),
        (found.bend + 0.2).log(),
    ]


def _middle(part: Tensor, inside: Tensor, share: float = 0.5) -> float:
    values = part[inside]
    return float(values.quantile(share)) if values.numel() else float(part.quantile(share))


def load_error_model() -> ErrorModel:
    """Return the networks with their weights, which all runs share.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """
    return cast("ErrorModel", shared_network(weights_folder(NAME), ErrorModel.from_json))
