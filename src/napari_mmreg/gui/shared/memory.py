"""What the docks remember from one time to the next: small things, in the user's own folder."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_mmreg.data_folder import data_folder
from napari_mmreg.errors import InputError


def memory_path() -> Path:
    """Return the file, next to the landmark sessions: ``MMREG_DATA_DIR`` moves both."""
    return data_folder() / "docks.json"


def recall(key: str, default: Any) -> Any:
    """Return what was remembered under `key`; `default` if nothing, or of another type."""
    found = _read().get(key, default)
    return found if isinstance(found, type(default)) else default


def remember(key: str, value: Any) -> None:
    """Keep a value that JSON can say; where the folder cannot be written to, it is forgotten."""
    known = _read()
    if known.get(key) == value:
        return
    from napari_mmreg.io.whole import write_json

    path = memory_path()
    with suppress(OSError, InputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**known, key: value})


def _read() -> dict[str, Any]:
    try:
        content = json.loads(memory_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
