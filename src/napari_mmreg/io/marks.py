"""Files of points and shapes whose coordinates are changed, and nothing else: napari, GeoJSON.

*Convention*: coordinates become ``(..., row, col)`` pixels with centres at integers. napari's files
have that already; GeoJSON, as QuPath writes it, has ``(x, y)`` counted from the image's corner.
"""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.marks import outline
from napari_mmreg.io.landmark_table import number
from napari_mmreg.io.text import read_text
from napari_mmreg.io.whole import write_text

MARK_SUFFIXES = frozenset({".csv", ".geojson", ".json"})

Table = NDArray[np.float64]

_CORNER = 0.5
"""Of a pixel whose position is counted from the image's corner to where its centre is."""


class MarkFile(ABC):
    """A file of points or shapes.

    Attributes
    ----------
    kind : {"points", "shapes"}
        What the coordinates are, as `napari_mmreg.apply` calls it.
    data : ndarray of shape (n, D), or list of ndarray of shape (n_i, D)
        All coordinates, ``(..., row, col)`` in pixels.
    suffixes : tuple of str
        Of files that can hold it.
    """

    kind: Literal["points", "shapes"]
    data: Any
    suffixes: tuple[str, ...]

    def straighten(self, *, bent: bool) -> None:
        """Turn what is no polygon into one, see `napari_mmreg.geometry.marks.outline`."""
        del bent  # points, and GeoJSON's polygons, are what they are

    def write(self, path: str | Path, data: Any, kept: NDArray[np.bool_]) -> None:
        """Write the file with other coordinates.

        Parameters
        ----------
        path : str or Path
            An existing file is replaced when all is written.
        data : as `data`
        kept : ndarray of bool, shape (n,)
            Points or shapes that are not kept are left out.

        Raises
        ------
        InputError
            If the ending is not one of `suffixes`, or the place cannot be written to.
        """
        target = Path(path)
        if target.suffix.lower() not in self.suffixes:
            raise InputError(
                f"{self.kind.capitalize()} of this kind are not written as "
                f"{target.suffix or 'files without a suffix'}; use {' or '.join(self.suffixes)}."
            )
        write_text(target, self._text(data, kept))

    @abstractmethod
    def _text(self, data: Any, kept: NDArray[np.bool_]) -> str:
        """Return the content of the file."""


def read_marks(path: str | Path) -> MarkFile:
    """Read points or shapes.

    Parameters
    ----------
    path : str or Path
        napari's points or shapes (``.csv``; all columns are kept), or GeoJSON with any geometries
        (``.geojson``, ``.json``; all properties are kept). The content tells which.

    Raises
    ------
    InputError
        If the file is missing, of another kind, or a coordinate is no finite number.
    """
    source = Path(path)
    text = read_text(source, "CSV or GeoJSON")
    if text.lstrip().startswith(("{", "[")):
        return _GeoJson(text, str(source))
    rows = list(csv.reader(StringIO(text)))
    header = [cell.strip() for cell in rows[0]] if rows else []
    axes = sorted((n for n in header if n.startswith("axis-")), key=lambda n: (len(n), n))
    if len(axes) < 2:
        raise InputError(
            f"{source} holds neither napari's points or shapes (columns axis-0, axis-1) nor "
            "GeoJSON; save the layer with napari, or export GeoJSON."
        )
    table = [row for row in rows[1:] if row]
    known = {"index", "shape-type", "vertex-index"} <= set(header)
    return (_CsvShapes if known else _CsvPoints)(header, table, axes, str(source))


class _CsvPoints(MarkFile):
    """napari's points: the columns of the axes change, all others stay."""

    kind = "points"
    suffixes = (".csv",)

    def __init__(
        self, header: list[str], rows: list[list[str]], axes: list[str], source: str
    ) -> None:
        self._header, self._rows = header, rows
        self._places = [header.index(axis) for axis in axes]
        self.data = _coordinates(header, rows, axes, source)

    def _text(self, data: Table, kept: NDArray[np.bool_]) -> str:
        lines = []
        for row, point, keep in zip(self._rows, data, kept, strict=True):
            if keep:
                cells = list(row)
                for place, value in zip(self._places, point, strict=True):
                    cells[place] = _cell(value)
                lines.append(cells)
        return _csv_text(self._header, lines)


