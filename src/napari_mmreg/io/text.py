"""Text files that may be anything."""

from __future__ import annotations

from pathlib import Path

from napari_mmreg.errors import InputError, TransformError

MAX_TEXT = 20_000_000
"""Bytes of a text that are read to tell what it holds."""


def read_text(path: str | Path, kinds: str) -> str:
    """Return the text of a file in UTF-8, with the byte order mark of spreadsheets or without.

    Parameters
    ----------
    path : str or Path
    kinds : str
        What the message says to save it as, such as ``"CSV (UTF-8)"``.

    Raises
    ------
    InputError
        If the file is missing or no text.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}; check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text; save it as {kinds}.") from error


def read_start(path: Path, most: int = MAX_TEXT) -> str:
    """Return the first `most` bytes of a text file; nothing of one that is no text.

    Raises
    ------
    TransformError
        If there is no file.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(most).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise TransformError(f"There is no file {path}; check the path.") from error
    except (OSError, UnicodeDecodeError):
        return ""
