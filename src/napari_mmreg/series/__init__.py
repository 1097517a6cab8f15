"""Stacks, time series and sets of images: one transform for all planes, or one for each."""

from __future__ import annotations

from napari_mmreg.series.register import register_series
from napari_mmreg.series.result import PlaneResult, SeriesCancelled, SeriesResult

__all__ = ["PlaneResult", "SeriesCancelled", "SeriesResult", "register_series"]
