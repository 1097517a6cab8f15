"""Stacks of which each plane is carried by a transform of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Transform, fill_value
from napari_mmreg.geometry.marks import MARKS
from napari_mmreg.geometry.stacks import resample_planes, stack_order
from napari_mmreg.run import Run
from napari_mmreg.series.planes import Planes, planes_of

if TYPE_CHECKING:
    from napari_mmreg.geometry.applying import Side
    from napari_mmreg.run import CancelCheck, Progress


class CarriedStack:
    """A stack on another grid that is resampled where it is looked at; NumPy and napari take it.

    Parameters
    ----------
    source : Planes
        What is carried; nothing is copied.
    transforms : sequence of Transform
        One a plane: pixels of the grid to pixels of the source.
    shape : (int, int)
        Rows and columns of the grid.
    order : {0, 1, 3}, optional
        By default nearest for stacks of labels, else linear.
    fill, nodata : number, optional
        As in `napari_mmreg.apply`.

    Attributes
    ----------
    shape : tuple of int
        (..., H, W) or (..., H, W, C).
    dtype : dtype
        The source's.
    """

    def __init__(
        self,
        source: Planes,
        transforms: Sequence[Transform],
        shape: tuple[int, int],
        *,
        order: int | None = None,
        fill: float | None = None,
        nodata: float | None = None,
    ) -> None:
        number = len(transforms)
        if source.number not in (None, number):
            raise InputError(
                f"The stack has {source.number} planes along axis {source.axis}, and the series "
                f"{number}. Pass a stack with as many planes, or choose the axis."
            )
        self._source, self._transforms, self._grid = source, tuple(transforms), shape
        self._leading = (number,) if source.axis is None else source.leading
        self._axis = source.axis or 0
        self._nodata = nodata
        self._fill = fill_value(np.dtype(source.data.dtype), nodata) if fill is None else fill
        self._order = order
        self._kept: tuple[tuple[int, ...], NDArray[Any]] | None = None
        self.shape = (*self._leading, *shape, *source.channels)
        self.dtype = np.dtype(source.data.dtype)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many values it has."""
        return int(np.prod(self.shape))

    @property
    def order(self) -> int:
        """How it is interpolated: 0 nearest, 1 linear, 3 cubic."""
        if self._order is None:
            number = self._source.number or 1
            places = sorted({0, number // 2, number - 1})
            self._order = stack_order([self._source.plane(n) for n in places])
        return self._order

    def __len__(self) -> int:
        return self.shape[0]

    def images(self, run: Run | None = None) -> Iterator[NDArray[Any]]:
        """Yield every image, (H, W) or (H, W, C), the last leading axis fastest.

        Neighbours with one transform share its positions. Reports progress; raises `Cancelled`.
        """
        run = run or Run()
        places = list(np.ndindex(*self._leading))
        groups = groupby(enumerate(places), key=lambda each: id(self._pull(each[1])))
        for _, group in groups:
            numbered = list(group)
            first, last = numbered[0][0], numbered[-1][0] + 1
            with run.part(first / len(places), last / len(places)):
                yield from self._resampled([place for _, place in numbered], run)
        run.report("Resampling", 1.0)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        before, after = self._split(index)
        chosen = [np.arange(n)[part] for n, part in zip(self._leading, before, strict=True)]
        kept = tuple(part.shape[0] for part in chosen if part.ndim)
        whole = np.empty((*kept, *self.shape[len(self._leading) :]), self.dtype)
        flat = whole.reshape(-1, *self.shape[len(self._leading) :])
        grids = [np.atleast_1d(part) for part in chosen]
        for number, place in enumerate(np.ndindex(*(len(grid) for grid in grids))):
            flat[number] = self._image(tuple(int(g[n]) for g, n in zip(grids, place, strict=True)))
        return np.asarray(whole[(slice(None),) * len(kept) + after])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("The stack is resampled, which makes a copy.")
        return self.to_array().astype(dtype or self.dtype, copy=False)

    def to_array(self, run: Run | None = None) -> NDArray[Any]:
        """Return all of it as an array."""
        whole = np.empty(self.shape, self.dtype)
        flat = whole.reshape(-1, *self.shape[len(self._leading) :])
        for number, image in enumerate(self.images(run)):
            flat[number] = image
        return whole

    def _image(self, place: tuple[int, ...]) -> NDArray[Any]:
        """Return one image; the last one is kept, for viewers ask for it again."""
        if self._kept is None or self._kept[0] != place:
            self._kept = place, next(self._resampled([place], Run()))
        return self._kept[1]

    def _resampled(self, places: Sequence[tuple[int, ...]], run: Run) -> Iterator[NDArray[Any]]:
        return resample_planes(
            (self._read(place) for place in places),
            self._pull(places[0]),
            self._grid,
            number=len(places),
            order=self.order,
            fill=self._fill,
            nodata=self._nodata,
            run=run,
        )

    def _read(self, place: tuple[int, ...]) -> NDArray[Any]:
        return self._source.read(() if self._source.axis is None else place)

    def _pull(self, place: tuple[int, ...]) -> Transform:
        return self._transforms[place[self._axis]]

    def _split(self, index: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the index along the leading axes, and that along the others."""
        parts = index if isinstance(index, tuple) else (index,)
        if any(part is None for part in parts):
            raise IndexError("Convert the stack by np.asarray to add axes to it.")
        if any(part is Ellipsis for part in parts):
            at = next(n for n, part in enumerate(parts) if part is Ellipsis)
            missing = self.ndim - len(parts) + 1
            parts = (*parts[:at], *(slice(None),) * missing, *parts[at + 1 :])
        parts = (*parts, *(slice(None),) * (self.ndim - len(parts)))
        lead = len(self._leading)
        return parts[:lead], parts[lead:]


def apply_series(
    data: Any,
    transforms: Sequence[Transform],
    kind: str,
    *,
    to: Side,
    axis: int,
    rgb: bool | None,
    shape: tuple[int, int],
    order: int | None,
    fill: float | None,
    nodata: float | None,
    progress: Progress | None,
    cancel: CancelCheck | None,
) -> Any:
    """Carry data by the transforms of a series; see `SeriesResult.apply`."""
    run = Run.begin("cpu", 0, progress, cancel)
    if to not in ("fixed", "moving"):
        raise InputError(f"Data is carried to 'fixed' or to 'moving', not to {to!r}.")
    if kind == "points":
        return _points(data, transforms, to, axis, run)
    if kind not in ("image", "labels"):
        raise InputError(f"A series carries 'image', 'labels' or 'points', not {kind!r}.")
    source = planes_of(data, "given", axis, rgb=rgb)
    if kind == "labels":
        order, fill = 0, 0 if fill is None else fill
    sizes = (shape, source.shape) if to == "fixed" else (source.shape, shape)
    made: dict[int, Transform] = {}
    for transform in transforms:
        if id(transform) not in made:
            fitting = transform.for_shapes(*sizes)
            made[id(transform)] = fitting if to == "fixed" else fitting.inverse()
    pulls = [made[id(transform)] for transform in transforms]
    carried = CarriedStack(source, pulls, shape, order=order, fill=fill, nodata=nodata)
    return carried.to_array(run)


def _points(
    data: Any, transforms: Sequence[Transform], to: Side, axis: int, run: Run
) -> NDArray[np.float64]:
    """Carry points, each by the transform of the plane that it lies in."""
    points = np.array(data, dtype=np.float64)
    lead = points.shape[-1] - 2 if points.ndim == 2 else 0
    if not 0 <= axis < lead:
        raise InputError(
            f"Points of a series need a column that says the plane before (row, col): shape (n, 3) "
            f"or more and axis below {max(lead, 1)}, not {points.shape} and {axis}."
        )
    plane = np.rint(points[:, axis])
    for number in np.unique(plane[np.isfinite(plane)]).astype(int):
        if not 0 <= number < len(transforms):
            raise InputError(
                f"There are points in plane {number}, but the series has {len(transforms)} planes."
            )
        push = transforms[number] if to == "moving" else transforms[number].inverse()
        here = plane == number
        with run.part(number / len(transforms), (number + 1) / len(transforms)):
            points[here] = MARKS["points"].carry(points[here], push, run).data
    return points
