"""What is made of coordinates through a transform: points, shapes, vectors, tracks, surfaces.

*Convention*: images are pulled, coordinates are pushed. Each row of coordinates ends with
``(row, col)`` in pixels; what comes before (slice, time, track) stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.transform import Transform
from napari_mmreg.geometry.warp import for_tiles
from napari_mmreg.run import Run

CHUNK = 1 << 16
"""Points that are mapped at a time; cancel is asked for in between."""

_NEIGHBOURS = 64
"""Side of the squares whose points are mapped together, in pixels."""

STAGE = "Moving points"

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Carried:
    """Coordinates after a transform, and which of them it had an answer for.

    Attributes
    ----------
    data : ndarray, list of ndarray, or tuple
        As it was given, of float64; NaN where there is no answer.
    kept : ndarray of bool, shape (n,)
        For each point, shape, vector, row of a track or vertex of a surface: whether all its
        coordinates have an answer.
    """

    data: Any
    kept: NDArray[np.bool_]

    @property
    def lost(self) -> int:
        """How many have no answer."""
        return int((~self.kept).sum())


def carry_points(points: ArrayLike, push: Transform, run: Run | None = None) -> Carried:
    """Carry points, or the rows of tracks: (n, D), the last two columns ``(row, col)``.

    Parameters
    ----------
    points : array_like of shape (n, D)
        D at least 2.
    push : Transform
        From the pixels that the points are in to those that they shall be in.
    run : Run, optional
        Takes the progress, and is asked for cancel.

    Raises
    ------
    InputError
        If the points have another shape, or are no numbers.
    Cancelled
        If the run says so.
    """
    table = _table(points, "Points", 2)
    table[:, -2:] = _map(table[:, -2:], push, run)
    return Carried(table, _finite(table))


def carry_vectors(vectors: ArrayLike, push: Transform, run: Run | None = None) -> Carried:
    """Carry vectors (n, 2, D), each a start and a difference: both ends are carried."""
    table = _table(vectors, "Vectors", 3)
    if table.shape[1] != 2:
        raise InputError(f"Vectors need the shape (n, 2, D), but have {table.shape}.")
    ends = table[:, :, -2:].copy()
    ends[:, 1] += ends[:, 0]
    ends = _map(ends.reshape(-1, 2), push, run).reshape(ends.shape)
    ends[:, 1] -= ends[:, 0]
    table[:, :, -2:] = ends
    return Carried(table, _finite(table))


def carry_shapes(shapes: Sequence[ArrayLike], push: Transform, run: Run | None = None) -> Carried:
    """Carry the vertices of shapes, each (n_i, D); see `outline` for those that are no polygons."""
    tables = [_vertices(vertices) for vertices in shapes]
    if len({table.shape[1] for table in tables}) > 1:
        raise InputError("All shapes need the same number of coordinates.")
    lengths = np.array([len(table) for table in tables], dtype=np.intp)
    together = np.concatenate(tables) if tables else np.empty((0, 2))
    together[:, -2:] = _map(together[:, -2:], push, run)
    lost = np.zeros(len(tables), dtype=np.intp)
    np.add.at(lost, np.repeat(np.arange(len(tables)), lengths), ~_finite(together))
    parts = np.split(together, np.cumsum(lengths)[:-1]) if tables else []
    return Carried(list(parts), lost == 0)


def carry_surface(surface: Sequence[Any], push: Transform, run: Run | None = None) -> Carried:
    """Carry the vertices of a surface ``(vertices, faces[, values])``; the rest stays."""
    if not isinstance(surface, tuple | list) or len(surface) not in (2, 3):
        raise InputError("A surface is (vertices, faces) or (vertices, faces, values).")
    carried = carry_points(surface[0], push, run)
    return Carried((carried.data, *map(np.asarray, surface[1:])), carried.kept)


def drop_rows(data: Any, kept: NDArray[np.bool_]) -> Any:
    """Return the points, vectors or rows of tracks that are kept."""
    return data[kept]


def drop_shapes(shapes: Sequence[Points], kept: NDArray[np.bool_]) -> list[Points]:
    """Return the shapes that are kept."""
    return [shape for shape, keep in zip(shapes, kept, strict=True) if keep]


def drop_vertices(surface: Sequence[Any], kept: NDArray[np.bool_]) -> tuple[Any, ...]:
    """Return a surface without some vertices and the faces that have one of them."""
    vertices, faces, *values = surface
    number = np.cumsum(kept) - 1
    whole = kept[faces].all(axis=1) if len(faces) else np.zeros(0, dtype=np.bool_)
    return (vertices[kept], number[faces[whole]], *(value[..., kept] for value in values))


@dataclass(frozen=True, eq=False)
class MarkKind:
    """How one kind of coordinates is carried, and how lost ones are left out."""

    carry: Callable[[Any, Transform, Run | None], Carried]
    drop: Callable[[Any, NDArray[np.bool_]], Any] = drop_rows


MARKS = {
    "points": MarkKind(carry_points),
    "shapes": MarkKind(carry_shapes, drop_shapes),
    "vectors": MarkKind(carry_vectors),
    "tracks": MarkKind(carry_points),
    "surface": MarkKind(carry_surface, drop_vertices),
}
"""By napari's names of layer types."""


