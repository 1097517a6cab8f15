"""Transform parameter files of elastix: ``TransformParameters.0.txt``.

*Convention*: elastix maps fixed to moving as we do, between physical points ``(x, y)``. As for
ITK's own files, the images' first pixels lie at the physical origin without a rotation, so that
physical = spacing * index.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import CompositeTransform, Frame, MatrixTransform, Transform
from napari_mmreg.geometry.units import Spacing
from napari_mmreg.io.itk import bspline
from napari_mmreg.io.physical import from_physical
from napari_mmreg.limits import check_bytes

_ENTRY = re.compile(r"^\s*\(\s*(\w+)((?:\s+(?:\"[^\"]*\"|[^\s()\"]+))*)\s*\)\s*$")
_VALUE = re.compile(r"\"([^\"]*)\"|([^\s()\"]+)")

_BSPLINES = ("BSplineTransform", "RecursiveBSplineTransform")
_KINDS = ("TranslationTransform", "EulerTransform", "SimilarityTransform", "AffineTransform")

_LONGEST_CHAIN = 20
"""Files that may refer to one another."""

Entries = dict[str, list[str]]


def looks_like_elastix(text: str) -> bool:
    """Whether a text holds the parameters of an elastix transform."""
    return re.search(r"^\s*\(\s*Transform\s+\"", text, re.MULTILINE) is not None


def read_elastix(
    path: Path,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing | None = None,
    moving_spacing: Spacing | None = None,
) -> Transform:
    """Read translation, Euler, similarity, affine and B-spline transforms, and chains of them.

    Parameters
    ----------
    path : Path
        The last file of a chain; those before it are found where it says, or beside it.
    fixed_shape : tuple of int, optional
        Rows and columns on which B-splines are sampled; by default those that the file states.
    fixed_spacing, moving_spacing : (float, float), optional
        Physical size of a pixel, ``(row, col)``; by default that of the fixed image that the
        file states, for both.

    Returns
    -------
    Transform
        Fixed to moving pixels.

    Raises
    ------
    TransformError
        If the file is damaged, three-dimensional, or of a kind that cannot be read.
    MissingExtraError
        If it holds a B-spline and SimpleITK is not installed.
    """
    chain = _chain(path)
    last = chain[-1]
    stated = _numbers(last, "Spacing", path) if "Spacing" in last else np.ones(2)
    spacing = fixed_spacing or (float(stated[-1]), float(stated[0]))
    if any(np.any(_numbers(e, "Origin", path)) for e in chain if "Origin" in e):
        raise TransformError(
            f"{path}: the fixed image had its origin elsewhere than at its first pixel, and the "
            "moving image's origin is not in the file. Run elastix on images without an origin."
        )
    size = _numbers(last, "Size", path) if "Size" in last else None
    if fixed_shape is None and size is not None:
        fixed_shape = (int(size[1]), int(size[0]))
    parts = [_physical(entries, path, fixed_shape, spacing) for entries in chain]
    transform = from_physical(CompositeTransform(parts), spacing, moving_spacing or spacing)
    if size is None:
        return transform
    return transform.with_frames(Frame((int(size[1]), int(size[0]))), None)


def _chain(path: Path) -> list[Entries]:
    """Return the entries of the file and of those before it, the first applied first."""
    chain: list[Entries] = []
    current: Path | None = path
    while current is not None:
        if len(chain) == _LONGEST_CHAIN:
            raise TransformError(f"{path} refers to more than {_LONGEST_CHAIN} files in a row.")
        entries = _entries(current)
        chain.insert(0, entries)
        name = _word(entries, "InitialTransformParameterFileName") or _word(
            entries, "InitialTransformParametersFileName"
        )
        if not name or name == "NoInitialTransform":
            return chain
        if _word(entries, "HowToCombineTransforms") == "Add":
            raise TransformError(
                f"{current} adds its transform to another one; only (HowToCombineTransforms "
                '"Compose") can be read. Run elastix with that.'
            )
        former = Path(name)
        beside = current.parent / former.name
        current = former if former.is_absolute() and former.exists() else beside
    return chain


def _entries(path: Path) -> Entries:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise TransformError(f"There is no file {path}; check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise TransformError(f"{path} cannot be read as text; copy it again.") from error
    found: Entries = {}
    for line in text.splitlines():
        content = line.split("//")[0]
        if match := _ENTRY.match(content):
            found[match[1]] = [a or b for a, b in _VALUE.findall(match[2])]
    if "Transform" not in found:
        raise TransformError(f"{path} holds no elastix transform; copy it again.")
    return found


def _physical(
    entries: Entries, path: Path, fixed_shape: tuple[int, ...] | None, spacing: Spacing
) -> Transform:
    """Return one file's transform between physical points in ``(row, col)`` order."""
    kind = _word(entries, "Transform")
    for name in ("FixedImageDimension", "MovingImageDimension"):
        if name in entries and entries[name] != ["2"]:
            raise TransformError(
                f"{path}: only 2-D transforms can be used, not {_word(entries, name)}-D."
            )
    parameters = _numbers(entries, "TransformParameters", path)
    if kind in _BSPLINES:
        return _bspline(entries, path, parameters, fixed_shape, spacing)
    centre = np.zeros(2)
    if "CenterOfRotationPoint" in entries:
        centre = _numbers(entries, "CenterOfRotationPoint", path)
    matrix = np.eye(2)
    counts = {"TranslationTransform": 2, "EulerTransform": 3, "SimilarityTransform": 4}
    if kind not in _KINDS:
        raise TransformError(
            f"{path} holds an elastix transform of the kind {kind!r}; those that can be read are "
            f"{', '.join((*_KINDS, *_BSPLINES))}."
        )
    if len(parameters) != counts.get(kind, 6) or len(centre) != 2:
        raise TransformError(f"{path} is damaged: {kind} has {len(parameters)} parameters.")
    if kind == "AffineTransform":
        matrix = parameters[:4].reshape(2, 2)
    elif kind != "TranslationTransform":
        scale = parameters[0] if kind == "SimilarityTransform" else 1.0
        cos, sin = (scale * f(parameters[-3]) for f in (np.cos, np.sin))
        matrix = np.array([[cos, -sin], [sin, cos]])
    whole = np.eye(3)
    whole[:2, :2] = matrix
    whole[:2, 2] = centre + parameters[-2:] - matrix @ centre
    return MatrixTransform.from_xy(whole)


