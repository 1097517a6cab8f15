"""How large a registration error probably is: a distribution, per pixel and in whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError

SCALE = 256
"""Errors are stated in px of an image whose longer side is this long."""

TOLERANCE = 2.0
"""Of the misregistration maps unless another is asked for, in px at 256-px scale."""

PROBABLY = 0.75
"""What is said to be probable has this probability."""

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ErrorEstimate:
    """A log-logistic distribution of registration errors for every place.

    ``P(error > t) = 1 / (1 + (t / median) ** (1 / spread))``

    Attributes
    ----------
    median : ndarray of float32
        The error that is exceeded as often as not, in px at 256-px scale. Of shape (h, w), or
        () for one number.
    spread : ndarray of float32, of the same shape
        Scale of the logarithm: the 90 % quantile is ``9 ** spread`` times the median.
    """

    median: Map
    spread: Map

    def exceeds(self, tolerance: float = TOLERANCE) -> Map:
        """Return the probability that the error exceeds a tolerance in px at 256-px scale."""
        if not (np.isfinite(tolerance) and tolerance > 0):
            raise InputError(f"The tolerance has to be a positive number of px, not {tolerance}.")
        odds = (np.log(self.median) - np.log(tolerance)) / self.spread
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -60, 60))), np.float32)

    def quantile(self, share: float) -> Map:
        """Return the error that a share of such places stays under, in px at 256-px scale."""
        if not 0 < share < 1:
            raise InputError(f"A quantile lies between 0 and 1, not at {share}.")
        return np.asarray(self.median * (share / (1 - share)) ** self.spread, np.float32)
