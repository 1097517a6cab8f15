"""Stacks, time series and sets of images: one transform for all planes, or one for each."""

from __future__ import annotations

from napari_mmreg.series.carrying import CarriedStack
from napari_mmreg.series.plane_result import PlaneResult, SeriesCancelled
from napari_mmreg.series.register import register_series
from napari_mmreg.series.result import SeriesResult
from napari_mmreg.series.set_result import SetMember, SetResult
from napari_mmreg.series.sets import register_set

__all__ = [
    "CarriedStack",
    "PlaneResult",
    "SeriesCancelled",
    "SeriesResult",
    "SetMember",
    "SetResult",
    "register_series",
    "register_set",
]
