"""Landmark pairs in files: our own comma-separated ones, and BigWarp's."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.io import bigwarp
from napari_mmreg.io.landmark_table import LandmarkPairs, check_table, number
from napari_mmreg.io.text import read_text
from napari_mmreg.io.whole import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

COLUMNS = ("point", "fixed_row", "fixed_col", "moving_row", "moving_col")
"""The header of a landmark file."""

EXTRA_COLUMNS = ("enabled", "source")
"""What a landmark file may say beside."""

_YES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


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
    source = Path(path)
    text = read_text(source, "CSV (UTF-8)")
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
