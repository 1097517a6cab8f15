"""From measurements to how large the error probably is: two small calibrated regressions.

One says how large the mean error of the whole is, the other how large the error of each pixel is,
given that. Both give a log-logistic distribution whose median and spread are log-linear in the
measurements. ``benchmarks/calibration.py`` fits them on scenes of `train` that are kept out of
training, and scores them; ``weights/trust/`` holds the coefficients and their card.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import ModelError
from napari_mmreg.models.weights import weights_folder
from napari_mmreg.registration.error_estimate import ErrorEstimate

if TYPE_CHECKING:
    from torch import Tensor

    from napari_mmreg.registration.measurements import Measurements

NAME = "trust"
FILE = "config.json"
PARTS = ("centre", "deviation", "weights")
LIMIT = 2.0
"""Standard deviations beyond which a measurement counts as this far away only: in a modality that
the fit has not seen, measurements lie further out, and a line drawn on has no meaning there."""

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Median and spread of a log-logistic distribution from n measurements.

    Attributes
    ----------
    centre, deviation : ndarray of shape (n,)
        Of the measurements, which are standardised by them.
    weights : ndarray of shape (2, n + 1)
        Of the logarithms of median and spread; the last column is the constant.
    """

    centre: Rows
    deviation: Rows
    weights: Rows

    def __call__(self, features: Rows) -> ErrorEstimate:
        """Return the distribution for features of shape (n, ...)."""
        extra = (-1,) + (1,) * (features.ndim - 1)
        scaled = (features - self.centre.reshape(extra)) / self.deviation.reshape(extra)
        scaled = np.clip(scaled, -LIMIT, LIMIT)
        median, spread = (np.tensordot(row[:-1], scaled, 1) + row[-1] for row in self.weights)
        return ErrorEstimate(
            np.exp(np.clip(median, -5, 7)).astype(np.float32),
            np.exp(np.clip(spread, -3, 1.5)).astype(np.float32),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ErrorModel:
    """The two regressions, and how a pair that is moved follows from one that is not.

    Attributes
    ----------
    whole, pixel : Regression
        Of `whole_features` and `pixel_features`.
    moved : ndarray of shape (2,)
        See `before`.
    """

    whole: Regression
    pixel: Regression
    moved: Rows

    def errors(self, found: Measurements) -> tuple[ErrorEstimate, ErrorEstimate]:
        """Return the estimate in whole, () arrays, and per pixel of the measuring grid."""
        whole = self.whole(whole_features(found))
        return whole, self.pixel(pixel_features(found, whole))

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
        b, c = self.moved
        return ErrorEstimate(
            np.asarray(after.median * np.exp(ratio), np.float32),
            np.asarray(after.spread * np.exp(np.minimum(b * ratio + c * ratio**2, 0)), np.float32),
        )


def whole_features(found: Measurements) -> Rows:
    """Return what speaks for and against the result in whole, (18,)."""
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
            float(not float(found.displacement.max())),
            found.shift[1],
        ]
    )


def pixel_features(found: Measurements, whole: ErrorEstimate) -> Rows:
    """Return what speaks for and against the result per pixel, (11, h, w)."""
    local = [part.double().cpu().numpy() for part in _local(found)]
    known = [np.full_like(local[0], math.log(float(part))) for part in (whole.median, whole.spread)]
    return np.stack([*local, *known])


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


@cache
def load_error_model() -> ErrorModel:
    """Load the coefficients.

    Raises
    ------
    ModelError
        If they are missing or damaged.
    """
    path = weights_folder(NAME) / FILE
    try:
        return parse_error_model(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({error}). Install napari-mmreg again.") from error


def parse_error_model(entries: Mapping[str, Any]) -> ErrorModel:
    """Read what ``benchmarks/calibration.py`` writes."""
    whole, pixel = (
        Regression(
            *(np.asarray(entries[name][key], float) for key in ("centre", "deviation", "weights"))
        )
        for name in ("whole", "pixel")
    )
    return ErrorModel(whole, pixel, np.asarray(entries["moved"], float))
