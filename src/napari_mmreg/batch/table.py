"""Which images belong together: from a table, or from the names in two folders."""

from __future__ import annotations

import csv
import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mmreg.errors import InputError, MissingExtraError

FILE_COLUMNS = ("fixed", "moving", "fixed_mask", "moving_mask", "initial")
NUMBER_COLUMNS = ("fixed_page", "moving_page", "fixed_channel", "moving_channel")

RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^\.+$')
"""What some file system does not take in the name of a folder."""


@dataclass(frozen=True, slots=True)
class ImagePair:
    """Two image files that belong together.

    Attributes
    ----------
    id : str
        Names the folder of the result.
    fixed, moving : Path
    fixed_mask, moving_mask : Path or None
        Images that are nonzero where the pair may be used.
    initial : Path or None
        A transform to start from.
    fixed_page, moving_page, fixed_channel, moving_channel : int or None
        Page and channel, from 0, of files with several.
    """

    id: str
    fixed: Path
    moving: Path
    fixed_mask: Path | None = None
    moving_mask: Path | None = None
    initial: Path | None = None
    fixed_page: int | None = None
    moving_page: int | None = None
    fixed_channel: int | None = None
    moving_channel: int | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """Files of two folders, matched by name.

    Attributes
    ----------
    pairs : tuple of ImagePair
    fixed_only, moving_only : tuple of Path
        Files without a partner.
    """

    pairs: tuple[ImagePair, ...]
    fixed_only: tuple[Path, ...]
    moving_only: tuple[Path, ...]


def read_table(path: str | Path) -> tuple[ImagePair, ...]:
    """Read pairs from a table with a header.

    Parameters
    ----------
    path : str or Path
        CSV (comma, semicolon or tab) or Excel (``.xlsx``, first sheet; extra ``batch``). The
        columns ``fixed`` and ``moving`` name the images; ``id``, ``fixed_mask``,
        ``moving_mask``, ``initial``, ``fixed_page``, ``moving_page``, ``fixed_channel`` and
        ``moving_channel`` may be there, see `ImagePair`; others are ignored. Relative paths start
        at the table's folder. Without an id, a pair is called as its fixed image.

    Raises
    ------
    InputError
        If the table cannot be read, a cell cannot be used, or an id occurs twice.
    MissingExtraError
        If Excel's format cannot be read here.
    """
    source = Path(path)
    rows = _excel(source) if source.suffix.lower() == ".xlsx" else _csv(source)
    if not rows:
        raise InputError(f"{source} holds no pairs; it needs a header and one line a pair.")
    missing = [name for name in ("fixed", "moving") if name not in rows[0]]
    if missing:
        raise InputError(
            f"{source} has no column {' and no column '.join(missing)}; its columns are "
            f"{', '.join(filter(None, rows[0]))}."
        )
    return check_ids(
        [_pair(row, f"{source}, row {number}", source.parent) for number, row in enumerate(rows, 2)]
    )


def match_folders(fixed: str | Path, moving: str | Path) -> Matched:
    """Match the files of two patterns by what their ``*`` stands for.

    ``scans/*_vis.png`` and ``scans/*_ir.png`` match ``a_vis.png`` with ``a_ir.png``.

    Parameters
    ----------
    fixed, moving : str or Path
        Patterns with one ``*`` or more, in the last part or in folders. A folder stands for all
        files in it, matched by their names without suffix.

    Returns
    -------
    Matched
        Sorted by name.

    Raises
    ------
    InputError
        If a pattern has no ``*``, nothing matches, or two files mean the same.
    """
    sides = [_by_key(pattern) for pattern in (fixed, moving)]
    common = sorted(sides[0].keys() & sides[1].keys())
    if not common:
        raise InputError(
            f"No file of {fixed} ({len(sides[0])}) has a partner in {moving} ({len(sides[1])}): "
            "what * stands for has to be the same in both names."
        )
    return Matched(
        check_ids([ImagePair(_named(key), sides[0][key], sides[1][key]) for key in common]),
        *(tuple(side[key] for key in sorted(side.keys() - set(common))) for side in sides),
    )


def check_ids(pairs: Iterable[ImagePair]) -> tuple[ImagePair, ...]:
    """Return the pairs if each has a name of its own, also where case does not count."""
    seen: dict[str, str] = {}
    checked = tuple(pairs)
    for pair in checked:
        if not pair.id or RESERVED.search(pair.id):
            raise InputError(f"The id {pair.id!r} cannot name a folder; use letters and digits.")
        if pair.id.casefold() in seen:
            raise InputError(
                f"Two pairs are called {pair.id!r}; give each an id of its own in a column 'id'."
            )
        seen[pair.id.casefold()] = pair.id
    return checked


