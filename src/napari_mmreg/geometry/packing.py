"""Transforms as named arrays, and back; our own ``.npz`` files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import npz
from napari_mmreg.geometry.frame import Frame
from napari_mmreg.geometry.transform import KINDS, Transform

_FRAMES = ("fixed_frame/", "moving_frame/")
"""How the names of the arrays begin that describe the two images of a transform."""

MAX_DEPTH = 20
"""How deep transforms in files may hold others."""


def save_npz(path: str | Path, transform: Transform) -> None:
    """Write a transform to an ``.npz`` file, exactly: its images and provenance included.

    Raises
    ------
    TransformError
        If transforms of its class cannot be saved, or the place cannot be written to.
    """
    npz.write_arrays(path, pack(transform))


def load_npz(path: str | Path) -> Transform:
    """Read a transform that `save_npz` wrote.

    Raises
    ------
    TransformError
        If the file is missing, damaged, foreign or from a newer version.
    """
    arrays = npz.read_arrays(path)
    if max(name.count("/") for name in arrays) > MAX_DEPTH:
        raise TransformError(f"{path} holds transforms within transforms without an end.")
    try:
        with np.errstate(all="ignore"):
            return unpack(arrays)
    except TransformError:
        raise
    except Exception as error:  # whatever constructors make of damaged numbers
        raise npz.incomplete(path) from error


def pack(transform: Transform, prefix: str = "") -> npz.Arrays:
    """Return a transform's arrays and its kind, all names beginning with `prefix`."""
    arrays = {**transform.to_arrays(), "kind": np.array(transform.kind)}
    for side, frame in zip(_FRAMES, (transform.fixed_frame, transform.moving_frame), strict=True):
        if frame is not None:
            arrays.update({side + name: array for name, array in frame.to_arrays().items()})
    if transform.provenance:
        arrays["provenance"] = np.array(json.dumps(dict(transform.provenance)))
    return {prefix + name: array for name, array in arrays.items()}


def unpack(arrays: Mapping[str, Any], prefix: str = "") -> Transform:
    """Make the transform whose arrays' names begin with `prefix`; see `pack`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an array is missing or cannot be used; `TransformError` is one of them.
    """
    kind = str(arrays[prefix + "kind"])
    if kind not in KINDS:
        raise TransformError(f"The file holds a transform of the unknown kind {kind!r}.")
    own = _beginning_with(prefix, arrays)
    frames = [_beginning_with(side, own) for side in _FRAMES]
    fixed, moving = (Frame.from_arrays(frame) if frame else None for frame in frames)
    transform = KINDS[kind].from_arrays(own).with_frames(fixed, moving)
    if "provenance" not in own:
        return transform
    return transform.with_provenance(json.loads(str(own["provenance"])))


def _beginning_with(prefix: str, arrays: Mapping[str, Any]) -> npz.Arrays:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
