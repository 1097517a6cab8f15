"""BigWarp's landmark files, CSV and JSON, both ways.

BigWarp (Fiji) writes ``(x, y)`` in the images' physical units, the moving point first, and
infinity where a pair has no point yet. With uncalibrated images a unit is a pixel; pixel
centres lie at integers there, too. Its three-dimensional landmarks are read if they lie in one
plane.
"""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.io.landmark_table import LandmarkPairs, check_table, number
from napari_mmreg.io.whole import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

Spacing = tuple[float, float]

_FLAGS = {"true": True, "false": False}
_UNSET = "Infinity"
_CELLS = {6: 2, 8: 3}
"""Cells of a line: name, active, and two points of this many dimensions."""


def looks_like_csv(text: str) -> bool:
    """Whether the first line is a landmark of BigWarp: there is no header."""
    first = next(csv.reader(StringIO(text, newline="")), [])
    return len(first) in _CELLS and first[1].strip().lower() in _FLAGS


def from_csv(
    text: str, source: str, fixed_spacing: Spacing, moving_spacing: Spacing
) -> LandmarkPairs:
    """Return the `LandmarkPairs` of a CSV that BigWarp wrote; see `read_landmarks`."""
    names, enabled, moving, fixed = [], [], [], []
    reader = csv.reader(StringIO(text, newline=""))
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{source}, line {reader.line_num}"
        dimensions = _CELLS.get(len(cells))
        flag = _FLAGS.get(cells[1].strip().lower()) if dimensions else None
        if dimensions is None or flag is None:
            raise InputError(
                f"{where}: this is no landmark of BigWarp (name, true or false, then x and y of "
                "the moving and of the fixed point). Save the landmarks in BigWarp again."
            )
        values = [_coordinate(cell, where) for cell in cells[2:]]
        names.append(cells[0])
        enabled.append(flag)
        moving.append(values[:dimensions])
        fixed.append(values[dimensions:])
    return _pairs(names, enabled, fixed, moving, source, fixed_spacing, moving_spacing)


def from_json(
    text: str, source: str, fixed_spacing: Spacing, moving_spacing: Spacing
) -> LandmarkPairs:
    """Return the `LandmarkPairs` of a JSON or project file of BigWarp; see `read_landmarks`."""
    complaint = f"{source} holds no landmarks of BigWarp; export them there again."
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise InputError(f"{source} is no valid JSON: {error}. Export it again.") from error
    # In a project file they lie under Transform, in others under landmarks or at the top.
    for key in ("Transform", "landmarks"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    try:
        return _pairs(
            [str(name) for name in found["names"]],
            [bool(active) for active in found["active"]],
            [[float(value) for value in point] for point in found["fixedPoints"]],
            [[float(value) for value in point] for point in found["movingPoints"]],
            source,
            fixed_spacing,
            moving_spacing,
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(complaint) from error


def write_bigwarp(
    path: str | Path,
    fixed_points: ArrayLike,
    moving_points: ArrayLike,
    names: Sequence[str],
    enabled: Sequence[bool],
    fixed_spacing: Spacing = (1.0, 1.0),
    moving_spacing: Spacing = (1.0, 1.0),
) -> None:
    """Write landmarks for BigWarp: JSON if the path ends so, CSV otherwise.

    Parameters
    ----------
    path : str or Path
    fixed_points, moving_points : array_like of float, shape (n, 2)
        ``(row, col)`` in pixels; NaN where there is no point yet.
    names : sequence of str
    enabled : sequence of bool
    fixed_spacing, moving_spacing : (float, float)
        Size of a pixel along rows and columns, as BigWarp knows it from the images.

    Raises
    ------
    InputError
        If the points are no pairs, or the file cannot be written.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels counted from 0, pixel centres at integers; the file holds
    ``(x, y)`` times the spacing.
    """
    fixed, moving = check_table(fixed_points, moving_points)
    to_fixed, to_moving = _xy(fixed, fixed_spacing), _xy(moving, moving_spacing)
    if str(path).lower().endswith(".json"):
        landmarks = {
            "type": "BigWarpLandmarks",
            "numDimensions": 2,
            "movingPoints": to_moving,
            "fixedPoints": to_fixed,
            "active": [bool(flag) for flag in enabled],
            "names": [str(name) for name in names],
        }
        # Fiji's reader looks for them one level down.
        write_text(path, json.dumps({"landmarks": landmarks}, indent=2) + "\n")
        return
    text = StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for name, flag, there, here in zip(names, enabled, to_moving, to_fixed, strict=True):
        values = [_UNSET if np.isinf(value) else repr(value) for value in (*there, *here)]
        writer.writerow([name, "true" if flag else "false", *values])
    write_text(path, text.getvalue())


def _xy(points: NDArray[np.float64], spacing: Spacing) -> list[list[float]]:
    physical = (points * np.asarray(spacing))[:, ::-1]
    rows: list[list[float]] = np.where(np.isnan(physical), np.inf, physical).tolist()
    return rows


def _coordinate(cell: str, where: str) -> float:
    return np.inf if cell.strip() == _UNSET else number(cell, where)


def _pairs(
    names: list[str],
    enabled: list[bool],
    fixed: list[list[float]],
    moving: list[list[float]],
    source: str,
    fixed_spacing: Spacing,
    moving_spacing: Spacing,
) -> LandmarkPairs:
    if not len(names) == len(enabled) == len(fixed) == len(moving):
        raise InputError(f"{source}: names, flags and points differ in number; export it again.")
    return LandmarkPairs(
        tuple(names),
        _pixels(fixed, fixed_spacing, source),
        _pixels(moving, moving_spacing, source),
        tuple(enabled),
        ("file",) * len(names),
    )


def _pixels(points: list[list[float]], spacing: Spacing, source: str) -> NDArray[np.float64]:
    table = np.array(points, dtype=np.float64)
    if table.size == 0:
        return np.empty((0, 2))
    if table.ndim != 2 or table.shape[1] not in _CELLS.values():
        raise InputError(f"{source}: landmarks with {table.shape[-1]} coordinates are not known.")
    if table.shape[1] == 3:
        depth = table[:, 2][np.isfinite(table[:, 2])]
        if depth.size and np.ptp(depth) > 1e-6 * max(1.0, float(np.abs(depth).max())):
            raise InputError(
                f"{source}: the landmarks lie in different planes; only two-dimensional ones can "
                "be used. Mark them in one slice."
            )
    pixels = table[:, 1::-1] / np.asarray(spacing)
    return np.where(np.isfinite(pixels), pixels, np.nan)
