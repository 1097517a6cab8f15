"""What the worker thread does: layers through a registration, as napari's layer data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.apply.items import (
    Item,
    described,
    kept_rows,
    placed_on,
    stretched,
)
from napari_mmreg.gui.apply.registration import Ground, Registration
from napari_mmreg.gui.shared.placement import Matrix, moving_from_fixed
from napari_mmreg.gui.shared.task import Job
from napari_mmreg.run import Run

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.geometry.applying import Side


@dataclass(frozen=True, eq=False)
class Made:
    """A layer to be made: napari's ``Layer.create(data, kwargs, kind)``, and what was left out."""

    data: Any
    kwargs: dict[str, Any]
    kind: str
    note: str = ""


@dataclass(frozen=True)
class Way:
    """How layers are carried.

    Attributes
    ----------
    to : {"fixed", "moving"}
        Which image they are laid onto.
    own_grid : bool
        Whether results are in the layer's own pixels rather than in those of that image.
    order : {0, 1, 3} or None
        Of interpolation; None chooses.
    """

    to: Side = "fixed"
    own_grid: bool = False
    order: int | None = None


class LoadJob(Job["Transform"]):
    """Reads the transform of a registration."""

    exclusive = False

    def __init__(self, registration: Registration) -> None:
        super().__init__()
        self._registration = registration

    def __repr__(self) -> str:
        return f"reading the transform of {self._registration.title}"

    def _run(self, run: Run) -> Transform:  # noqa: ARG002 - it takes no time
        return self._registration.load()


class ApplyJob(Job[list[Made]]):
    """Carries layers through a registration."""

    exclusive = False  # nothing here uses torch, whose threads are what runs have to share

    def __init__(self, registration: Registration, items: list[Item], way: Way) -> None:
        super().__init__()
        self.registration = registration
        self.items = items
        self.way = way

    def __repr__(self) -> str:
        return f"applying {self.registration.title} to {len(self.items)} layers"

    def _run(self, run: Run) -> list[Made]:
        carrier = Carrier(self.registration, self.registration.load(), self.way)
        made = []
        for number, item in enumerate(self.items):
            label = texts.STAGE.format(name=item.name)
            share = number / len(self.items), (number + 1) / len(self.items)
            with run.part(*share, partial(_instead, label)):
                run.check()
                made.append(carrier.carry(item, run))
        return made


