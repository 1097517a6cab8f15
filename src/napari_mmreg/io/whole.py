"""Folders and text files that are there as a whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_mmreg.errors import InputError

_PART, _OLD = ".mmreg-part-", ".mmreg-old-"
"""What the names of folders hold that are being written, and that are being replaced."""


def check_folder(folder: str | Path, names: Collection[str], *, replace: bool) -> None:
    """Raise `InputError` if a result cannot be written to a folder as a whole.

    Parameters
    ----------
    folder : str or Path
        Where the result shall be; it may not exist yet.
    names : collection of str
        All names that files of such results can have; others are left alone.
    replace : bool
        Whether an earlier result may be replaced.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file; name a folder for the results.")
    there = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    there = [name for name in there if name in names]
    if there and not replace:
        raise InputError(
            f"{target} already holds {', '.join(there)}. Choose another folder, or replace them "
            "with --force."
        )


@contextmanager
def whole_folder(
    folder: str | Path, names: Collection[str], *, replace: bool = False
) -> Iterator[Path]:
    """Write a folder that appears only when all of it is written.

    Parameters
    ----------
    folder : str or Path
        Its place; parents are made. A link to a folder is followed, links inside are not.
    names, replace
        As in `check_folder`.

    Yields
    ------
    Path
        An empty folder beside it, to write to. It takes the place when the block ends without
        an error, and is removed otherwise. A process that is killed leaves the folder as it was,
        or away if it was about to be replaced; what it left beside it is removed, or put back,
        by the next one. Only where the place holds files of others too, the new ones are moved to
        them one by one, and earlier ones of `names` are removed.

    Raises
    ------
    InputError
        As `check_folder`, or if the folder cannot be written to.
    """
    target = Path(folder).resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _tidy(target)
        check_folder(target, names, replace=replace)
        partial = Path(
            tempfile.mkdtemp(prefix=f".{target.name}{_PART}{os.getpid()}-", dir=target.parent)
        )
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        yield partial
        _settle(partial)
        check_folder(target, names, replace=replace)  # nobody else was quicker
        if target.is_dir() and any(path.name not in names for path in target.iterdir()):
            _move_in(partial, target, names)
        else:
            _swap(partial, target)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Write a file that appears, or replaces an earlier one, only when all of it is written.

    Yields
    ------
    Path
        A file beside it, with the same endings, to write to.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    target = Path(path)
    name = f"{_PART}{os.getpid()}-{target.stem}{target.suffix.lower()}"  # NumPy knows only .npy
    partial = target.with_name(name)
    try:
        yield partial
        partial.replace(target)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8) as it is; an existing one is replaced when all is written.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        stream.write(text)


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, indented, as `write_text` writes text.

    Raises
    ------
    InputError
        If it cannot be written, or `content` holds what JSON does not know, such as NaN.
    """
    try:
        text = json.dumps(content, indent=2, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be written as JSON: {error}.") from error
    write_text(path, text + "\n")


def _swap(partial: Path, target: Path) -> None:
    """Put `partial` in the place of `target`, by renaming alone."""
    old = target.with_name(f".{target.name}{_OLD}{os.getpid()}")
    replaced = target.is_dir()
    if replaced:
        target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        if replaced:
            old.rename(target)
        raise
    if replaced:
        shutil.rmtree(old, ignore_errors=True)


def _move_in(partial: Path, target: Path, names: Collection[str]) -> None:
    """Put the files of `partial` among those of others, by renaming alone; the report last."""
    for name in names:
        if (target / name).is_dir() and not (target / name).is_symlink():
            shutil.rmtree(target / name)
        else:
            (target / name).unlink(missing_ok=True)
    for path in sorted(partial.iterdir(), key=lambda path: (path.suffix == ".json", path.name)):
        path.rename(target / path.name)


def _settle(folder: Path) -> None:
    """Make the folder readable as any other, and its files be on the disk before its name is."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


def _tidy(target: Path) -> None:
    """Remove, or put back, what processes that were killed left beside the folder."""
    for path in target.parent.glob(f".{_escaped(target.name)}{_PART}*"):
        if path.is_dir() and not _alive(path.name.partition(_PART)[2].partition("-")[0]):
            shutil.rmtree(path, ignore_errors=True)
    for path in target.parent.glob(f".{_escaped(target.name)}{_OLD}*"):
        if _alive(path.name.partition(_OLD)[2]):
            continue
        if target.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.rename(target)


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _alive(pid: str) -> bool:
    """Return whether a process lives; True where that cannot be told."""
    if os.name != "posix" or not pid.isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _cannot_write(place: str | Path, error: OSError) -> InputError:
    return InputError(f"Cannot write {place}: {error.strerror or error}. Choose another folder.")
