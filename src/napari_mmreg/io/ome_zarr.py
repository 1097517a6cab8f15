"""Images in OME-Zarr: opened without reading them, written tile by tile (extra ``large``).

Written by version 0.4 of the format, on Zarr 2, which every program with OME-Zarr reads; read are
0.4 to 0.6, and single Zarr arrays.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError, MissingExtraError
from napari_mmreg.geometry.thinning import thin_block
from napari_mmreg.geometry.units import Spacing
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
from napari_mmreg.run import Run

NAMES = (".zgroup", ".zattrs", "zarr.json", *(str(level) for level in range(32)))
"""What a group that is written here can hold."""

_KINDS = {"t": "time", "c": "channel"}

_UNITS = {
    "µm": "micrometer",
    "um": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "m": "meter",
}
"""What the format calls units that others write short."""

_COLOURS = ("FF0000", "00FF00", "0000FF")


@dataclass(frozen=True, slots=True, eq=False)
class ZarrImage:
    """An image in a Zarr folder; nothing of it is read.

    Attributes
    ----------
    levels : tuple of zarr arrays
        From fine to coarse.
    axes : str
        One lower-case letter per axis.
    spacing : (float, float) or None
        Size of a pixel of the finest level along rows and columns.
    unit : str or None
    coloured : bool
        Whether the channels are red, green and blue.
    """

    levels: tuple[Any, ...]
    axes: str
    spacing: Spacing | None
    unit: str | None
    coloured: bool


def is_zarr(folder: Path) -> bool:
    """Whether a folder holds Zarr's metadata, of version 2 or 3."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def open_zarr(path: Path) -> ZarrImage:
    """Open an OME-Zarr image, or a Zarr array of (..., rows, columns).

    Raises
    ------
    MissingExtraError
        If zarr is not installed.
    InputError
        If the folder holds no image.
    """
    zarr = import_zarr(str(path))
    try:
        node = zarr.open(str(path), mode="r")
        return _from_node(path, node, is_array=isinstance(node, zarr.Array))
    except InputError:
        raise
    except Exception as error:  # damaged metadata end in whatever Python raises
        raise InputError(
            f"{path} cannot be read as OME-Zarr ({error or type(error).__name__}). It may be "
            "damaged or not be a Zarr folder."
        ) from error


def _from_node(path: Path, node: Any, *, is_array: bool) -> ZarrImage:
    if is_array:
        return ZarrImage((node,), _guess_axes(node), None, None, coloured=False)
    attributes = dict(node.attrs)
    ome = attributes.get("ome", attributes)
    if "multiscales" not in ome:
        raise InputError(_explain(path, node))
    return _from_multiscales(node, ome)


def _explain(path: Path, node: Any) -> str:
    names = sorted(name for name, _ in node.groups())
    if names:
        return f"{path} is a group of {', '.join(names[:5])}; name one of them: {path / names[0]}."
    return f"{path} is a Zarr group without an image (no 'multiscales' in its attributes)."


def _from_multiscales(node: Any, ome: dict[str, Any]) -> ZarrImage:
    multiscales = ome["multiscales"][0]
    levels = tuple(node[each["path"]] for each in multiscales["datasets"])
    described = multiscales.get("axes")
    if described is None:  # before 0.3 there were always five
        described = list("tczyx")
    if isinstance(described, dict) or not isinstance(described, list):
        raise InputError("The axes of the image are not described as OME-Zarr 0.4 to 0.6 do.")
    names = [each["name"] if isinstance(each, dict) else str(each) for each in described]
    axes = "".join(name[0].lower() for name in names)
    if axes[-2:] != "yx" and not axes.endswith("yxc"):
        raise InputError(
            f"The image has the axes {', '.join(names)}; rows and columns, y and x, have to come "
            "last."
        )
    scale = _scale(multiscales["datasets"][0], multiscales)
    row, col = axes.index("y"), axes.index("x")
    spacing = (float(scale[row]), float(scale[col])) if scale else None
    unit = described[row].get("unit") if isinstance(described[row], dict) else None
    return ZarrImage(levels, axes, spacing, unit, _is_coloured(ome, levels[0], axes))


def _scale(dataset: dict[str, Any], multiscales: dict[str, Any]) -> list[float] | None:
    """Return the size of the finest level's pixels along each axis."""
    found: list[float] | None = None
    for holder in (dataset, multiscales):
        for each in holder.get("coordinateTransformations") or ():
            for part in each.get("transformations", [each]):
                if part.get("type") == "scale":
                    before = found or [1.0] * len(part["scale"])
                    found = [float(a) * b for a, b in zip(part["scale"], before, strict=True)]
    return found


def _is_coloured(ome: dict[str, Any], finest: Any, axes: str) -> bool:
    """Whether the channels are those of a colour image: as they are told, or 3 or 4 of bytes."""
    if "c" not in axes or finest.shape[axes.index("c")] not in (3, 4):
        return False
    channels = (ome.get("omero") or {}).get("channels")
    if not channels:
        return bool(np.dtype(finest.dtype) == np.uint8)
    return tuple(str(each.get("color")).upper() for each in channels[:3]) == _COLOURS


def _guess_axes(array: Any) -> str:
    if array.ndim < 2:
        raise InputError(f"The Zarr array has the shape {array.shape}, which is no image.")
    last = array.ndim > 2 and array.shape[-1] <= 4 < min(array.shape[-3:-1])
    lead = int(array.ndim) - (3 if last else 2)
    return "q" * lead + ("yxc" if last else "yx")


