"""Stacks as a row of planes: which axis they run along, and what is looked at in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.stacks import channels_are_last


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A stack of planes, or one image that counts for every plane of another stack.

    Attributes
    ----------
    data : array_like of shape (..., h, w) or (..., h, w, C)
        Perhaps lazy: it needs ``shape``, ``dtype`` and indexing by whole numbers, and is read a
        plane at a time.
    axis : int or None
        Which of the leading axes the planes run along; None for one image.
    at : tuple of int
        Index along each leading axis of what is looked at; that along `axis` does not count.
    channels_last : bool
        Whether the last axis holds channels.
    """

    data: Any
    axis: int | None
    at: tuple[int, ...]
    channels_last: bool

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the axes before rows and columns."""
        return tuple(int(n) for n in self.data.shape[: -3 if self.channels_last else -2])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.data.shape[-3:-1] if self.channels_last else self.data.shape[-2:]
        return int(rows), int(cols)

    @property
    def channels(self) -> tuple[int, ...]:
        """Length of the axis of channels, or nothing."""
        return (int(self.data.shape[-1]),) if self.channels_last else ()

    @property
    def number(self) -> int | None:
        """How many planes there are; None for one image that counts for any number."""
        return None if self.axis is None else self.leading[self.axis]

    def plane(self, number: int) -> NDArray[Any]:
        """Return what is looked at in a plane: (h, w) or (h, w, C)."""
        place = list(self.at)
        if self.axis is not None:
            place[self.axis] = number
        return self.read(tuple(place))

    def read(self, place: tuple[int, ...]) -> NDArray[Any]:
        """Return the image at a place of the leading axes: (h, w) or (h, w, C)."""
        return np.asarray(self.data[place] if place else self.data)


def planes_of(
    data: Any,
    side: str,
    axis: int = 0,
    at: Sequence[int] | None = None,
    rgb: bool | None = None,
) -> Planes:
    """Return an image as planes.

    Parameters
    ----------
    data : array_like, or list or tuple of images of one size
        See `Planes`.
    side : str
        What messages call it.
    axis : int
        Which leading axis the planes run along; negative ones count from the last leading axis.
        An image without leading axes is one image.
    at : sequence of int, optional
        See `Planes`; by default zeros.
    rgb : bool, optional
        Whether the last axis holds channels; by default where it is short.

    Raises
    ------
    InputError
        If there is no such axis or index, or images differ in size.
    """
    array = _array(data, side)
    shape = tuple(int(n) for n in array.shape)
    last = channels_are_last(shape) if rgb is None else rgb
    if len(shape) < 2 + last or 0 in shape:
        raise InputError(f"The {side} stack has the shape {shape}, which holds no image.")
    leading = shape[: -3 if last else -2]
    if not leading:
        return Planes(array, None, (), last)
    place = axis + len(leading) if axis < 0 else axis
    if not 0 <= place < len(leading):
        raise InputError(
            f"The {side} stack of shape {shape} has no axis {axis} for planes to run along; its "
            f"axes before rows and columns are 0 to {len(leading) - 1}."
        )
    index = tuple(int(n) for n in at) if at is not None else (0,) * len(leading)
    if len(index) != len(leading) or any(
        not 0 <= n < length
        for number, (n, length) in enumerate(zip(index, leading, strict=False))
        if number != place
    ):
        raise InputError(
            f"{index} is no place in the leading axes {leading} of the {side} stack; pass one "
            "index, from 0, for each of them."
        )
    return Planes(array, place, index, last)


def count_planes(fixed: Planes, moving: Planes) -> int:
    """Return how many planes two stacks have in common.

    Raises
    ------
    InputError
        If neither is a stack, or they have different numbers of planes.
    """
    numbers = [side.number for side in (fixed, moving)]
    known = [number for number in numbers if number is not None]
    if not known:
        raise InputError(
            "Both are single images; use napari_mmreg.register for them, or pass a stack."
        )
    if len(set(known)) > 1:
        raise InputError(
            f"The fixed stack has {numbers[0]} planes and the moving one {numbers[1]}. Plane n of "
            "one belongs to plane n of the other: cut the longer one, choose another axis, or pass "
            "one image that counts for all planes."
        )
    return known[0]


def _array(data: Any, side: str) -> Any:
    if isinstance(data, list | tuple):
        shapes = {np.shape(each) for each in data}
        if len(shapes) > 1:
            raise InputError(
                f"The images of the {side} list have different shapes; a stack needs one size. "
                "register_set takes images of several sizes."
            )
        return np.asarray(data)
    if all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__")):
        return data
    return np.asarray(data)