class Carrier:
    """Carries one layer after the other.

    Notes
    -----
    *Convention*: all matrices are on ``(row, col, 1)``. A layer's pixels and those of the two
    images meet in the world, where all of them lie as napari shows them; the registration leads
    from the pixels of the image that the layer belongs to, to those of the other one.
    """

    def __init__(self, registration: Registration, transform: Transform, way: Way) -> None:
        self._way = way
        self._source, self._target = registration.sides(way.to)
        self._transform = transform.with_frames(None, None)

    def carry(self, item: Item, run: Run) -> Made:
        """Carry a layer.

        Raises
        ------
        InputError, TransformError, Cancelled
            If it cannot be carried, or the user does not want it any more.
        """
        made = (
            self._image(item, run) if item.kind in ("image", "labels") else self._marks(item, run)
        )
        name = texts.NAMES[self._way.to].format(name=item.name, target=self._target.name)
        about = described(item, name, to=self._way.to, target=self._target.name)
        return Made(made.data, {**made.kwargs, **about}, made.kind, made.note)

    def _image(self, item: Item, run: Run) -> Made:
        from napari_mmreg.geometry import fill_value
        from napari_mmreg.geometry.stacks import resample_stack

        inverse = self._way.to == "moving"
        pull = self._transform.inverse() if inverse else self._transform
        pull = _matrix(np.linalg.inv(self._source_from(item))).compose(pull)
        options: dict[str, Any] = {
            "channels_last": item.channels_last,
            "order": 0 if item.kind == "labels" else self._way.order,
            "fill": 0 if item.kind == "labels" else fill_value(item.levels[0].dtype),
            "run": run,
        }
        if item.is_lazy:
            return self._lazily(item, pull, options)
        if self._way.own_grid:
            pull = pull.compose(_matrix(self._own_from_target(item)).inverse())
            data = resample_stack(item.data, pull, item.shape, **options)
            return Made(data, item.kwargs, item.kind)
        data = resample_stack(item.data, pull, self._target.shape, **options)
        kwargs = {**item.kwargs, **placed_on(item, self._target.placement)}
        return Made(data, kwargs, item.kind)

    def _lazily(self, item: Item, pull: Transform, options: dict[str, Any]) -> Made:
        """Carry a layer that is not in memory: tiles are computed when napari shows them."""
        from napari_mmreg.geometry import resample_lazily, resample_pyramid

        kwargs, shape = dict(item.kwargs), self._target.shape
        if self._way.own_grid:
            pull, shape = pull.compose(_matrix(self._own_from_target(item)).inverse()), item.shape
        else:
            kwargs.update(placed_on(item, self._target.placement))
        own = {name: options[name] for name in ("channels_last", "order", "fill")}
        finest = resample_lazily(item.levels[0], pull, shape, **own)
        levels = [level.to_dask() for level in resample_pyramid(item.levels, finest)]
        kwargs["multiscale"] = len(levels) > 1
        kwargs.pop("locked_data_level", None)
        return Made(levels if len(levels) > 1 else levels[0], kwargs, item.kind)

    def _marks(self, item: Item, run: Run) -> Made:
        from napari_mmreg.geometry.marks import MARKS, outline

        kwargs = dict(item.kwargs)
        data: Any = item.data
        if item.kind == "shapes":
            bent = not self._transform.is_affine
            shapes = [
                outline(vertices, kind, bent=bent)
                for vertices, kind in zip(data, kwargs["shape_type"], strict=True)
            ]
            data = [vertices for vertices, _ in shapes]
            kwargs["shape_type"] = [kind for _, kind in shapes]
        push = self._transform.inverse() if self._way.to == "fixed" else self._transform
        push = push.compose(_matrix(self._source_from(item)))
        if self._way.own_grid:
            push = _matrix(self._own_from_target(item)).compose(push)
        carried = MARKS[item.kind].carry(data, push, run)
        kept, total = carried.kept, len(carried.kept)
        if not self._way.own_grid:
            before, after = item.placement.spacing, self._target.placement.spacing
            factor = np.sqrt(np.prod(before) / np.prod(after)) * _unit(item, self._target)
            kwargs.update(placed_on(item, self._target.placement), **stretched(item, float(factor)))
        if not carried.lost:
            return Made(carried.data, kwargs, item.kind)
        if not kept.any():
            raise InputError(texts.NOTHING_LEFT.format(name=item.name))
        kwargs.update(kept_rows(Item(**{**vars(item), "kwargs": kwargs}), kept))
        data = MARKS[item.kind].drop(carried.data, kept)
        if item.kind == "tracks":
            kwargs["graph"] = _graph(kwargs.get("graph", {}), data[:, 0])
        note = texts.LOST[item.kind].format(lost=carried.lost, total=total, name=item.name)
        return Made(data, kwargs, item.kind, note)

    def _source_from(self, item: Item) -> Matrix:
        """Return the layer's pixels to those of the image that it belongs to, as they lie."""
        return moving_from_fixed(item.placement, self._source.placement)

    def _own_from_target(self, item: Item) -> Matrix:
        """Return pixels of the image that layers are laid onto to the layer's, as they lie."""
        return moving_from_fixed(self._target.placement, item.placement)


def _instead(text: str, _stage: str) -> str:
    """Name what is done by the layer."""
    return text


def _matrix(matrix: Any) -> Any:
    from napari_mmreg.geometry import MatrixTransform

    return MatrixTransform(matrix)


def _unit(item: Item, target: Ground) -> float:
    """Return by what a length in the layer's unit is multiplied to be in the target's."""
    from napari_mmreg.gui.shared.placement import unit_factors

    return float(unit_factors(item.placement.units, target.placement.units)[0])


def _graph(graph: dict[int, Any], ids: Any) -> dict[int, Any]:
    """Return the part of a graph of tracks whose tracks are still there."""
    there = set(np.unique(ids).astype(int))
    kept = {
        node: [p for p in np.atleast_1d(parents) if p in there] for node, parents in graph.items()
    }
    return {node: parents for node, parents in kept.items() if node in there and parents}