def write_ome_zarr(path: Path, image: Tiled, about: Description, title: str, run: Run) -> None:
    """Write an image tile by tile, with levels of half the size each.

    Parameters
    ----------
    path : Path
        An empty folder.
    image, about, run
        As in `write_pyramid_tiff`. Channels become the axis before rows and columns.
    title : str
        What viewers call the image.

    Raises
    ------
    MissingExtraError
        If zarr is not installed.
    Cancelled
        If the run says so.
    """
    zarr = import_zarr(str(path))
    shapes = level_shapes((image.shape[len(image.leading)], image.shape[len(image.leading) + 1]))
    channels = image.shape[-1:] if about.colours else ()
    names = (
        _axis_names(about.axes, len(image.leading)) + (["c"] if about.colours else []) + ["y", "x"]
    )
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    levels = [
        _create(group, str(number), (*image.leading, *channels, *shape), len(channels), image.dtype)
        for number, shape in enumerate(shapes)
    ]
    source: Any = image
    for number, level in enumerate(levels):
        with run.part(*level_span(number, len(levels))):
            _write_level(level, source, colours=about.colours, run=run)
        source = _Halved(level, len(image.leading), about)
    attributes = _attributes(names, len(shapes), about, title)
    if about.colours and channels[0] in (3, 4):
        attributes["omero"] = _omero(channels[0], image.dtype)
    text = json.dumps(attributes, indent=2)
    (path / ".zattrs").write_text(text + "\n", encoding="utf-8")


def _create(
    group: Any, name: str, shape: tuple[int, ...], channels: int, dtype: np.dtype[Any]
) -> Any:
    from numcodecs import Blosc

    lead = len(shape) - 2 - channels
    chunks = (*((1,) * lead), *shape[lead:-2], *(min(TILE, size) for size in shape[-2:]))
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        compressors=Blosc("zstd", clevel=3, shuffle=Blosc.SHUFFLE),
        fill_value=0,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )


def _write_level(level: Any, image: Any, *, colours: bool, run: Run) -> None:
    shape = (int(level.shape[-2]), int(level.shape[-1]))
    parts = [(place, *part) for place in np.ndindex(*image.leading) for part in tiles(shape, TILE)]

    def write(part: tuple[tuple[int, ...], slice, slice]) -> None:
        run.check()
        place, rows, cols = part
        block = image.read(rows, cols, place)
        if colours:
            level[(*place, slice(None), rows, cols)] = np.moveaxis(block, -1, 0)
        else:
            level[(*place, rows, cols)] = block

    for done, _ in enumerate(in_order(write, parts), start=1):
        run.check()
        run.report(STAGE, done / len(parts))


@dataclass(frozen=True, slots=True, eq=False)
class _Halved:
    """A level of half the size of one that is written."""

    finer: Any
    lead: int
    about: Description

    @property
    def leading(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.finer.shape[: self.lead])

    def read(self, rows: slice, cols: slice, place: tuple[int, ...] = ()) -> NDArray[Any]:
        wide = (slice(2 * rows.start, 2 * rows.stop), slice(2 * cols.start, 2 * cols.stop))
        if self.about.colours:
            block = np.moveaxis(np.asarray(self.finer[(*place, slice(None), *wide)]), 0, -1)
        else:
            block = np.asarray(self.finer[(*place, *wide)])
        return thin_block(block, 2, nearest=self.about.nearest, nodata=self.about.nodata)


def _axis_names(axes: str, number: int) -> list[str]:
    """Return names that the format knows, for what TIFF calls T, C, Z, Q and so on."""
    names: list[str] = []
    for letter in axes.lower()[:number]:
        free = [name for name in "tczq" if name not in names]
        names.append(letter if letter in free else next(n for n in reversed(free)))
    return names


def _attributes(names: list[str], levels: int, about: Description, title: str) -> dict[str, Any]:
    axes: list[dict[str, str]] = []
    for name in names:
        axes.append({"name": name, "type": _KINDS.get(name, "space")})
        if about.unit is not None and name in "yx":
            axes[-1]["unit"] = _UNITS.get(about.unit, about.unit)
    lead = [1.0] * (len(names) - 2)
    pixel = about.spacing or (1.0, 1.0)
    datasets = []
    for number in range(levels):
        sizes = [size * 2**number for size in pixel]
        # Pixel centres: those of a level lie between those that it was averaged from.
        shift = [size * (2**number - 1) / 2 for size in pixel]
        steps = [
            {"type": "scale", "scale": [*lead, *sizes]},
            {"type": "translation", "translation": [*(0.0 for _ in lead), *shift]},
        ]
        datasets.append({"path": str(number), "coordinateTransformations": steps})
    return {"multiscales": [{"version": "0.4", "name": title, "axes": axes, "datasets": datasets}]}


def _omero(channels: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return what tells viewers that the channels are colours."""
    high = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    window = {"min": 0.0, "max": high, "start": 0.0, "end": high}
    colours = (*_COLOURS, "FFFFFF")
    return {
        "channels": [
            {"color": colours[n], "window": window, "label": "RGBA"[n], "active": n < 3}
            for n in range(channels)
        ]
    }


def import_zarr(what: str) -> Any:
    """Return the library; raise `MissingExtraError` if it is not there."""
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            f"{what} is read or written in parts, which needs zarr; install it with: pip install "
            '"napari-mmreg[large]"'
        ) from error
    return zarr
