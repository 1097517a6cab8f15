"""Transforms in ``.npz`` files: plain arrays, a version, no pickles."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry.field import DisplacementTransform
from napari_mmreg.geometry.inversion import InverseTransform, SmoothTransform
from napari_mmreg.geometry.residual import ResidualTransform
from napari_mmreg.geometry.thinplate import ThinPlateTransform
from napari_mmreg.geometry.transform import CompositeTransform, MatrixTransform, Transform

FORMAT = "napari-mmreg transform"
VERSION = 1

Arrays = dict[str, Any]  # of numpy arrays

_DAMAGE = (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise for files that are damaged or something else."""


def save(path: str | Path, transform: Transform) -> None:
    """Write a transform; an existing file is replaced only when all is written.

    Raises
    ------
    TransformError
        If the transform is of a kind that cannot be written, or the place cannot be written to.

    Notes
    -----
    *Convention*: the file states it: fixed to moving, ``(row, col)`` pixels.
    """
    target = Path(path)
    arrays: Arrays = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "convention": np.array("fixed to moving, (row, col), pixels, centres at integers"),
    }
    _pack(transform, "", arrays)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # plain dtypes only, see _pack
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TransformError(
            f"Cannot write {target}: {error.strerror or error}. Choose another folder."
        ) from error


def load(path: str | Path) -> Transform:
    """Read a transform that `save` wrote.

    Raises
    ------
    TransformError
        If the file is missing, damaged, foreign or from a newer version.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            arrays = _read_arrays(stream)
    except FileNotFoundError as error:
        raise TransformError(f"There is no file {source}; check the path.") from error
    except PermissionError as error:
        raise TransformError(f"{source} may not be read; check its permissions.") from error
    except _DAMAGE as error:
        raise TransformError(
            f"{source} is damaged or no transform file; save the transform again."
        ) from error
    if str(arrays.get("format")) != FORMAT:
        raise TransformError(
            f"{source} was not written by napari-mmreg; export it as ITK (.tfm, .h5) instead."
        )
    try:
        version = int(arrays["version"])
        if version > VERSION:
            raise TransformError(
                f"{source} was written by a newer napari-mmreg (format {version}, this one reads "
                f"{VERSION}); update napari-mmreg."
            )
        return _unpack(arrays, "")
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, TransformError):
            raise
        raise TransformError(
            f"{source} is an incomplete transform file; save the transform again."
        ) from error


def _read_arrays(stream: BinaryIO) -> Arrays:
    archive = np.load(stream, allow_pickle=False)
    if not isinstance(archive, NpzFile):
        raise TypeError("a bare array")
    return {name: archive[name] for name in archive.files}


def _pack(transform: Transform, prefix: str, arrays: Arrays) -> None:
    """Add the arrays of a transform, all names starting with `prefix`."""
    kind: str
    match transform:
        case MatrixTransform():
            kind = "matrix"
            arrays[prefix + "matrix"] = transform.matrix
        case DisplacementTransform():
            kind = "displacement"
            arrays[prefix + "field"] = transform.field
            arrays[prefix + "grid"] = transform.grid.matrix
        case ThinPlateTransform():
            kind = "thin-plate"
            arrays[prefix + "fixed"] = transform.fixed_points
            arrays[prefix + "moving"] = transform.moving_points
            arrays[prefix + "smoothing"] = np.array(transform.smoothing)
        case ResidualTransform():
            kind = "residual"
            arrays[prefix + "points"] = transform.points
            arrays[prefix + "offsets"] = transform.offsets
            arrays[prefix + "parameters"] = np.array(
                [transform.reach, transform.smoothing, transform.strength]
            )
        case InverseTransform():
            kind = "inverse"
            _pack(transform.forward, prefix + "forward/", arrays)
        case CompositeTransform():
            kind = "composite"
            arrays[prefix + "count"] = np.array(len(transform.transforms))
            for number, part in enumerate(transform.transforms):
                _pack(part, f"{prefix}{number}/", arrays)
        case _:
            raise TransformError(
                f"A {type(transform).__name__} cannot be saved; sample it first with "
                "DisplacementTransform.from_transform(transform, shape)."
            )
    arrays[prefix + "kind"] = np.array(kind)


def _unpack(arrays: Arrays, prefix: str) -> Transform:
    kind = str(arrays[prefix + "kind"])
    match kind:
        case "matrix":
            return MatrixTransform(arrays[prefix + "matrix"])
        case "displacement":
            grid = MatrixTransform(arrays[prefix + "grid"])
            return DisplacementTransform(arrays[prefix + "field"], grid)
        case "thin-plate":
            return ThinPlateTransform(
                arrays[prefix + "fixed"],
                arrays[prefix + "moving"],
                float(arrays[prefix + "smoothing"]),
            )
        case "residual":
            reach, smoothing, strength = (float(x) for x in arrays[prefix + "parameters"])
            return ResidualTransform(
                arrays[prefix + "points"], arrays[prefix + "offsets"], reach, smoothing, strength
            )
        case "inverse":
            forward = _unpack(arrays, prefix + "forward/")
            if not isinstance(forward, SmoothTransform):
                return forward.inverse()
            return InverseTransform(forward)
        case "composite":
            count = int(arrays[prefix + "count"])
            return CompositeTransform(_unpack(arrays, f"{prefix}{n}/") for n in range(count))
    raise TransformError(f"The file holds a transform of the unknown kind {kind!r}.")
