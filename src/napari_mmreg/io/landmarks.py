"""Landmark pairs in files: our own comma-separated ones, and BigWarp's."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

COLUMNS = ("point", "fixed_row", "fixed_col", "moving_row", "moving_col")
"""The header of a landmark file."""

EXTRA_COLUMNS = ("enabled", "source")
"""What a landmark file may say beside."""

_YES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkPairs:
    """Landmark pairs as a file holds them.

    Attributes
    ----------
    names : tuple of str
        One per pair.
    fixed, moving : ndarray of float64, shape (n, 2)
        ``(row, col)`` in pixels of the fixed and of the moving image, pixel centres at integers;
        NaN in the image where a half-finished pair has no point yet.
    enabled : tuple of bool
        Whether a pair is to be used; all are, unless the file says something else.
    sources : tuple of str
        Who placed it; ``"file"`` where the file does not say.
    """

    names: tuple[str, ...]
    fixed: NDArray[np.float64]
    moving: NDArray[np.float64]
    enabled: tuple[bool, ...] = field(default=())
    sources: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        count = len(self.names)
        object.__setattr__(self, "enabled", self.enabled or (True,) * count)
        object.__setattr__(self, "sources", self.sources or ("file",) * count)

    @property
    def usable(self) -> LandmarkPairs:
        """The pairs that are enabled and have both points."""
        known = np.isfinite(self.fixed).all(axis=1) & np.isfinite(self.moving).all(axis=1)
        rows = np.flatnonzero(known & np.array(self.enabled, dtype=bool))
        return LandmarkPairs(
            tuple(self.names[row] for row in rows),
            self.fixed[rows],
            self.moving[rows],
            tuple(self.enabled[row] for row in rows),
            tuple(self.sources[row] for row in rows),
        )


def read_landmarks(
    path: str | Path,
    fixed_spacing: tuple[float, float] = (1.0, 1.0),
    moving_spacing: tuple[float, float] = (1.0, 1.0),
) -> LandmarkPairs:
    """Read landmark pairs; what kind of file it is shows in its content.

    Parameters
    ----------
    path : str or Path
        A comma-separated file with the header ``point,fixed_row,fixed_col,moving_row,
        moving_col``, in any order, perhaps with ``enabled`` and ``source`` (other columns and
        empty lines are ignored; both cells of a side may be empty); BigWarp's landmarks as CSV
        or JSON; or a project file of BigWarp.
    fixed_spacing, moving_spacing : (float, float)
        Size of a pixel along rows and columns, for BigWarp's files: they hold physical
        coordinates.

    Raises
    ------
    InputError
        If the file is missing, the header is wrong, or a cell is not a finite number; the
        message names the line.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels counted from 0, pixel centres at integers.
    """
    from napari_mmreg.io import bigwarp

    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except FileNotFoundError as error:
        raise InputError(f"There is no file {source}; check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source} cannot be read as text; save it as CSV (UTF-8).") from error
    if text.lstrip().startswith("{"):
        return bigwarp.from_json(text, str(source), fixed_spacing, moving_spacing)
    if bigwarp.looks_like_csv(text):
        return bigwarp.from_csv(text, str(source), fixed_spacing, moving_spacing)
    return _from_csv(text, str(source))


def _from_csv(text: str, source: str) -> LandmarkPairs:
    reader = csv.reader(StringIO(text, newline=""))
    header = [cell.strip().lower() for cell in next(reader, [])]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputError(
            f"{source}, line 1: the header lacks {', '.join(missing)}; it should read "
            f"{','.join(COLUMNS)}, with commas."
        )
    places = {name: header.index(name) for name in (*COLUMNS, *EXTRA_COLUMNS) if name in header}
    names: list[str] = []
    rows: list[list[float]] = []
    enabled: list[bool] = []
    sources: list[str] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{source}, line {reader.line_num}"
        if len(cells) <= max(places.values()):
            raise InputError(f"{where}: {len(cells)} cells, but the header has {len(header)}.")
        row = {name: cells[place].strip() for name, place in places.items()}
        names.append(row["point"])
        rows.append([*_side(row, "fixed", where), *_side(row, "moving", where)])
        enabled.append(_flag(row.get("enabled", "true"), where))
        sources.append(row.get("source") or "file")
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return LandmarkPairs(
        tuple(names), table[:, :2].copy(), table[:, 2:].copy(), tuple(enabled), tuple(sources)
    )


def write_landmarks(
    path: str | Path,
    fixed_points: ArrayLike,
    moving_points: ArrayLike,
    names: Sequence[str] | None = None,
    enabled: Sequence[bool] | None = None,
    sources: Sequence[str] | None = None,
) -> None:
    """Write landmark pairs so that `read_landmarks` gets the very same numbers back.

    Parameters
    ----------
    path : str or Path
        The file to write.
    fixed_points, moving_points : array_like of float, shape (n, 2)
        ``(row, col)`` in pixels; row i of both is a pair. NaN where there is no point yet.
    names : sequence of str, optional
        One per pair; counted from 1 by default.
    enabled : sequence of bool, optional
    sources : sequence of str, optional
        Further columns, written only if given.

    Raises
    ------
    InputError
        If the points are no pairs, or the file cannot be written.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels counted from 0, pixel centres at integers.
    """
    fixed, moving = check_table(fixed_points, moving_points)
    labels = [str(n + 1) for n in range(len(fixed))] if names is None else [str(n) for n in names]
    if len(labels) != len(fixed):
        raise InputError(
            f"There are {len(fixed)} fixed points, {len(moving)} moving points and {len(labels)} "
            "names; each pair needs one of each."
        )
    columns: list[Sequence[object]] = [
        labels,
        *(_cells(values) for values in np.hstack([fixed, moving]).T.tolist()),
    ]
    header = list(COLUMNS)
    if enabled is not None:
        header.append("enabled")
        columns.append(["true" if flag else "false" for flag in enabled])
    if sources is not None:
        header.append("source")
        columns.append(sources)
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    write_text(path, text.getvalue())


def check_table(
    fixed_points: ArrayLike, moving_points: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as (n, 2); raise `InputError` unless each point is finite or wholly NaN."""
    fixed, moving = _points(fixed_points, "fixed"), _points(moving_points, "moving")
    if len(fixed) != len(moving):
        raise InputError(
            f"There are {len(fixed)} fixed points, {len(moving)} moving points; each pair "
            "needs one of each."
        )
    for points in (fixed, moving):
        half = np.isnan(points).any(axis=1) & ~np.isnan(points).all(axis=1)
        if half.any() or np.isinf(points).any():
            raise InputError("Landmarks must be finite numbers; remove the pairs that are not.")
    return fixed, moving


def write_text(path: str | Path, text: str) -> None:
    """Write a text file as it is.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise InputError(
            f"Cannot write {path}: {error.strerror or error}. Choose another folder."
        ) from error


def _points(points: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"The {name} points need the shape (n, 2), but have {array.shape}.")
    return array


def _cells(values: Sequence[float]) -> list[object]:
    return ["" if np.isnan(value) else value for value in values]


def _side(row: dict[str, str], side: str, where: str) -> list[float]:
    cells = [row[f"{side}_row"], row[f"{side}_col"]]
    if not any(cells):
        return [np.nan, np.nan]
    return [
        number(cell, f"{where}, {side}_{axis}")
        for cell, axis in zip(cells, ("row", "col"), strict=True)
    ]


def _flag(cell: str, where: str) -> bool:
    if cell.lower() not in _YES:
        raise InputError(f"{where}, enabled: {cell!r} is neither true nor false.")
    return _YES[cell.lower()]


def number(cell: str, where: str) -> float:
    """Return the finite number in a cell; raise `InputError` that names the place."""
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{where}: {cell.strip()!r} is not a finite number; use 12.5, not 12,5.")
    return value
