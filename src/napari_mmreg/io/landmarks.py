"""Landmark pairs in comma-separated files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkPairs:
    """Landmark pairs as a file holds them.

    Attributes
    ----------
    names : tuple of str
        One per pair.
    fixed, moving : ndarray of float64, shape (n, 2)
        ``(row, col)`` in pixels of the fixed and of the moving image, pixel centres at integers.
    """

    names: tuple[str, ...]
    fixed: NDArray[np.float64]
    moving: NDArray[np.float64]


def read_landmarks(path: str | Path) -> LandmarkPairs:
    """Read landmark pairs.

    Parameters
    ----------
    path : str or Path
        A comma-separated file with the header ``point,fixed_row,fixed_col,moving_row,
        moving_col``, in any order; other columns and empty lines are ignored.

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
    try:
        text = source.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except FileNotFoundError as error:
        raise InputError(f"There is no file {source}; check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source} cannot be read as text; save it as CSV (UTF-8).") from error
    reader = csv.reader(StringIO(text, newline=""))
    header = [cell.strip().lower() for cell in next(reader, [])]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputError(
            f"{source}, line 1: the header lacks {', '.join(missing)}; it should read "
            f"{','.join(COLUMNS)}, with commas."
        )
    places = [header.index(column) for column in COLUMNS]
    names: list[str] = []
    rows: list[list[float]] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{source}, line {reader.line_num}"
        if len(cells) <= max(places):
            raise InputError(f"{where}: {len(cells)} cells, but the header has {len(header)}.")
        names.append(cells[places[0]].strip())
        rows.append(
            [
                _number(cells[place], f"{where}, {column}")
                for column, place in zip(COLUMNS[1:], places[1:], strict=True)
            ]
        )
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return LandmarkPairs(tuple(names), table[:, :2].copy(), table[:, 2:].copy())


def write_landmarks(
    path: str | Path,
    fixed_points: ArrayLike,
    moving_points: ArrayLike,
    names: Sequence[str] | None = None,
) -> None:
    """Write landmark pairs so that `read_landmarks` gets the very same numbers back.

    Parameters
    ----------
    path : str or Path
        The file to write.
    fixed_points, moving_points : array_like of float, shape (n, 2)
        ``(row, col)`` in pixels; row i of both is a pair.
    names : sequence of str, optional
        One per pair; counted from 1 by default.

    Raises
    ------
    InputError
        If the points are no finite pairs, or the file cannot be written.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels counted from 0, pixel centres at integers.
    """
    fixed, moving = _points(fixed_points, "fixed"), _points(moving_points, "moving")
    labels = [str(n + 1) for n in range(len(fixed))] if names is None else [str(n) for n in names]
    if not len(fixed) == len(moving) == len(labels):
        raise InputError(
            f"There are {len(fixed)} fixed points, {len(moving)} moving points and {len(labels)} "
            "names; each pair needs one of each."
        )
    table = np.hstack([fixed, moving])
    if not np.isfinite(table).all():
        raise InputError("Landmarks must be finite numbers; remove the pairs that are not.")
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(
                [label, *row] for label, row in zip(labels, table.tolist(), strict=True)
            )
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


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{where}: {cell.strip()!r} is not a finite number; use 12.5, not 12,5.")
    return value