def outline(vertices: ArrayLike, shape_type: str, *, bent: bool) -> tuple[Points, str]:
    """Return a shape as vertices that can be carried one by one, and what it is then.

    Parameters
    ----------
    vertices : array_like of shape (n, D)
        As napari has them: rectangles and ellipses by four corners, or two opposite ones.
    shape_type : str
        ``"rectangle"`` and ``"ellipse"`` become polygons; all others stay as they are.
    bent : bool
        Whether straight lines do not stay straight: rectangles then get vertices along their
        sides.
    """
    table = _table(vertices, "The vertices of a shape", 2)
    if shape_type not in ("rectangle", "ellipse"):
        return table, shape_type
    if len(table) == 2:
        first, last = table
        one, other = first.copy(), first.copy()
        one[-1], other[-2] = last[-1], last[-2]
        table = np.stack([first, one, last, other])
    if len(table) != 4:
        raise InputError(f"A {shape_type} needs two or four corners, but has {len(table)}.")
    if shape_type == "ellipse":
        angle = np.linspace(0, 2 * np.pi, _ELLIPSE, endpoint=False)[:, None]
        along, across = (table[1] - table[0]) / 2, (table[3] - table[0]) / 2
        return table.mean(axis=0) + np.cos(angle) * along + np.sin(angle) * across, "polygon"
    if bent:
        step = np.linspace(0, 1, _SIDE, endpoint=False)[:, None]
        sides = zip(table, np.roll(table, -1, axis=0), strict=True)
        table = np.concatenate([start + step * (end - start) for start, end in sides])
    return table, "polygon"


_ELLIPSE = 64
"""Vertices of an ellipse as a polygon."""

_SIDE = 8
"""Pieces of a rectangle's side that may bend."""


def _table(points: ArrayLike, what: str, ndim: int) -> Points:
    """Return coordinates as a float64 array of our own."""
    try:
        table = np.array(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} need numbers in one array ({error}).") from error
    if table.size == 0 and table.ndim < ndim:
        return np.empty((0, *(2,) * (ndim - 1)))
    if table.ndim != ndim or table.shape[-1] < 2:
        wanted = "(n, 2, D)" if ndim == 3 else "(n, D)"
        raise InputError(
            f"{what} need the shape {wanted} with D at least 2, for (..., row, col), but have "
            f"{table.shape}."
        )
    return table


def _vertices(vertices: ArrayLike) -> Points:
    """Return the vertices of one shape, not copied if they are float64 already."""
    if (
        isinstance(vertices, np.ndarray)
        and vertices.dtype == np.float64
        and vertices.ndim == 2
        and vertices.shape[1] >= 2
    ):
        return vertices
    return _table(vertices, "The vertices of a shape", 2)


def _map(points: Points, push: Transform, run: Run | None) -> Points:
    """Map points (n, 2) in chunks of neighbours, on several threads."""
    run = run or Run()
    mapped = np.empty(points.shape)
    if not len(points):
        return mapped
    order = np.arange(len(points))
    if not push.is_affine:
        # A large field is read from memory place by place: neighbours find theirs in the cache.
        order = np.lexsort((points[:, 1] // _NEIGHBOURS, points[:, 0] // _NEIGHBOURS))
    done = count(1)

    def map_chunk(_: slice, part: slice) -> None:
        run.check()
        chosen = order[part]
        mapped[chosen] = push.map(points[chosen])
        run.report(STAGE, min(1.0, next(done) * CHUNK / len(points)))

    for_tiles((1, len(points)), map_chunk, CHUNK)
    return mapped


def _finite(table: Points) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(table).all(axis=tuple(range(1, table.ndim))))
