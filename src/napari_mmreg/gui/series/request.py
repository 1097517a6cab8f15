"""What the dock is set to, frozen for a run: two sides, the axis, the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_mmreg.errors import InputError
from napari_mmreg.gui.apply.items import Item, take
from napari_mmreg.gui.series import strings as texts
from napari_mmreg.gui.shared.compat import point_in
from napari_mmreg.gui.shared.snapshot import (
    Picture,
    RunSettings,
    Snapshot,
    current_step,
    level_of,
    take_picture,
)


@dataclass(frozen=True)
class SeriesSettings:
    """What the form is set to.

    Attributes
    ----------
    way, estimate_on, smoothing, model, refine
        As of `napari_mmreg.register_series`.
    device : str
    threads : int
        CPU threads; 0 leaves one core to the viewer.
    """

    way: str
    estimate_on: str | int
    smoothing: int
    model: str
    refine: bool
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True, eq=False)
class SideData:
    """One side as `register_series` takes it.

    Attributes
    ----------
    data : array_like
        All planes, or one image; not copied.
    axis : int
        Of the planes, counted from the last axis before rows and columns: -1, -2 ...
    at : tuple of int or None
        What is looked at of a stack; None for one image.
    picture : Picture
        The plane that is shown.
    """

    data: Any
    axis: int
    at: tuple[int, ...] | None
    picture: Picture

    @property
    def number(self) -> int | None:
        """How many planes; None for one image."""
        return None if self.at is None else int(self.data.shape[len(self.at) + self.axis])


@dataclass(frozen=True, eq=False)
class Request:
    """A run: the sides, how, and where its layer goes.

    Attributes
    ----------
    fixed, moving : SideData
    settings : SeriesSettings
    snapshot : Snapshot
        The two planes that are shown, for the start and the layer.
    lead : Item
        The layer whose leading axes the result shares.
    key : tuple
        Equal for runs that would do the same.
    """

    fixed: SideData
    moving: SideData
    settings: SeriesSettings
    snapshot: Snapshot
    lead: Item
    key: tuple[Any, ...]

    @property
    def number(self) -> int:
        """How many planes."""
        return self.fixed.number or self.moving.number or 0


def leading(layer: Any) -> tuple[int, ...]:
    """Return the lengths of a layer's axes before rows and columns."""
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    return tuple(int(n) for n in shape[: layer.ndim - 2])


def axes_of(viewer: Any, fixed: Any, moving: Any) -> list[tuple[str, int]]:
    """Return the axes that planes can run along: what they are called, and from the last one.

    The last comes first, but for an axis that both have, which comes before one that only one has.
    """
    sides = [() if layer is None else leading(layer) for layer in (fixed, moving)]
    found = []
    for axis in range(-1, -max(map(len, sides)) - 1, -1):
        counts = [side[axis] for side in sides if len(side) >= -axis]
        if max(counts) < 2:
            continue
        labels = viewer.dims.axis_labels
        place = len(labels) - 2 + axis
        name = str(labels[place]) if 0 <= place < len(labels) else str(axis)
        if len(set(counts)) == 1:
            text = texts.AXIS_CHOICE.format(name=name, count=counts[0])
        else:
            text = texts.AXIS_UNEQUAL.format(name=name, fixed=counts[0], moving=counts[1])
        found.append((text, axis, -len(counts)))
    found.sort(key=lambda each: (each[2], -each[1]))
    return [(text, axis) for text, axis, _ in found]


def make_request(
    viewer: Any, run: int, fixed: Any, moving: Any, axis: int, settings: SeriesSettings
) -> Request:
    """Freeze layers and settings.

    Raises
    ------
    InputError
        If the layers are no stacks that belong together.
    """
    sides = [_side(viewer, layer, axis) for layer in (fixed, moving)]
    numbers = [side.number for side in sides]
    if numbers == [None, None]:
        raise InputError(texts.NO_STACK)
    if None not in numbers and numbers[0] != numbers[1]:
        raise InputError(texts.UNEQUAL.format(fixed=numbers[0], moving=numbers[1]))
    if numbers[1] is None and len(leading(fixed)) > 1:
        raise InputError(texts.TOO_DEEP)
    deeper = moving if numbers[1] is not None and moving.ndim != fixed.ndim else fixed
    shown = next(side for side in sides if side.at is not None)
    if settings.estimate_on == "shown":
        assert shown.at is not None  # noqa: S101  # it is the one with planes
        settings = SeriesSettings(**{**vars(settings), "estimate_on": shown.at[axis]})
    at = [None if side.at is None else _others(side.at, axis) for side in sides]
    return Request(
        fixed=sides[0],
        moving=sides[1],
        settings=settings,
        snapshot=Snapshot(
            run, sides[0].picture, sides[1].picture, None, None, RunSettings(model=settings.model)
        ),
        lead=take(deeper),
        key=(id(sides[0].data), id(sides[1].data), axis, *at, settings, *_places(sides)),
    )


def _side(viewer: Any, layer: Any, axis: int) -> SideData:
    point = point_in(viewer, layer)
    picture = take_picture(layer, point)
    if len(leading(layer)) < -axis:
        return SideData(picture.data, axis, None, picture)
    data = level_of(layer)[0] if layer.multiscale else layer.data
    return SideData(data, axis, current_step(layer, point), picture)


def _others(at: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return the index without that along the planes, which does not matter."""
    place = len(at) + axis
    return (*at[:place], *at[place + 1 :])


def _places(sides: list[SideData]) -> tuple[bytes, ...]:
    return tuple(side.picture.placement.world_from_pixels.tobytes() for side in sides)
