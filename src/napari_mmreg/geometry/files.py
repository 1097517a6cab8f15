"""The kinds of files that transforms are read from and written to.

A kind is one module of `HOME` that calls `register_file_kind`. `Transform.save`,
`Transform.load`, `napari_mmreg.io`, the command and napari's dialogs all ask here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry.file_options import FileOptions, MatrixOrder

if TYPE_CHECKING:
    from napari_mmreg.geometry.transform import Transform

__all__ = [
    "FileKind",
    "FileOptions",
    "MatrixOrder",
    "file_kinds",
    "find_reader",
    "find_writer",
    "read_file",
    "recognised_kind",
    "register_file_kind",
    "write_file",
]

HOME = "napari_mmreg.io.kinds"
"""Where the kinds live. By its name, because files are built upon transforms, not below them."""


Reader = Callable[[Path, FileOptions], "Transform"]
Writer = Callable[[Path, "Transform", FileOptions], None]


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes
    ----------
    name : str
        What ``kind=`` calls it.
    title : str
        What users call it.
    holds : str
        Which transforms it can hold, as a table says it.
    convention : str
        Direction, axes and unit of what is in it.
    patterns : tuple of str
        Lower-case names of files that may be of this kind: ``"*.tfm"``.
    read : callable, optional
        ``read(path, options)``, if files can be read.
    write : callable, optional
        ``write(path, transform, options)``, if files can be written. Options are complete.
    written_as : tuple of str, optional
        Names that files of this kind are written to, where not all `patterns`.
    recognises : callable, optional
        Whether an existing file is of this kind, where its name does not decide.
    extra : str
        The extra that it needs; empty if none.
    droppable : tuple of str, optional
        Names that napari's reader takes, where not all `patterns`.
    suggested : str
        How a new file is called, with ``{stem}`` for what the user calls it; by default that and
        the first ending.
    folders : bool
        Whether it is a folder rather than a file.
    rank : int
        Which kind is asked first, and listed first.
    """

    name: str
    title: str
    holds: str
    convention: str
    patterns: tuple[str, ...]
    read: Reader | None = None
    write: Writer | None = None
    written_as: tuple[str, ...] | None = None
    recognises: Callable[[Path], bool] | None = None
    extra: str = ""
    droppable: tuple[str, ...] | None = None
    suggested: str = ""
    folders: bool = False
    rank: int = field(default=50, compare=False)

    @property
    def can_read(self) -> bool:
        """Whether files of this kind can be read."""
        return self.read is not None

    @property
    def can_write(self) -> bool:
        """Whether files of this kind can be written."""
        return self.write is not None

    @property
    def save_patterns(self) -> tuple[str, ...]:
        """Names that files of this kind are written to; none if they cannot be written."""
        if not self.can_write:
            return ()
        return self.patterns if self.written_as is None else self.written_as

    @property
    def suggestion(self) -> str:
        """A name for a new file of this kind; ``{stem}`` stands for what the user calls it."""
        return self.suggested or "{stem}" + self.save_patterns[0].removeprefix("*")


_KINDS: dict[str, FileKind] = {}


def register_file_kind(kind: FileKind) -> FileKind:
    """Add a kind of file; return it.

    Raises
    ------
    InputError
        If the name is taken.
    """
    if kind.name in _KINDS:
        raise InputError(f"There is already a kind of file called {kind.name!r}.")
    _KINDS[kind.name] = kind
    return kind


def file_kinds() -> tuple[FileKind, ...]:
    """Return all kinds of files, those of other packages that are registered included."""
    home = importlib.import_module(HOME)
    for module in pkgutil.iter_modules(home.__path__):
        importlib.import_module(f"{HOME}.{module.name}")
    return tuple(sorted(_KINDS.values(), key=lambda kind: kind.rank))


def read_file(path: str | Path, options: FileOptions, kind: str | None = None) -> Transform:
    """Read a transform from a file of any kind; see `napari_mmreg.io.load_transform`."""
    source = Path(path)
    chosen = find_reader(source) if kind is None else _named(kind)
    if chosen.read is None:
        raise InputError(f"{chosen.title} files can be written, but not read.")
    return chosen.read(source, options)


def write_file(
    path: str | Path, transform: Transform, options: FileOptions, kind: str | None = None
) -> None:
    """Write a transform to a file of any kind; see `napari_mmreg.io.save_transform`."""
    target = Path(path)
    chosen = find_writer(target) if kind is None else _named(kind)
    if chosen.write is None:
        raise InputError(f"{chosen.title} files can be read, but not written.")
    chosen.write(target, transform, options.completed(transform))


def find_reader(source: Path) -> FileKind:
    """Return the kind of a file, by its name and, where that does not decide, its content.

    Where the content is of no kind, the last one with such a name is asked: it says what is wrong.

    Raises
    ------
    InputError
        If no kind has such names.
    TransformError
        If it is a folder, and no kind is one.
    """
    kinds = [k for k in file_kinds() if k.can_read and _matches(source, k.patterns)]
    if source.is_dir():
        kinds = [kind for kind in kinds if kind.folders]
        if not kinds:
            raise TransformError(f"{source} is a folder; name the transform in it (transform.npz).")
    if not kinds:
        raise InputError(
            f"{source.name} is no kind of file that transforms are read from; use one of "
            f"{_listed('patterns')}."
        )
    if not source.exists():
        return kinds[0]
    fitting = (k for k in kinds if k.recognises is None or k.recognises(source))
    return next(fitting, kinds[-1])


def recognised_kind(source: Path) -> FileKind | None:
    """Return the kind of a file that may be dropped on napari; None for all other files."""
    if not source.is_file():
        return None
    for kind in file_kinds():
        names = kind.patterns if kind.droppable is None else kind.droppable
        if not (kind.can_read and _matches(source, names)):
            continue
        if kind.recognises is None or kind.recognises(source):
            return kind
    return None


def find_writer(target: Path) -> FileKind:
    """Return the kind that a file of this name is written as.

    Raises
    ------
    InputError
        If there is none.
    """
    kinds = [k for k in file_kinds() if _matches(target, k.save_patterns)]
    if not kinds:
        raise InputError(
            f"Transforms cannot be stored in {target.name}; use one of {_listed('save_patterns')}."
        )
    # The name that says most: transform.matrix.txt is a matrix rather than any text.
    return max(kinds, key=lambda kind: max(map(len, _matching(target, kind.save_patterns))))


def _named(name: str) -> FileKind:
    kinds = {kind.name: kind for kind in file_kinds()}
    if name not in kinds:
        raise InputError(f"There is no kind of file called {name!r}; use one of {list(kinds)}.")
    return kinds[name]


def _matching(path: Path, patterns: tuple[str, ...]) -> list[str]:
    return [pattern for pattern in patterns if fnmatch(path.name.lower(), pattern)]


def _matches(path: Path, patterns: tuple[str, ...]) -> bool:
    return bool(_matching(path, patterns))


def _listed(which: Literal["patterns", "save_patterns"]) -> str:
    """Return all names of files once, without the star that they begin with."""
    names = [n.removeprefix("*") for kind in file_kinds() for n in getattr(kind, which)]
    return ", ".join(dict.fromkeys(names))
