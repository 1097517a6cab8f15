"""TIFF in tiles, with levels of half the size each: OME-TIFF, or as GDAL reads them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry.thinning import thin_block
from napari_mmreg.geometry.warp import tiles
from napari_mmreg.io.levels import (
    STAGE,
    TILE,
    Description,
    Tiled,
    in_order,
    level_shapes,
    level_span,
)
from napari_mmreg.io.tiff import extra_tags, layout, writable
from napari_mmreg.run import Run

_BIG = 2**31
"""Bytes without compression from which files are BigTIFF."""

_OME_TYPES = frozenset(
    [
        "int8",
        "int16",
        "int32",
        "uint8",
        "uint16",
        "uint32",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ]
)
"""What OME can describe; others are written without its description."""

_REDUCED = 1
"""TIFF's mark of a page that is a smaller copy of another one."""

Index = tuple[tuple[int, ...], slice, slice]
"""Place along the axes before rows and columns, rows, columns."""


def write_pyramid_tiff(path: Path, image: Tiled, about: Description, run: Run) -> None:
    """Write an image tile by tile, with levels of half the size each.

    Parameters
    ----------
    path : Path
        Of a file that does not exist yet. What the levels are made from lies in a folder beside
        it meanwhile, a third of the image's size.
    image : Tiled
        Each tile is computed once.
    about : Description
        Levels of an image with a georeference are pages as GDAL writes them, of others SubIFDs
        as OME asks.
    run : Run
        Takes the progress, and is asked for cancel at every tile.

    Raises
    ------
    Cancelled
        If the run says so.
    """
    import tifffile

    levels = level_shapes((image.shape[len(image.leading)], image.shape[len(image.leading) + 1]))
    channels = image.shape[-1:] if about.colours else ()
    dtype = writable(np.empty(0, image.dtype)).dtype
    size = int(np.prod(image.shape, dtype=np.int64)) * dtype.itemsize
    overviews = about.georeference is not None and not image.leading
    ome = not overviews and dtype.name in _OME_TYPES
    metadata = _metadata(about) if ome else None
    extra = extra_tags(about.georeference, about.nodata)
    spool = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        kept = [
            _Spool(spool / f"{n}", (*image.leading, *shape, *channels), dtype)
            for n, shape in enumerate(levels[1:], start=1)
        ]
        with tifffile.TiffWriter(path, bigtiff=size > _BIG, ome=ome) as writer:
            for number, shape in enumerate(levels):
                source = image.read if number == 0 else kept[number - 1].read
                coarser = kept[number] if number < len(kept) else None
                with run.part(*level_span(number, len(levels))):
                    writer.write(
                        _tiles(source, image.leading, shape, coarser, about, run),
                        shape=(*image.leading, *shape, *channels),
                        dtype=dtype,
                        tile=(TILE, TILE),
                        compression="zlib",
                        predictor=2 if dtype.kind in "iu" and dtype.itemsize <= 4 else None,
                        metadata=metadata if number == 0 else None,
                        subifds=None if overviews or number else len(levels) - 1,
                        subfiletype=_REDUCED if number else 0,
                        extratags=None if number else extra,
                        maxworkers=1,
                        **layout(channels[0] if channels else 1, stacked=about.colours),
                    )
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def _tiles(
    read: Callable[[slice, slice, tuple[int, ...]], NDArray[Any]],
    leading: tuple[int, ...],
    shape: tuple[int, int],
    coarser: _Spool | None,
    about: Description,
    run: Run,
) -> Iterator[NDArray[Any]]:
    """Yield whole tiles in the file's order; keep half of each for the next level."""

    def compute(index: Index) -> NDArray[Any]:
        run.check()
        place, rows, cols = index
        block = writable(read(rows, cols, place))
        if coarser is not None:
            half = thin_block(block, 2, nearest=about.nearest, nodata=about.nodata)
            coarser.write(half, place, rows.start // 2, cols.start // 2)
        sides = [(0, TILE - size) for size in block.shape[:2]]
        return np.pad(block, [*sides, *[(0, 0)] * (block.ndim - 2)])

    parts = [(place, *part) for place in np.ndindex(*leading) for part in tiles(shape, TILE)]
    for done, tile in enumerate(in_order(compute, parts), start=1):
        run.check()
        run.report(STAGE, done / len(parts))
        yield tile


class _Spool:
    """Pixels of a level on the disk; mapped only while a part is written or read."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path, self._shape, self._dtype = path, shape, dtype
        with path.open("wb") as stream:
            stream.truncate(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)

    def _open(self) -> np.memmap[Any, Any]:
        return np.memmap(self._path, self._dtype, "r+", shape=self._shape)

    def write(self, block: NDArray[Any], place: tuple[int, ...], row: int, col: int) -> None:
        rows, cols = slice(row, row + block.shape[0]), slice(col, col + block.shape[1])
        index: Any = (*place, rows, cols)
        self._open()[index] = block

    def read(self, rows: slice, cols: slice, place: tuple[int, ...] = ()) -> NDArray[Any]:
        index: Any = (*place, rows, cols)
        return np.array(self._open()[index])


def _metadata(about: Description) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": about.axes + ("YXS" if about.colours else "YX")}
    if about.spacing is not None:
        for axis, size in zip("YX", about.spacing, strict=True):
            metadata[f"PhysicalSize{axis}"] = size
            if about.unit is not None:
                metadata[f"PhysicalSize{axis}Unit"] = _OME_UNITS.get(about.unit, about.unit)
    return metadata


_OME_UNITS = {
    "micrometer": "µm",
    "nanometer": "nm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "um": "µm",
}
