"""Landmarks of BigWarp as a transform: its thin-plate spline, and landmarks that make one.

*Convention*: BigWarp's spline maps target (fixed) to moving as ours does, between physical
points ``(x, y)``; pixels are physical points divided by the pixel size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import MatrixTransform, ThinPlateTransform, Transform, fit_landmarks
from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.io import bigwarp
from napari_mmreg.io.physical import from_physical
from napari_mmreg.io.text import read_start

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

GRID = 15
"""Landmarks along each side for transforms that are no splines."""


def _is_json(path: Path) -> bool:
    return path.name.lower().endswith(".json")


def _recognises(path: Path) -> bool:
    text = read_start(path)
    if _is_json(path):
        return '"movingPoints"' in text and '"fixedPoints"' in text
    return bigwarp.looks_like_csv(text)


def _read(path: Path, options: FileOptions) -> Transform:
    parse = bigwarp.from_json if _is_json(path) else bigwarp.from_csv
    pairs = parse(read_start(path), str(path), *options.spacings)
    there = np.isfinite(np.concatenate([pairs.fixed, pairs.moving], axis=1)).all(axis=1)
    used = there & np.array(pairs.enabled, dtype=bool)
    names = [name for name, use in zip(pairs.names, used, strict=True) if use]
    fixed, moving = pairs.fixed[used], pairs.moving[used]
    if _square(options):
        return fit_landmarks(fixed, moving, "tps", allow_reflection=True, names=names)
    fixed_spacing, moving_spacing = options.spacings
    spline = fit_landmarks(
        fixed * fixed_spacing, moving * moving_spacing, "tps", allow_reflection=True, names=names
    )
    return from_physical(spline, fixed_spacing, moving_spacing)


def _square(options: FileOptions) -> bool:
    """Whether a spline is the same between pixels and between physical points."""
    row, col = options.spacings[0]
    return row == col


def _write(path: Path, transform: Transform, options: FileOptions) -> None:
    fixed, moving = _landmarks(transform, options)
    names = [f"Pt-{number}" for number in range(len(fixed))]
    bigwarp.write_bigwarp(path, fixed, moving, names, [True] * len(names), *options.spacings)


def _landmarks(
    transform: Transform, options: FileOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    simple = transform.compose(MatrixTransform.identity())
    if isinstance(simple, ThinPlateTransform) and simple.smoothing == 0 and _square(options):
        return simple.fixed_points, simple.moving_points
    if options.fixed_shape is None:
        raise InputError(
            "BigWarp's landmarks are sampled all over the fixed image; give its shape "
            "(fixed_shape)."
        )
    count = 3 if simple.is_affine else GRID
    axes = [np.linspace(0, size - 1, count) for size in options.fixed_shape[:2]]
    fixed = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    moving = simple.map(fixed)
    known = np.isfinite(moving).all(axis=1)
    if known.sum() < 3:
        raise TransformError("The transform has no answer on the fixed image; save it as .npz.")
    return fixed[known], moving[known]


register_file_kind(
    FileKind(
        name="bigwarp",
        title="BigWarp landmarks",
        holds="affine maps exactly, thin-plate splines where fixed pixels are square, all others "
        "through a grid of 15 x 15 landmarks",
        convention="fixed (target) to moving, (x, y), physical",
        patterns=("*.csv", "*.json"),
        read=_read,
        write=_write,
        written_as=("*landmarks*.csv", "*landmarks*.json"),
        suggested="{stem}_landmarks.csv",
        recognises=_recognises,
        droppable=(),
        rank=30,
    )
)