class _CsvShapes(MarkFile):
    """napari's shapes: a line per vertex."""

    kind = "shapes"
    suffixes = (".csv",)

    def __init__(
        self, header: list[str], rows: list[list[str]], axes: list[str], source: str
    ) -> None:
        self._axes = axes
        table = _coordinates(header, rows, axes, source)
        index, kind = header.index("index"), header.index("shape-type")
        numbers = [row[index] for row in rows]
        starts = [n for n in range(len(rows)) if n == 0 or numbers[n] != numbers[n - 1]]
        self.data = np.split(table, starts[1:]) if rows else []
        self._numbers = [numbers[start] for start in starts]
        self._types = [rows[start][kind].strip() for start in starts]

    def straighten(self, *, bent: bool) -> None:
        outlines = [
            outline(vertices, kind, bent=bent)
            for vertices, kind in zip(self.data, self._types, strict=True)
        ]
        self.data = [vertices for vertices, _ in outlines]
        self._types = [kind for _, kind in outlines]

    def _text(self, data: list[Table], kept: NDArray[np.bool_]) -> str:
        rows = [
            [name, kind, str(vertex), *map(_cell, place)]
            for name, kind, shape, keep in zip(self._numbers, self._types, data, kept, strict=True)
            if keep
            for vertex, place in enumerate(shape)
        ]
        return _csv_text(["index", "shape-type", "vertex-index", *self._axes], rows)


class _GeoJson(MarkFile):
    """GeoJSON: every geometry of a feature changes, its properties stay."""

    kind = "shapes"
    suffixes = (".geojson", ".json")

    def __init__(self, text: str, source: str) -> None:
        try:
            self._content: Any = json.loads(text)
            self._features = _features(self._content)
            self.data = [
                np.array([_position(p) for p in _positions(feature)]).reshape(-1, 2)
                for feature in self._features
            ]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{source} is no GeoJSON that can be read; export it again."
            ) from error
        except RecursionError as error:
            raise InputError(f"{source} is nested too deeply; export it again.") from error
        if not all(np.isfinite(places).all() for places in self.data):
            raise InputError(f"{source} has a coordinate that is not finite; export it again.")

    def _text(self, data: list[Table], kept: NDArray[np.bool_]) -> str:
        left = []
        for feature, places, keep in zip(self._features, data, kept, strict=True):
            if not keep:
                continue
            for position, (row, col) in zip(_positions(feature), places, strict=True):
                position[:2] = [float(col + _CORNER), float(row + _CORNER)]
            left.append(feature)
        content = self._content
        if isinstance(content, list):
            content = left
        elif content.get("type") == "FeatureCollection":
            content = {**content, "features": left}
            content.pop("bbox", None)  # it was that of the former coordinates
        elif not left:
            content = {"type": "FeatureCollection", "features": []}
        return json.dumps(content) + "\n"


def _features(content: Any) -> list[dict[str, Any]]:
    """Return the features of a GeoJSON, or its only geometry."""
    if isinstance(content, list):
        return list(content)
    if content["type"] == "FeatureCollection":
        return list(content["features"])
    if not (content["type"] == "Feature" or "coordinates" in content or "geometries" in content):
        raise ValueError("no feature")
    return [content]


def _positions(thing: Any) -> Iterator[list[Any]]:
    """Yield every position of a feature, a geometry, or of nested coordinates."""
    if isinstance(thing, dict):
        thing.pop("bbox", None)
        for name, value in thing.items():
            if name == "coordinates":
                yield from _nested(value)
            elif name != "properties" and isinstance(value, dict | list):
                yield from _positions(value)
    elif isinstance(thing, list):
        for each in thing:
            if isinstance(each, dict):
                yield from _positions(each)


def _nested(coordinates: list[Any]) -> Iterator[list[Any]]:
    if coordinates and not isinstance(coordinates[0], list):
        yield coordinates
        return
    for each in coordinates:
        yield from _nested(each)


def _position(position: list[Any]) -> tuple[float, float]:
    return float(position[1]) - _CORNER, float(position[0]) - _CORNER


def _coordinates(header: list[str], rows: list[list[str]], axes: list[str], source: str) -> Table:
    places = [(axis, header.index(axis)) for axis in axes]
    numbers = []
    for count, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise InputError(f"{source}, row {count}: it has not as many cells as the header.")
        numbers.append([number(row[n], f"{source}, row {count}, {axis}") for axis, n in places])
    return np.array(numbers, dtype=np.float64).reshape(-1, len(axes))


def _cell(value: float) -> str:
    return f"{value:.12g}"


def _csv_text(header: list[str], rows: list[list[str]]) -> str:
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
