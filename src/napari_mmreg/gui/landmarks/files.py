"""Landmark files of the dock: what they are called, and the units of BigWarp's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.io import read_landmarks, write_bigwarp, write_landmarks
from napari_mmreg.landmarks import LandmarkPair, Side, Source

if TYPE_CHECKING:
    from napari_mmreg.gui.shared.snapshot import Picture

_SOURCES: dict[str, Source] = {"manual": "manual", "model": "model", "file": "file"}


def bigwarp_spacing(picture: Picture) -> tuple[float, float]:
    """Return a picture's pixel size as BigWarp knows it: 1 for one that nobody calibrated."""
    return picture.placement.spacing if picture.placement.calibrated else (1.0, 1.0)


def read_pairs(path: str | Path, fixed: Picture, moving: Picture) -> list[LandmarkPair]:
    """Return the pairs of a file; pairs without any point are left out.

    Raises
    ------
    InputError
        As `read_landmarks`.
    """
    found = read_landmarks(path, bigwarp_spacing(fixed), bigwarp_spacing(moving))
    pairs = [
        LandmarkPair(0, name, _point(here), _point(there), enabled, _SOURCES.get(source, "file"))
        for name, here, there, enabled, source in zip(
            found.names, found.fixed, found.moving, found.enabled, found.sources, strict=True
        )
    ]
    return [pair for pair in pairs if pair.fixed is not None or pair.moving is not None]


def write_pairs(
    path: str | Path, pairs: Sequence[LandmarkPair], kind: str, fixed: Picture, moving: Picture
) -> None:
    """Write all pairs, half-finished and disabled ones included.

    Parameters
    ----------
    path : str or Path
    pairs : sequence of LandmarkPair
    kind : {"csv", "bigwarp"}
        BigWarp's format is JSON if the path ends so.
    fixed, moving : Picture
        Their calibration is used for BigWarp.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    here, there = _table(pairs, "fixed"), _table(pairs, "moving")
    names = [pair.name for pair in pairs]
    enabled = [pair.enabled for pair in pairs]
    if kind == "bigwarp":
        spacing = bigwarp_spacing(fixed)
        write_bigwarp(path, here, there, names, enabled, spacing, bigwarp_spacing(moving))
    else:
        write_landmarks(path, here, there, names, enabled, [pair.source for pair in pairs])


def _table(pairs: Sequence[LandmarkPair], side: Side) -> Any:
    return np.array([pair.at(side) or (np.nan, np.nan) for pair in pairs]).reshape(-1, 2)


def _point(values: Any) -> tuple[float, float] | None:
    row, col = (float(value) for value in values)
    return (row, col) if np.isfinite((row, col)).all() else None
