"""Plain 3x3 matrices as text, as OpenCV, scikit-image and spreadsheets exchange them.

*Convention*: a matrix acts on pixels, pixel centres at integers. What is written maps fixed to
moving on ``(x, y, 1)``, and says so in comments; a file that is read may state the other order,
``# (row, col)``, or the other direction, ``# moving to fixed``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.geometry.files import (
    FileKind,
    FileOptions,
    MatrixOrder,
    register_file_kind,
)
from napari_mmreg.io.text import read_start
from napari_mmreg.io.whole import write_text

MAX_TEXT = 1_000_000
"""Bytes; twelve numbers and any number of comments fit in."""

_SEPARATORS = re.compile(r"[\s,;\[\]]+")
_STATED = {
    "xy": re.compile(r"\(?\bx\s*,?\s*y\b", re.IGNORECASE),
    "rowcol": re.compile(r"\(?\brows?\s*,?\s*col(umn)?s?\b|\browcol\b", re.IGNORECASE),
}
_BACKWARD = re.compile(r"\bmoving\s*(image\s*)?(to|->|→)\s*(the\s*)?fixed\b", re.IGNORECASE)

_COMMENTS = """\
# napari-mmreg: a 3x3 matrix on (x, y, 1), pixels, pixel centres at integers
# fixed to moving: the moving image is sampled at matrix @ (x, y, 1)
# scikit-image: warp(moving, ProjectiveTransform(matrix), output_shape=fixed.shape)
# OpenCV: {function}(moving, {matrix}, (columns, rows), flags=INTER_LINEAR | WARP_INVERSE_MAP)
"""


def matrix_from_text(
    text: str, source: str, order: MatrixOrder | None = None
) -> MatrixTransform | None:
    """Read nine (or six) numbers, separated by blanks or commas; None if it is no such text.

    Parameters
    ----------
    text : str
        A comment line, from ``#``, may state the order, ``# (x, y)`` or ``# (row, col)``, and the
        direction, ``# fixed to moving`` (what is assumed) or ``# moving to fixed``.
    source : str
        What messages call it.
    order : {"xy", "rowcol"}, optional
        Goes before what the text states.

    Raises
    ------
    TransformError
        If the order is neither stated nor given, or the matrix cannot be used.

    Notes
    -----
    *Convention*: fixed to moving pixels, on ``(x, y, 1)`` or ``(row, col, 1)``, pixel centres at
    integers.
    """
    lines = [line.partition("#") for line in text.splitlines()]
    cells = [c for body, _, _ in lines for c in _SEPARATORS.split(body) if c]
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    if len(numbers) not in (6, 9):
        return None
    comments = " ".join(comment for _, _, comment in lines)
    stated = [name for name, pattern in _STATED.items() if pattern.search(comments)]
    if order is None and len(stated) == 1:
        order = "xy" if stated[0] == "xy" else "rowcol"
    matrix = np.eye(3)
    matrix[: len(numbers) // 3] = np.reshape(numbers, (-1, 3))
    transform = as_transform(matrix, source, order)
    return transform.inverse() if _BACKWARD.search(comments) else transform


def as_transform(
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    source: str,
    order: MatrixOrder | None,
) -> MatrixTransform:
    """Return the transform of a 3x3 matrix; raise `TransformError` if its order is not known."""
    swapped = matrix[np.ix_([1, 0, 2], [1, 0, 2])]
    if order is None and not np.array_equal(matrix, swapped):
        raise TransformError(
            f"{source} is a plain 3x3 matrix; say what it acts on: --matrix-order xy (OpenCV, "
            "scikit-image) or rowcol (matrix_order= in Python), or with a first line '# (x, y)' or "
            "'# (row, col)'. It must map fixed to moving pixels."
        )
    return MatrixTransform.from_xy(matrix) if order == "xy" else MatrixTransform(matrix)


def read_npy_matrix(path: Path, order: MatrixOrder | None = None) -> MatrixTransform:
    """Read a 3x3 matrix that `numpy.save` wrote.

    Raises
    ------
    TransformError
        If it is something else; see `matrix_from_text` for the rest.
    """
    from napari_mmreg.io.npy import read_npy

    array = read_npy(path)
    if array.shape != (3, 3) or array.dtype.kind not in "iuf":
        raise TransformError(
            f"{path} holds an array of shape {array.shape} and dtype {array.dtype}; a transform "
            "would be a 3x3 matrix. A displacement field is stored by "
            "DisplacementTransform(field).save('field.npz')."
        )
    return as_transform(array.astype(np.float64), str(path), order)


def write_matrix(path: Path, transform: Transform, _: FileOptions) -> None:
    """Write an affine map or a homography.

    Raises
    ------
    TransformError
        If the transform is no matrix.
    """
    simple = transform.compose(MatrixTransform.identity())
    if not isinstance(simple, MatrixTransform):
        raise TransformError(
            "A bend has no matrix; write this transform as .npz, or as a displacement field "
            "(.nii.gz, .mha)."
        )
    rows = "\n".join(" ".join(map(repr, row)) for row in simple.matrix_xy.tolist())
    affine = simple.is_affine
    comments = _COMMENTS.format(
        function="warpAffine" if affine else "warpPerspective",
        matrix="matrix[:2]" if affine else "matrix",
    )
    write_text(path, comments + rows + "\n")


def _read(path: Path, options: FileOptions) -> Transform:
    text = read_start(path, MAX_TEXT)
    found = matrix_from_text(text, str(path), options.matrix_order)
    if found is None:
        raise TransformError(f"{path} is {_kind_of(text, path.name.lower())}")
    return found


def _kind_of(text: str, name: str) -> str:
    """Say what a text is that holds no transform, and what to do with it."""
    start = text.lstrip()
    if not start:
        return "empty or no text; write it again."
    if name.endswith(".json") or start.startswith("{"):
        return (
            "JSON, which is no transform that can be read here. Landmarks are fitted by 'mmreg "
            "evaluate --landmarks FILE --fit affine --output transform.npz'."
        )
    if "," in start.splitlines()[0] and not start.startswith("#"):
        return (
            "a table, not a transform. If it holds landmarks, fit them: 'mmreg evaluate "
            "--landmarks FILE --fit affine --output transform.npz'."
        )
    return (
        "a text that is neither an ITK transform ('#Insight Transform File V1.0'), nor elastix's "
        "parameters ('(Transform \"...\")'), nor the nine numbers of a 3x3 matrix."
    )


def _recognises(path: Path) -> bool:
    try:
        return matrix_from_text(read_start(path, MAX_TEXT), str(path), "xy") is not None
    except TransformError:  # numbers that are no good matrix
        return True


register_file_kind(
    FileKind(
        name="matrix",
        title="3x3 matrix as text",
        holds="affine maps and homographies",
        convention="fixed to moving, (x, y), pixels; other orders and directions where stated",
        patterns=("*.txt", "*.csv", "*.dat", "*.tfm", "*.json"),
        read=_read,
        write=write_matrix,
        written_as=("*matrix*.txt",),
        suggested="{stem}_matrix.txt",
        recognises=_recognises,
        droppable=("*.txt",),
        rank=90,
    )
)
