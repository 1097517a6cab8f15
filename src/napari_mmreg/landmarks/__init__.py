"""Landmark pairs without a window: editing with undo, fitting, measuring, snapping, sessions.

*Convention*, everywhere in this package: points are ``(row, col)`` in pixels of their image,
pixel centres at integers; transforms map fixed to moving.
"""

from __future__ import annotations

from napari_mmreg.landmarks.book import LandmarkBook, State
from napari_mmreg.landmarks.fitting import FitSettings, fit_pairs, left_out, pairs_needed
from napari_mmreg.landmarks.measuring import Measurement, histogram, measure, summarise
from napari_mmreg.landmarks.pairs import SIDES, LandmarkPair, Side, Source, used_points
from napari_mmreg.landmarks.suspects import Suspicion, find_suspects

__all__ = [
    "SIDES",
    "FitSettings",
    "LandmarkBook",
    "LandmarkPair",
    "Measurement",
    "Side",
    "Source",
    "State",
    "Suspicion",
    "find_suspects",
    "fit_pairs",
    "histogram",
    "left_out",
    "measure",
    "pairs_needed",
    "summarise",
    "used_points",
]
