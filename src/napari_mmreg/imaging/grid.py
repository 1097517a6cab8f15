"""The common working grid of two frames, and where registration starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging.checks import MIN_SIDE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MAX_GROWTH = 0.5
"""How far the grid may reach beyond the fixed frame on each side, in frame sizes."""


def initial_transform(
    fixed_shape: tuple[int, ...],
    moving_shape: tuple[int, ...],
    initial: Transform | ArrayLike | None = None,
    fixed_spacing: tuple[float, float] = (1.0, 1.0),
    moving_spacing: tuple[float, float] | None = None,
) -> Transform:
    """Return where registration starts: fixed pixels to moving pixels.

    Parameters
    ----------
    fixed_shape, moving_shape : tuple of int
        Rows and columns (further axes are ignored).
    initial : Transform or array_like of shape (3, 3), optional
        What the user gave; returned as a transform, for images of these shapes.
    fixed_spacing, moving_spacing : (float, float)
        Size of a pixel along rows and columns. If both are given, the frames' centres
        coincide and a physical length stays a length. Without `moving_spacing` one scale
        makes the moving frame as large in area as the fixed frame: sensors differ in pixel
        count more than in what they see. Equal frames give the identity.

    Raises
    ------
    InputError
        If `initial` is neither a transform nor a 3x3 matrix that can be inverted, or is one of
        other images; see `Transform.for_shapes`.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """
    if isinstance(initial, Transform):
        return initial.for_shapes(fixed_shape, moving_shape)
    if initial is not None:
        return _from_matrix(initial)
    fixed_size = np.array(fixed_shape[:2], dtype=np.float64)
    moving_size = np.array(moving_shape[:2], dtype=np.float64)
    if moving_spacing is not None:
        scale = np.array(fixed_spacing) / np.array(moving_spacing)
    else:
        scale = np.full(2, np.sqrt(moving_size.prod() / fixed_size.prod()))
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = (moving_size - 1) / 2 - scale * (fixed_size - 1) / 2
    return MatrixTransform(matrix)


def _from_matrix(initial: ArrayLike) -> MatrixTransform:
    advice = (
        "Pass a napari_mmreg Transform or an invertible 3x3 matrix that maps fixed to moving "
        "pixels, (row, col, 1)."
    )
    try:
        matrix = np.asarray(initial, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"The initial transform is a {type(initial).__name__}. {advice}") from None
    if matrix.shape != (3, 3):
        raise InputError(f"The initial transform has the shape {matrix.shape}. {advice}")
    try:
        transform = MatrixTransform(matrix)
        transform.inverse()
    except TransformError as error:
        raise InputError(f"The initial transform cannot be used: {error} {advice}") from error
    return transform


def working_grid(
    fixed_shape: tuple[int, ...],
    moving_shape: tuple[int, ...],
    initial: Transform,
    spacing: tuple[float, float],
    budget: int,
) -> tuple[tuple[int, int], MatrixTransform]:
    """Lay a grid of square pixels over the fixed frame and what the moving frame adds to it.

    Parameters
    ----------
    fixed_shape, moving_shape : tuple of int
        Rows and columns (further axes are ignored).
    initial : Transform
        Fixed to moving pixels.
    spacing : (float, float)
        Size of a fixed pixel along rows and columns.
    budget : int
        Pixels the grid may have; only ever exceeded to keep `MIN_SIDE` rows and columns.

    Returns
    -------
    shape : (int, int)
        Rows and columns of the grid.
    fixed_from_grid : MatrixTransform
        Grid pixels to fixed pixels: a scale and a shift.

    Raises
    ------
    InputError
        If the budget is too small for any grid.
    """
    if budget < MIN_SIDE**2:
        raise InputError(f"A budget of {budget} pixels is too small; allow at least {MIN_SIDE**2}.")
    frame = np.array(fixed_shape[:2], dtype=np.float64)
    before, after = _growth(frame, moving_shape, initial)
    # Fixed pixels per grid pixel and axis: square in the world, as fine as the finer axis.
    finest = min(spacing) / np.array(spacing)
    size = frame + before + after
    coarser = max(1.0, np.sqrt((size / finest).prod() / budget))
    while True:
        step = finest * min(coarser, max(1.0, float((frame / finest).min()) / MIN_SIDE))
        pad_before = np.ceil(before / step - 1e-6)
        pad_after = np.ceil(after / step - 1e-6)
        inner = np.maximum(np.ceil(frame / step - 0.5), 1)
        rows, cols = (pad_before + inner + pad_after).astype(int)
        if rows * cols <= budget or min(inner) <= MIN_SIDE:
            break
        coarser *= 1.001  # rounding up went over the budget
    matrix = np.diag([*step, 1.0])
    matrix[:2, 2] = (0.5 - pad_before) * step - 0.5
    return (int(rows), int(cols)), MatrixTransform(matrix)


def _growth(
    frame: NDArray[np.float64], moving_shape: tuple[int, ...], initial: Transform
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far the moving frame reaches beyond the fixed one, before and after, (2,)."""
    try:
        back = initial.inverse()
    except TransformError as error:
        raise InputError(f"The initial transform cannot be used: {error}") from error
    height, width = moving_shape[:2]
    along = np.linspace(0.0, 1.0, 33)
    edges = np.concatenate(
        [
            np.column_stack([along * height, np.full_like(along, side * width)])
            for side in (0.0, 1.0)
        ]
        + [
            np.column_stack([np.full_like(along, side * height), along * width])
            for side in (0.0, 1.0)
        ]
    )
    outline = back.map(edges - 0.5) + 0.5
    outline = outline[np.isfinite(outline).all(axis=1)]
    if outline.size == 0:
        return np.zeros(2), np.zeros(2)
    limit = MAX_GROWTH * frame
    before = np.clip(-outline.min(axis=0), 0.0, limit)
    after = np.clip(outline.max(axis=0) - frame, 0.0, limit)
    # Rounding and slivers are no reason to grow.
    before[before < 0.01], after[after < 0.01] = 0.0, 0.0
    return before, after
