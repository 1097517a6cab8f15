"""Plain 3x3 matrices, as text or as a NumPy array."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import MatrixTransform

MatrixOrder = Literal["xy", "rowcol"]

_SEPARATORS = re.compile(r"[\s,;\[\]]+")
_STATED = {
    "xy": re.compile(r"\(?\bx\s*,?\s*y\b", re.IGNORECASE),
    "rowcol": re.compile(r"\(?\brows?\s*,?\s*col(umn)?s?\b|\browcol\b", re.IGNORECASE),
}


def matrix_from_text(
    text: str, source: str, order: MatrixOrder | None = None
) -> MatrixTransform | None:
    """Read nine (or six) numbers, separated by blanks or commas; None if it is no such text.

    Parameters
    ----------
    text : str
        A comment line, from ``#``, may state the order: ``# (x, y)`` or ``# (row, col)``.
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
    return as_transform(matrix, source, order)


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