def _bspline(
    entries: Entries,
    path: Path,
    parameters: NDArray[np.float64],
    fixed_shape: tuple[int, ...] | None,
    spacing: Spacing,
) -> Transform:
    if fixed_shape is None:
        raise InputError(
            f"{path}: a B-spline has to be sampled; give the fixed image's shape (fixed_shape)."
        )
    grid: dict[str, Any] = {
        name: _numbers(entries, f"Grid{name}", path) for name in ("Size", "Origin", "Spacing")
    }
    columns, rows = (int(n) for n in grid["Size"])
    check_bytes((rows, columns, 2), 8, str(path))
    if min(rows, columns) < 1 or len(parameters) != 2 * rows * columns:
        raise TransformError(
            f"{path} is damaged: a grid of {columns} x {rows} has {2 * rows * columns} "
            f"parameters, not {len(parameters)}."
        )
    order = int(_word(entries, "BSplineTransformSplineOrder") or 3)
    direction = _numbers(entries, "GridDirection", path) if "GridDirection" in entries else None
    if direction is not None and not np.array_equal(direction, np.eye(2).ravel()):
        raise TransformError(f"{path}: a turned grid of a B-spline cannot be read.")
    coefficients = parameters.reshape(2, rows, columns)
    return bspline(
        coefficients, tuple(grid["Origin"]), tuple(grid["Spacing"]), order, fixed_shape, spacing
    )


def _word(entries: Entries, name: str) -> str:
    return (entries.get(name) or [""])[0]


def _numbers(entries: Entries, name: str, path: Path) -> NDArray[np.float64]:
    try:
        values = np.array([float(value) for value in entries[name]])
    except (KeyError, ValueError) as error:
        raise TransformError(f"{path} is damaged: it has no numbers for {name}.") from error
    if not np.isfinite(values).all() or not values.size:
        raise TransformError(f"{path} is damaged: {name} is not finite.")
    return values
