"""Landmarks of one image a file: napari, 3D Slicer, QuPath and QGIS; two files make pairs.

Each program counts in its own way. All become ``(row, col)`` pixels with centres at integers:
napari's are that already; 3D Slicer's are physical ``(x, y)``, in RAS with both signs turned;
QuPath's and QGIS's are pixels counted from the image's corner, QGIS's with rows downwards from 0
to negative numbers.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.io.landmark_table import LandmarkPairs, number
from napari_mmreg.io.text import read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spacing = tuple[float, float]

_CORNER = 0.5
"""Of a pixel whose position is counted from the image's corner to where its centre is."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The landmarks of one image.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 2)
        ``(row, col)`` in pixels, pixel centres at integers.
    names : tuple of str
        One per point; empty where the file has none.
    """

    points: NDArray[np.float64]
    names: tuple[str, ...] = ()


def read_landmark_files(
    fixed_path: str | Path,
    moving_path: str | Path,
    fixed_spacing: Spacing = (1.0, 1.0),
    moving_spacing: Spacing = (1.0, 1.0),
) -> LandmarkPairs:
    """Read the landmarks of two images, one file each, and pair them.

    Parameters
    ----------
    fixed_path, moving_path : str or Path
        See `read_points`.
    fixed_spacing, moving_spacing : (float, float)
        Size of a pixel along rows and columns, for 3D Slicer's physical coordinates.

    Returns
    -------
    LandmarkPairs
        Paired by name, if both files name their points and have names in common; else in their
        order.

    Raises
    ------
    InputError
        If a file cannot be read, or the two cannot be paired.
    """
    fixed = read_points(fixed_path, fixed_spacing)
    moving = read_points(moving_path, moving_spacing)
    places = [{name: n for n, name in enumerate(side.names)} for side in (fixed, moving)]
    unique = all(
        side.names and len(found) == len(side.names)
        for side, found in zip((fixed, moving), places, strict=True)
    )
    common = [name for name in fixed.names if name in places[1]] if unique else []
    if common:
        return LandmarkPairs(
            tuple(common),
            fixed.points[[places[0][name] for name in common]],
            moving.points[[places[1][name] for name in common]],
        )
    if len(fixed.points) != len(moving.points):
        raise InputError(
            f"{fixed_path} has {len(fixed.points)} points, {moving_path} {len(moving.points)}, and "
            "no names in common to pair them by. Give the same places the same names, or mark as "
            "many in both, in one order."
        )
    names = fixed.names or tuple(str(n + 1) for n in range(len(fixed.points)))
    return LandmarkPairs(names, fixed.points, moving.points)


def read_points(path: str | Path, spacing: Spacing = (1.0, 1.0)) -> Points:
    """Read the landmarks of one image.

    Parameters
    ----------
    path : str or Path
        napari's points (``.csv``), 3D Slicer's fiducials (``.fcsv``), QuPath's points (table with
        columns x and y, or GeoJSON), or QGIS's ground control points (``.points``). The content
        tells which.
    spacing : (float, float)
        Size of a pixel along rows and columns, for 3D Slicer.

    Raises
    ------
    InputError
        If the file is missing, of another kind, or a cell is not a finite number; the message
        names the line.
    """
    source = Path(path)
    text = read_text(source, "CSV (UTF-8)")
    name = str(source)
    if text.lstrip().startswith(("{", "[")):
        return _geojson(text, name)
    if "# columns = id,x,y,z" in text or "Markups fiducial file" in text[:200]:
        return _slicer(text, name, spacing)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header = [cell.strip().lower() for cell in _split(lines[0])] if lines else []
    if {"sourcex", "sourcey"} <= set(header) or {"pixelx", "pixely"} <= set(header):
        return _qgis(lines, header, name)
    if {"axis-0", "axis-1"} <= set(header):
        return _napari(lines, header, name)
    if {"x", "y"} <= set(header):
        return _qupath(lines, header, name)
    raise InputError(
        f"{source} is no file of one image's landmarks that is known: napari's columns are axis-0 "
        "and axis-1, QuPath's x and y, QGIS's sourceX and sourceY, and 3D Slicer's files are "
        ".fcsv. A file of pairs is given by --landmarks."
    )


def _split(line: str) -> list[str]:
    separator = next((mark for mark in ("\t", ";") if mark in line), ",")
    return next(csv.reader(StringIO(line), delimiter=separator), [])


def _columns(
    lines: list[str], header: list[str], wanted: Iterable[str], source: str
) -> NDArray[np.float64]:
    """Return the numbers of some columns, (n, k)."""
    places = [(name, header.index(name)) for name in wanted]
    rows = []
    for count, line in enumerate(lines[1:], start=1):
        cells = _split(line)
        if len(cells) <= max(place for _, place in places):
            raise InputError(f"{source}, point {count}: the header has more columns than the line.")
        rows.append([number(cells[place], f"{source}, point {count}, {n}") for n, place in places])
    return np.array(rows, dtype=np.float64).reshape(-1, len(places))


def _cells(lines: list[str], header: list[str], name: str) -> tuple[str, ...]:
    """Return a column's texts; nothing if there is no such column, or a cell is empty."""
    if name not in header:
        return ()
    cells = [_split(line) for line in lines[1:]]
    place = header.index(name)
    found = tuple(row[place].strip() if len(row) > place else "" for row in cells)
    return found if all(found) else ()


