"""The records of all measurements, pair by pair, in one file: a line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]

DIGITS = {"seconds": 3, "cpu_seconds": 3}
OTHER_DIGITS = 6
"""Decimals that are kept of each number: of seconds, and of errors in px and of recoveries."""


def key(record: Record) -> tuple[str, str, str]:
    """Return what a record is of: method, protocol and data set."""
    return str(record["method"]), str(record["protocol"]), str(record["data"])


def load(path: Path) -> list[Record]:
    """Read all records that `save` wrote; none if there is no file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_with_rows(json.loads(line)) for line in lines if line]


def save(records: Iterable[Record], path: Path) -> None:
    """Add records to a file; they replace those of the same method, protocol and data set."""
    kept = {key(record): record for record in load(path)}
    kept.update({key(record): record for record in records})
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(_with_columns(kept[k]), separators=(",", ":")) for k in sorted(kept)]
    written = path.with_name(path.name + ".part")
    written.write_text("\n".join(lines) + "\n", encoding="utf-8")
    written.replace(path)


def _with_columns(record: Record) -> Record:
    """Turn pairs into one list per field, shorter on disk; None where a pair lacks the field."""
    fields = dict.fromkeys(name for pair in record["pairs"] for name in pair)
    columns = {
        name: [_rounded(name, pair.get(name)) for pair in record["pairs"]] for name in fields
    }
    return {**record, "pairs": columns}


def _with_rows(record: Record) -> Record:
    columns = record["pairs"]
    rows = [
        {name: value for name, value in zip(columns, values, strict=True) if value is not None}
        for values in zip(*columns.values(), strict=True)
    ]
    return {**record, "pairs": rows}


def _rounded(name: str, value: object) -> object:
    return round(value, DIGITS.get(name, OTHER_DIGITS)) if isinstance(value, float) else value
