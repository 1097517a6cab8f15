"""Landmark sessions on disk: what is edited is kept, and found again for the same two images."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_mmreg.data_folder import FOLDER_VARIABLE, data_folder
from napari_mmreg.errors import InputError
from napari_mmreg.landmarks.book import State
from napari_mmreg.landmarks.pairs import LandmarkPair, Point

FORMAT = "napari-mmreg landmark session"
VERSION = 1


@dataclass(frozen=True, eq=False)
class SavedSession:
    """What is kept of a session.

    Attributes
    ----------
    state : State
        The pairs and the next id.
    settings : dict
        How the dock was set; JSON values only.
    """

    state: State
    settings: dict[str, Any] = field(default_factory=dict)


def sessions_folder() -> Path:
    """Return where sessions are kept, in the user's data folder."""
    return data_folder() / "landmarks"


def session_path(fixed: str, moving: str, about: str) -> Path:
    """Return the file of a pair of images.

    Parameters
    ----------
    fixed, moving : str
        The images' names, which the file's name shows.
    about : str
        Whatever else tells the pair from others of the same names, such as paths and sizes.
    """
    digest = hashlib.sha256(f"{fixed}\n{moving}\n{about}".encode()).hexdigest()[:12]
    words = [re.sub(r"\W+", "_", name).strip("_")[:40] for name in (fixed, moving)]
    return sessions_folder() / f"{'-'.join(words)}-{digest}.json"


def save_session(path: Path, session: SavedSession) -> None:
    """Write a session; an existing file is replaced only when all is written.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "convention": "(row, col) in pixels of each image, pixel centres at integers",
        "next_id": session.state.next_id,
        "pairs": [asdict(pair) for pair in session.state.pairs],
        "settings": session.settings,
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"The landmarks cannot be kept in {path.parent}: {error.strerror or error}. Set "
            f"{FOLDER_VARIABLE} to a folder that can be written to."
        ) from error


def load_session(path: Path) -> SavedSession | None:
    """Read a session; None if there is none.

    Raises
    ------
    InputError
        If the file is damaged or from a newer version.
    """
    if not path.exists():
        return None
    try:
        return _session(json.loads(path.read_text(encoding="utf-8")), path)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The former landmarks in {path} are damaged and were not opened; the file is "
            "overwritten when you mark new ones. Copy it first if you need it."
        ) from error


def _session(content: dict[str, Any], path: Path) -> SavedSession:
    if content["format"] != FORMAT:
        raise ValueError("another format")
    if content["version"] > VERSION:
        raise InputError(
            f"{path} was written by a newer napari-mmreg; update it, or delete the file."
        )
    pairs = tuple(_pair(item) for item in content["pairs"])
    state = State(pairs, int(content["next_id"]))
    if len({pair.id for pair in pairs} | {state.next_id}) != len(pairs) + 1:
        raise ValueError("an id twice")
    return SavedSession(state, dict(content["settings"]))


def _pair(item: dict[str, Any]) -> LandmarkPair:
    source = item["source"]
    if source not in ("manual", "model", "file"):
        raise ValueError(source)
    return LandmarkPair(
        int(item["id"]),
        str(item["name"]),
        _point(item["fixed"]),
        _point(item["moving"]),
        bool(item["enabled"]),
        source,
    )


def _point(values: Any) -> Point | None:
    if values is None:
        return None
    row, col = (float(value) for value in values)
    return row, col
