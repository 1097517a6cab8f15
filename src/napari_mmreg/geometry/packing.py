"""Transforms as named arrays, and back: what ``.npz`` files hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import npz
from napari_mmreg.geometry.frame import Frame
from napari_mmreg.geometry.transform import KINDS, Transform

_FRAMES = ("fixed_frame/", "moving_frame/")
"""How the names of the arrays begin that describe the two images of a transform."""


def pack(transform: Transform, prefix: str = "") -> npz.Arrays:
    """Return a transform's arrays and its kind, all names beginning with `prefix`."""
    arrays = {**transform.to_arrays(), "kind": np.array(transform.kind)}
    for side, frame in zip(_FRAMES, (transform.fixed_frame, transform.moving_frame), strict=True):
        if frame is not None:
            arrays.update({side + name: array for name, array in frame.to_arrays().items()})
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
    return KINDS[kind].from_arrays(own).with_frames(fixed, moving)


def _beginning_with(prefix: str, arrays: Mapping[str, Any]) -> npz.Arrays:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
