"""What is judged and how: the result that landmarks correct, fit settings, unit, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.landmarks import strings
from napari_mmreg.landmarks import (
    FitSettings,
    LandmarkPair,
    Measurement,
    Side,
    measure,
    pairs_needed,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.geometry import Transform
    from napari_mmreg.gui.shared.run_record import RunRecord
    from napari_mmreg.gui.shared.snapshot import Picture

ALL_OVER = 2.0
"""Reach, in parts of the moving image's diagonal, with which every pair acts everywhere."""

LIMIT = 3.0


class FitState:
    """The numbers of one pair of images.

    Attributes
    ----------
    base : RunRecord or None
        The run whose result is corrected; None: the landmarks decide alone.
    settings : FitSettings
        How pairs become a transform; the reach is in moving pixels.
    reach_share : float or None
        The reach in parts of the moving image's diagonal; None: all over.
    physical : bool
        Whether errors are in the moving image's unit, not in its pixels.
    threshold : float
        A pair succeeds up to this error; in `unit`.
    measurement : Measurement
    """

    def __init__(
        self, pictures: Mapping[Side, Picture] | None = None, start: Transform | None = None
    ) -> None:
        self._pictures = pictures
        self._start = start
        self.base: RunRecord | None = None
        self.settings = FitSettings()
        self.reach_share: float | None = None
        self.physical = False
        self.threshold = LIMIT
        self.measurement = Measurement()
        if pictures is not None:
            self.configure(self.settings, None)

    def configure(self, settings: FitSettings, reach_share: float | None) -> None:
        """Fit in another way; the reach of `settings` is ignored, `reach_share` counts."""
        share = ALL_OVER if reach_share is None else reach_share
        reach = share * float(np.hypot(*self._picture("moving").shape))
        self.settings, self.reach_share = replace(settings, reach=reach), reach_share

    @property
    def base_transform(self) -> Transform | None:
        """What is corrected; None: nothing."""
        return None if self.base is None else self.base.bundle.result.transform

    @property
    def matches(self) -> NDArray[np.float32] | None:
        """The single matches that the base was made from; None where there are none."""
        matches = None if self.base is None else self.base.bundle.result.matches
        return matches if matches is not None and len(matches) else None

    @property
    def judged(self) -> Transform:
        """What the errors *before* belong to: the base, or how the images lie."""
        transform = self.base_transform or self._start
        if transform is None:
            raise InputError(strings.HINT_NO_IMAGES)
        return transform

    @property
    def best(self) -> Transform:
        """The best that is known: what the pairs make, or else what is judged."""
        return self.measurement.transform or self.judged

    @property
    def unit(self) -> str:
        """The unit of all errors."""
        return self._picture("moving").placement.units[0] if self.physical else "px"

    @property
    def physical_unit(self) -> str | None:
        """The unit that errors can be given in beside pixels."""
        if self._pictures is None or not self._picture("moving").placement.calibrated:
            return None
        return self._picture("moving").placement.units[0]

    def set_physical(self, *, physical: bool) -> None:
        """Give errors in the moving image's unit or in its pixels; the limit stays as long."""
        if physical != self.physical:
            size = float(np.mean(self._picture("moving").placement.spacing))
            self.threshold *= size if physical else 1 / size
            self.physical = physical

    def measure(self, pairs: Sequence[LandmarkPair], *, leave_out: bool = True) -> None:
        """Compute all numbers anew; see `landmarks.measure`."""
        if self._pictures is None:
            self.measurement = Measurement()
            return
        spacing = self._picture("moving").placement.spacing if self.physical else None
        self.measurement = measure(
            pairs, self.judged, self.base_transform, self.settings, spacing, leave_out=leave_out
        )

    @property
    def missing(self) -> int:
        """How many more pairs a transform needs."""
        needed = pairs_needed(self.base_transform, self.settings)
        return max(0, needed - len(self.measurement.ids))

    def fits(self, run: RunRecord) -> bool:
        """Whether a run's result belongs to the chosen images."""
        snapshot = run.bundle.snapshot
        return self._pictures is not None and all(
            _same(getattr(snapshot, side), picture) for side, picture in self._pictures.items()
        )

    def _picture(self, side: Side) -> Picture:
        if self._pictures is None:
            raise InputError(strings.HINT_NO_IMAGES)
        return self._pictures[side]


def _same(one: Picture, other: Picture) -> bool:
    """Whether two pictures show the same pixels."""
    return one.data is other.data or (one.name == other.name and one.shape == other.shape)