def _napari(lines: list[str], header: list[str], source: str) -> Points:
    axes = sorted((h for h in header if h.startswith("axis-")), key=lambda h: (len(h), h))
    table = _columns(lines, header, axes, source)
    if len(table) and any(np.ptp(table[:, axis]) for axis in range(len(axes) - 2)):
        raise InputError(f"{source}: the points lie in different slices; keep those of one slice.")
    return Points(table[:, -2:].copy())


def _slicer(text: str, source: str, spacing: Spacing) -> Points:
    comments = [line for line in text.splitlines() if line.startswith("#")]
    system = next(
        (line.partition("=")[2].strip().upper() for line in comments if "CoordinateSystem" in line),
        "RAS",
    )
    if system not in ("RAS", "LPS", "0", "1"):
        raise InputError(f"{source}: the coordinate system {system!r} is unknown; save it as LPS.")
    sign = -1.0 if system in ("RAS", "0") else 1.0
    columns = next(
        (line.partition("=")[2] for line in comments if "columns" in line), "id,x,y,z,label"
    )
    header = [cell.strip().lower() for cell in columns.split(",")]
    lines = [",".join(header)]
    lines += [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    depth = _columns(lines, header, ("z",), source) if "z" in header else np.zeros((0, 1))
    if len(depth) and np.ptp(depth) > 1e-6 * max(1.0, float(np.abs(depth).max())):
        raise InputError(
            f"{source}: the points lie in different planes; only those of one plane can be used."
        )
    points = sign * _columns(lines, header, ("y", "x"), source) / np.asarray(spacing)
    return Points(points, _cells(lines, header, "label"))


def _qupath(lines: list[str], header: list[str], source: str) -> Points:
    points = _columns(lines, header, ("y", "x"), source) - _CORNER
    return Points(points, _cells(lines, header, "name"))


def _qgis(lines: list[str], header: list[str], source: str) -> Points:
    x, y = ("sourcex", "sourcey") if "sourcex" in header else ("pixelx", "pixely")
    points = _columns(lines, header, (y, x), source) * (-1.0, 1.0) - _CORNER
    # The place on the map is what two images of it have in common.
    names: tuple[str, ...] = ()
    if {"mapx", "mapy"} <= set(header):
        places = _columns(lines, header, ("mapx", "mapy"), source)
        names = tuple(f"{place[0]:.10g} {place[1]:.10g}" for place in places)
    if "enable" in header:
        used = _columns(lines, header, ("enable",), source)[:, 0] != 0
        points = points[used]
        names = tuple(n for n, use in zip(names, used, strict=False) if use)
    return Points(points, names)


def _geojson(text: str, source: str) -> Points:
    """Read QuPath's GeoJSON: features, or one, of points or sets of points."""
    try:
        found: Any = json.loads(text)
        features = found.get("features", [found]) if isinstance(found, dict) else found
        points: list[list[float]] = []
        names: list[str] = []
        for feature in features:
            geometry = feature["geometry"]
            if geometry["type"] not in ("Point", "MultiPoint"):
                continue
            several = geometry["type"] == "MultiPoint"
            name = (feature.get("properties") or {}).get("name")
            for place in geometry["coordinates"] if several else [geometry["coordinates"]]:
                points.append([float(place[1]), float(place[0])])
                names.append(str(name) if name and not several else "")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{source} holds no points as GeoJSON; export them again.") from error
    table = np.array(points, dtype=np.float64).reshape(-1, 2) - _CORNER
    if not np.isfinite(table).all():
        raise InputError(f"{source} has a point that is not finite; export it again.")
    return Points(table, tuple(names) if all(names) else ())
