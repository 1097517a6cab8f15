"""Named arrays in ``.npz`` files: plain dtypes, a version, no pickles.

What the arrays mean is the business of the transforms, see `Transform.to_arrays`.
"""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.limits import check_bytes

FORMAT = "napari-mmreg transform"
VERSION = 1
CONVENTION = "fixed to moving, (row, col), pixels, centres at integers"

Arrays = dict[str, Any]  # of numpy arrays

_MOST_ARRAYS = 10_000
"""Arrays that a file may hold; a chain of a thousand parts has some four thousand."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def write_arrays(path: str | Path, arrays: Arrays) -> None:
    """Write a transform's arrays; an existing file is replaced only when all is written.

    Raises
    ------
    TransformError
        If the place cannot be written to.
    """
    target = Path(path)
    header = {"format": FORMAT, "version": VERSION, "convention": CONVENTION}
    content = {**{name: np.array(value) for name, value in header.items()}, **arrays}
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **content)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TransformError(
            f"Cannot write {target}: {error.strerror or error}. Choose another folder."
        ) from error


def read_arrays(path: str | Path) -> Arrays:
    """Read the arrays that `write_arrays` wrote.

    Raises
    ------
    TransformError
        If the file is missing, damaged, foreign or from a newer version.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            arrays = _arrays(stream)
    except FileNotFoundError as error:
        raise TransformError(f"There is no file {source}; check the path.") from error
    except PermissionError as error:
        raise TransformError(f"{source} may not be read; check its permissions.") from error
    except InputError as error:  # larger than the limit
        raise TransformError(f"{source} cannot be read: {error}") from error
    except Exception as error:  # damaged archives end in whatever Python raises
        raise TransformError(
            f"{source} is damaged or no transform file; save the transform again."
        ) from error
    if str(arrays.get("format")) != FORMAT:
        raise TransformError(
            f"{source} was not written by napari-mmreg; export it as ITK (.tfm, .h5) instead."
        )
    try:
        version = int(arrays["version"])
    except (KeyError, TypeError, ValueError) as error:
        raise incomplete(source) from error
    if version > VERSION:
        raise TransformError(
            f"{source} was written by a newer napari-mmreg (format {version}, this one reads "
            f"{VERSION}); update napari-mmreg."
        )
    return arrays


def incomplete(source: str | Path) -> TransformError:
    """Return the error for a file that lacks something."""
    return TransformError(f"{source} is an incomplete transform file; save the transform again.")


def _arrays(stream: BinaryIO) -> Arrays:
    """Read an archive; the sizes of all arrays are checked before the first is allocated."""
    arrays: Arrays = {}
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len(members) > _MOST_ARRAYS:
            raise ValueError("too many arrays")
        check_bytes((sum(member.file_size for member in members),), 1, "The transform file")
        for member in members:
            with archive.open(member) as content:
                version = np.lib.format.read_magic(content)
                if version not in _HEADERS:
                    raise ValueError("an unknown version of .npy")
                shape, _, dtype = _HEADERS[version](content)
                if math.prod(shape) * dtype.itemsize > member.file_size:
                    raise ValueError("an array that claims more than the file holds")
            with archive.open(member) as content:
                name = member.filename.removesuffix(".npy")
                arrays[name] = np.lib.format.read_array(content, allow_pickle=False)
    return arrays
