"""From a displacement to what can be drawn: correction, arrows, colours, a bent grid.

Only numpy; called in the worker thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.imaging.flow import flow_colour, magnitude

if TYPE_CHECKING:
    from napari_mmreg.geometry import MatrixTransform

__all__ = [
    "MAX_ARROWS",
    "MAX_FIELD_PIXELS",
    "arrow_vectors",
    "correction",
    "field_stride",
    "flow_colour_where_known",
    "grid_lines",
    "magnitude",
    "only_where",
]

MAX_ARROWS = 10_000
MAX_FIELD_PIXELS = 1_500_000
"""Colour and magnitude images are thinned to this; a finer one shows nothing more."""


def correction(
    displacement: NDArray[np.float32], start: MatrixTransform, stride: int = 1
) -> NDArray[np.float32]:
    """Return by how much registration moved the moving image, in fixed pixels.

    Where the two images lay before (their places in the world, other sizes and scales) is
    taken out: an image that was right from the start has a correction of zero.

    Parameters
    ----------
    displacement : ndarray of float32, shape (H, W, 2)
        Fixed pixels to moving pixels: ``moving = fixed + displacement``.
    start : MatrixTransform
        Fixed to moving before the run.
    stride : int
        Only every `stride`-th row and column.

    Returns
    -------
    ndarray of float32, shape (ceil(H / stride), ceil(W / stride), 2)
        ``start⁻¹(fixed + displacement) - fixed``, (row, col); NaN where undefined.

    Notes
    -----
    *Convention*: (row, col), fixed pixels, pixel centres at integers. It points from a place
    in the fixed image to where its counterpart lay before the run.
    """
    thin = displacement[::stride, ::stride]
    if start.is_identity:
        return np.array(thin, dtype=np.float32)
    rows, cols = np.indices(thin.shape[:2]) * stride
    fixed = np.stack([rows, cols], axis=-1).astype(np.float64)
    moved = start.inverse().map(fixed + thin)
    return np.asarray(moved - fixed, dtype=np.float32)


def only_where(
    field: NDArray[np.float32], valid: NDArray[np.bool_], stride: int = 1
) -> NDArray[np.float32]:
    """Return a field that is NaN where the registered image has no data.

    Outside the moving image a transform is continued: what it says there nobody saw.

    Parameters
    ----------
    field : ndarray of float32, shape (h, w, 2)
    valid : ndarray of bool, shape (H, W)
        On all fixed pixels, of which the field has every `stride`-th.
    stride : int
    """
    known: NDArray[np.float32] = np.where(
        valid[::stride, ::stride, None], field, np.float32(np.nan)
    )
    return known


def flow_colour_where_known(field: NDArray[np.float32], full: float) -> NDArray[np.uint8]:
    """Return `flow_colour` with a fourth channel: seen through where undefined, (h, w, 4)."""
    rgba = np.empty((*field.shape[:2], 4), dtype=np.uint8)
    rgba[..., :3] = flow_colour(field, full)
    rgba[..., 3] = np.where(np.isfinite(field).all(axis=-1), 255, 0)
    return rgba


def field_stride(shape: tuple[int, ...]) -> int:
    """Return the stride that thins a field of `shape` to `MAX_FIELD_PIXELS`."""
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / MAX_FIELD_PIXELS))))


def arrow_vectors(
    field: NDArray[np.float32], across: int, stride: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sample a field as arrows.

    Parameters
    ----------
    field : ndarray of float32, shape (h, w, 2)
    across : int
        About how many along the longer side; never more than `MAX_ARROWS` in all.
    stride : int
        Fixed pixels per field pixel.

    Returns
    -------
    vectors : ndarray of float32, shape (n, 2, 2)
        Start and projection, as napari's Vectors want it, in fixed pixels.
    length : ndarray of float32, shape (n,)
        In fixed pixels.
    """
    rows, cols = field.shape[:2]
    step = max(max(rows, cols) / max(across, 1), np.sqrt(rows * cols / MAX_ARROWS), 1.0)
    at_row = _ticks((min(step, rows) - 1) / 2, rows, step)
    at_col = _ticks((min(step, cols) - 1) / 2, cols, step)
    at_row = at_row[: MAX_ARROWS // len(at_col)]
    arrows = field[np.ix_(at_row, at_col)].reshape(-1, 2)
    origin = np.stack(np.meshgrid(at_row, at_col, indexing="ij"), axis=-1).reshape(-1, 2) * stride
    good = np.isfinite(arrows).all(axis=1)
    vectors = np.stack([origin[good], arrows[good]], axis=1).astype(np.float32)
    return vectors, np.hypot(*arrows[good].T).astype(np.float32)


def grid_lines(field: NDArray[np.float32], lines: int = 20, stride: int = 1) -> NDArray[np.float32]:
    """Return a square grid bent by a field, as line segments.

    Parameters
    ----------
    field : ndarray of float32, shape (h, w, 2)
    lines : int
        Grid lines along the longer side.
    stride : int
        Fixed pixels per field pixel.

    Returns
    -------
    ndarray of float32, shape (n, 2, 2)
        Start and projection of every segment, in fixed pixels.
    """
    rows, cols = field.shape[:2]
    spacing = max(max(rows, cols) / lines, 2.0)
    fine = max(spacing / 3, 1.0)
    parts = [
        _bent(field, _ticks(0, rows, spacing), _ticks(0, cols, fine), stride),
        _bent(field, _ticks(0, rows, fine), _ticks(0, cols, spacing), stride, down=True),
    ]
    return np.concatenate(parts).astype(np.float32)


def _ticks(start: float, stop: int, step: float) -> NDArray[np.intp]:
    """Return whole numbers about `step` apart, below `stop` whatever the rounding."""
    ticks = np.arange(start, stop, step).astype(np.intp)
    return ticks[ticks < stop]


def _bent(
    field: NDArray[np.float32],
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
    stride: int,
    *,
    down: bool = False,
) -> NDArray[np.float64]:
    at = np.ix_(rows, cols)
    origin = np.stack(np.broadcast_arrays(*at), axis=-1).astype(np.float64) * stride
    points = origin + field[at]
    axis = 0 if down else 1
    start = points.take(range(points.shape[axis] - 1), axis=axis).reshape(-1, 2)
    stop = points.take(range(1, points.shape[axis]), axis=axis).reshape(-1, 2)
    segments = np.stack([start, stop - start], axis=1)
    return np.asarray(segments[np.isfinite(segments).all(axis=(1, 2))])
