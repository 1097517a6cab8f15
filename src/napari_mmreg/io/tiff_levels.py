"""TIFF whose pixels are not read: its levels, and any part of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.geometry.units import Spacing
from napari_mmreg.io.tiff import (
    ORIENTATION,
    Georeference,
    alike,
    fits,
    georeference_of,
    nodata_of,
)

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False)
class TiffLevels:
    """The levels of a TIFF that is open; nothing of them is read.

    Attributes
    ----------
    levels : tuple of array_like
        From fine to coarse.
    axes : str
        One letter per axis.
    spacing : (float, float) or None
        Size of a pixel along rows and columns, as OME tells it.
    unit : str or None
    nodata : float or None
        The value that means no data, also in floating point.
    georeference : Georeference or None
    """

    levels: tuple[Any, ...]
    axes: str
    spacing: Spacing | None
    unit: str | None
    nodata: float | None
    georeference: Georeference | None


def open_tiff_levels(
    source: Path, stack: ExitStack, import_zarr: Callable[[str], Any]
) -> TiffLevels | None:
    """Open a TIFF.

    Parameters
    ----------
    source : Path
    stack : ExitStack
        Closes the file.
    import_zarr : callable
        Returns the library, which tiles are read through, or raises.

    Returns
    -------
    TiffLevels or None
        None if its values need to be looked up or inverted, or it is turned: `read_tiff` does.
    """
    import tifffile

    tiff = stack.enter_context(tifffile.TiffFile(source))
    series = tiff.series[0]
    page = series.keyframe
    odd = (tifffile.PHOTOMETRIC.PALETTE, tifffile.PHOTOMETRIC.MINISWHITE)
    turned = page.tags.get(ORIENTATION)
    if page.photometric in odd or (turned is not None and turned.value in range(2, 9)):
        return None
    if len(alike(tiff)) > 1:
        return None
    one = len(series.levels) == 1
    if one and series.dataoffset is not None and page.is_memmappable:
        dtype = np.dtype(tiff.byteorder + series.dtype.char)
        levels: tuple[Any, ...] = (
            np.memmap(source, dtype, "r", series.dataoffset, tuple(series.shape)),
        )
    else:
        zarr = import_zarr(str(source))
        stores = [stack.enter_context(series.aszarr(level=n)) for n in range(len(series.levels))]
        levels = tuple(zarr.open(store, mode="r") for store in stores)
    spacing, unit = _physical_size(tiff)
    nodata = nodata_of(page)
    if nodata is not None and series.dtype.kind in "iu" and not fits(nodata, series.dtype):
        nodata = None
    return TiffLevels(levels, series.axes, spacing, unit, nodata, georeference_of(page))


def _physical_size(tiff: Any) -> tuple[Spacing | None, str | None]:
    """Return the size of a pixel along rows and columns that OME's description tells."""
    if not tiff.is_ome:
        return None, None
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(tiff.ome_metadata)  # noqa: S314 - tifffile has read it
        pixels = next(each for each in root.iter() if each.tag.endswith("}Pixels"))
        spacing = float(pixels.attrib["PhysicalSizeY"]), float(pixels.attrib["PhysicalSizeX"])
    except (ET.ParseError, StopIteration, KeyError, ValueError):
        return None, None
    units = {pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX"}
    if len(units) > 1 or not min(spacing) > 0:
        return None, None
    return spacing, units.pop()
