"""Runs that are done one after the other: what runs, what waits, and what did not work. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.snapshot import Picture, Snapshot
from napari_mmreg.gui.shared.task import Job


@dataclass(frozen=True, eq=False)
class Request:
    """Something to be done now, or when its turn comes.

    Attributes
    ----------
    title : str
        What it is called in the list.
    job : Job
    done : callable
        Gets the job's value.
    layers : tuple of napari layer
        While it waits, it is given up when one of them is removed.
    snapshot : Snapshot or None
        Of a registration: the same images and settings are not registered twice at a time.
    adds_run : bool
        Whether it makes a run, which gets its number when its turn comes.
    """

    title: str
    job: Job[Any]
    done: Callable[[Any], None]
    layers: tuple[Any, ...] = ()
    snapshot: Snapshot | None = None
    adds_run: bool = True

    def is_like(self, other: Request) -> bool:
        """Whether both register the same layers, as they are, with the same settings."""
        if self.snapshot is None or other.snapshot is None:
            return False
        same = [one is two for one, two in zip(self.layers, other.layers, strict=False)]
        return all(same) and _alike(self.snapshot, other.snapshot)


class RunQueue:
    """Requests in the order in which they came: one runs, the others wait.

    Attributes
    ----------
    running : Request or None
    waiting : list of Request
    """

    def __init__(self) -> None:
        self.running: Request | None = None
        self.waiting: list[Request] = []
        self._several = False
        self._missed: list[str] = []

    def put(self, request: Request) -> None:
        """Let a request wait.

        Raises
        ------
        InputError
            If the same is running or waiting already.
        """
        if self.running is not None and request.is_like(self.running):
            raise InputError(texts.RUNS_ALREADY)
        if any(request.is_like(other) for other in self.waiting):
            raise InputError(texts.WAITS_ALREADY)
        self._several |= self.running is not None or bool(self.waiting)
        self.waiting.append(request)

    def next(self) -> Request | None:
        """Take the request that waits longest, which runs now; None while another one runs."""
        if self.running is not None or not self.waiting:
            return None
        self.running = self.waiting.pop(0)
        return self.running

    def end(self, problem: str = "") -> list[str]:
        """Note that what ran has ended.

        Parameters
        ----------
        problem : str
            Why it was of no use, if so: said again at the end of the next one.

        Returns
        -------
        list of str
            What to say besides how it went: which of several it was, and what did not work before.
        """
        ended, self.running = self.running, None
        if ended is None or not self._several:
            return []
        said = [texts.OF_PAIR.format(title=ended.title), *self._missed]
        if problem:
            self._missed.append(texts.MISSED.format(title=ended.title, problem=problem))
        if not self.waiting:
            self._several = False
            self._missed.clear()
        return said

    def remove(self, request: Request) -> None:
        """Give up a request that waits; nothing happens if it does not wait any more."""
        if request in self.waiting:
            self.waiting.remove(request)

    def clear(self) -> None:
        """Give up all that wait."""
        self.waiting.clear()

    def drop(self, layer: Any) -> list[str]:
        """Give up the requests that wait for a layer that was removed; return what to say."""
        dropped = [one for one in self.waiting if any(layer is own for own in one.layers)]
        said = [texts.DROPPED.format(title=each.title, layer=layer.name) for each in dropped]
        for request in dropped:
            self.waiting.remove(request)
        self._missed += said
        return said


def title_of(snapshot: Snapshot, model: str) -> str:
    """Return what a run is called before it has a number; `model` as people read it."""
    fixed = snapshot.fixed.name
    if snapshot.whole is not None:
        fixed = strings.REGION_TITLE.format(name=fixed)
    title = texts.WAITING_TITLE.format(model=model, moving=snapshot.moving.name, fixed=fixed)
    if snapshot.slice is not None:
        title += strings.RUN_SLICE.format(slice=snapshot.slice.name)
    return title


def as_they_are(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot whose masks stay as they are now: they may be painted on while it waits."""
    return replace(
        snapshot,
        fixed_mask=_copied(snapshot.fixed_mask),
        moving_mask=_copied(snapshot.moving_mask),
    )


def _copied(mask: Picture | None) -> Picture | None:
    if mask is None or not isinstance(mask.data, np.ndarray):
        return mask
    return replace(mask, data=mask.data != 0)


def _alike(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots of the same layers show the same."""
    parts = [(each.fixed, each.moving, each.fixed_mask, each.moving_mask) for each in (one, other)]
    pairs = zip(*parts, strict=True)
    return one.settings == other.settings and all(_same_picture(*pair) for pair in pairs)


def _same_picture(one: Picture | None, other: Picture | None) -> bool:
    if one is None or other is None:
        return one is other
    return (
        (one.origin, one.modality, one.placement.units)
        == (other.origin, other.modality, other.placement.units)
        and np.array_equal(one.placement.world_from_pixels, other.placement.world_from_pixels)
        and _same_pixels(one.data, other.data)
    )


def _same_pixels(one: Any, other: Any) -> bool:
    """Whether two arrays lie in the same memory or, of masks, are equal; lazy ones count as such.

    Pixels of images are not compared: they would have to be read.
    """
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        return type(one) is type(other)
    if one.dtype == np.bool_ and other.dtype == np.bool_:
        return np.array_equal(one, other)
    return one.__array_interface__ == other.__array_interface__
