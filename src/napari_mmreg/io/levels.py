"""What writers of pyramids share: tiles in their order from several threads, and halving."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from numpy.typing import NDArray

from napari_mmreg.geometry.units import Spacing
from napari_mmreg.io.tiff import Georeference
from napari_mmreg.limits import tile_bytes

if TYPE_CHECKING:
    import numpy as np

TILE = 512
"""Side of the tiles of files, in pixels."""

STAGE = "Writing"

_TILE_MEMORY = 120e6
"""Bytes that one tile in work takes at most, colour and what is read for it included."""

_FIRST = 0.85
"""Share of the time that the finest level takes."""

Part = TypeVar("Part")
Made = TypeVar("Made")


class Tiled(Protocol):
    """An image of which any part can be had alone, such as `geometry.LazyImage`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., H, W) or (..., H, W, C)."""

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the axes before rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""

    def read(self, rows: slice, cols: slice, place: tuple[int, ...] = ()) -> NDArray[Any]:
        """Return a part of a plane: (h, w) or (h, w, C)."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What a file says about an image.

    Attributes
    ----------
    axes : str
        One letter per axis before rows and columns, as TIFF names them.
    colours : bool
        Whether the last axis holds channels.
    nearest : bool
        Whether coarser levels keep every second pixel rather than averages, as of labels.
    spacing : (float, float) or None
        Size of a pixel along rows and columns; OME-TIFF and OME-Zarr keep it.
    unit : str or None
        Of the spacing.
    georeference : Georeference or None
        Only TIFF keeps it; levels are then written as GDAL reads them, without OME's description.
    nodata : float or None
        The value that means no data; only TIFF keeps it, and no average is made of it.
    """

    axes: str = ""
    colours: bool = False
    nearest: bool = False
    spacing: Spacing | None = None
    unit: str | None = None
    georeference: Georeference | None = None
    nodata: float | None = None


def in_order(
    work: Callable[[Part], Made], parts: Iterable[Part], workers: int | None = None
) -> Iterator[Made]:
    """Yield what `work` makes of each part, in their order, from several threads.

    No more are under way than the threads need and the memory limit allows. What waits is
    dropped when the iterator is closed.
    """
    fitting = max(1, int(tile_bytes() / _TILE_MEMORY / 2))
    workers = min(workers or min(8, os.cpu_count() or 1), fitting)
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(workers, "mmreg-tiles")
    try:
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def level_shapes(shape: tuple[int, int], tile: int = TILE) -> list[tuple[int, int]]:
    """Return the sizes of a pyramid's levels, each half the one before, down to one tile."""
    shapes = [shape]
    while max(shapes[-1]) > tile:
        rows, cols = shapes[-1]
        shapes.append((-(-rows // 2), -(-cols // 2)))
    return shapes


def level_span(number: int, levels: int) -> tuple[float, float]:
    """Return the part of the time that writing a level takes; coarser ones share the rest."""
    if levels == 1 or number == 0:
        return 0.0, 1.0 if levels == 1 else _FIRST
    whole = 1 - 0.25 ** (levels - 1)
    before, after = ((1 - 0.25**n) / whole for n in (number - 1, number))
    return _FIRST + (1 - _FIRST) * before, _FIRST + (1 - _FIRST) * after