def write_table(path: str | Path, pairs: Sequence[ImagePair]) -> None:
    """Write pairs as a CSV that `read_table` reads from anywhere: with absolute paths."""
    from io import StringIO

    from napari_mmreg.io import write_text

    columns = ["id", *FILE_COLUMNS, *NUMBER_COLUMNS]
    columns = [c for c in columns if any(getattr(pair, c) is not None for pair in pairs)]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for pair in pairs:
        values = [getattr(pair, column) for column in columns]
        writer.writerow([v.resolve() if isinstance(v, Path) else v for v in values])
    write_text(path, text.getvalue())


def _csv(source: Path) -> list[dict[str, Any]]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{source} cannot be read as a table ({error}); save it as CSV, UTF-8."
        ) from error
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    lines = csv.DictReader(text.splitlines(), delimiter=separator)
    rows = [{_column(name): cell for name, cell in row.items()} for row in lines]
    return [row for row in rows if any(_said(cell) for cell in row.values())]


def _excel(source: Path) -> list[dict[str, Any]]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise MissingExtraError(
            "Reading Excel tables needs openpyxl: pip install 'napari-mmreg[batch]'. Or save the "
            "table as CSV."
        ) from error
    try:
        book = load_workbook(source, read_only=True, data_only=True)
        lines = [list(line) for line in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except Exception as error:  # damaged files end in whatever zip and XML raise
        raise InputError(f"{source} cannot be read as an Excel table ({error}).") from error
    if not lines:
        return []
    names = [_column(name) for name in lines[0]]
    rows = [dict(zip(names, line, strict=False)) for line in lines[1:]]
    return [row for row in rows if any(_said(cell) for cell in row.values())]


def _column(name: Any) -> str:
    return "" if name is None else str(name).strip().lower().replace(" ", "_")


def _said(cell: Any) -> bool:
    return cell is not None and str(cell).strip() != ""


def _pair(row: Mapping[str, Any], place: str, folder: Path) -> ImagePair:
    """Return the pair of one row; raises `InputError` naming the place."""
    values: dict[str, Any] = {
        name: folder / Path(str(row[name]).strip()).expanduser()
        for name in FILE_COLUMNS
        if _said(row.get(name))
    }
    for name in ("fixed", "moving"):
        if name not in values:
            raise InputError(f"{place} names no {name} image.")
    for name in NUMBER_COLUMNS:
        if _said(row.get(name)):
            values[name] = _number(row[name], f"{place}, {name}")
    given = row.get("id")
    return ImagePair(str(given).strip() if _said(given) else values["fixed"].stem, **values)


def _number(cell: Any, place: str) -> int:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        number = -1.0
    if number < 0 or not number.is_integer():
        raise InputError(f"{place}: {cell!r} is no whole number from 0 on.")
    return int(number)


def _by_key(given: str | Path) -> dict[tuple[str, ...], Path]:
    """Return the files of a pattern by what each ``*`` stands for."""
    pattern = str(Path(given).expanduser())
    in_folder = Path(pattern).is_dir()
    if in_folder:
        pattern = str(Path(glob.escape(pattern)) / "*")
    if "*" not in pattern:
        raise InputError(
            f"{given} is neither a folder nor a pattern with *, such as 'scans/*.png'."
        )
    # What glob.escape wrapped in brackets is literal; every * is a group.
    parts = re.split(r"(\[.\]|\*+)", pattern)
    expression = "".join(
        r"([^/\\]*)" if part.startswith("*") else re.escape(part[1:-1] if _escaped(part) else part)
        for part in parts
    )
    found: dict[tuple[str, ...], Path] = {}
    for name in sorted(glob.glob(pattern)):  # noqa: PTH207  a pattern may be absolute
        path = Path(name)
        match = re.fullmatch(expression, name)
        if match is None or not path.is_file():
            continue
        key = (path.stem,) if in_folder else match.groups()
        if key in found:
            raise InputError(f"{found[key]} and {path} mean the same; narrow the pattern {given}.")
        found[key] = path
    return found


def _escaped(part: str) -> bool:
    return len(part) == 3 and part[0] == "[" and part[-1] == "]"


def _named(key: tuple[str, ...]) -> str:
    return RESERVED.sub("_", "_".join(part.strip("_- ") or "_" for part in key))
