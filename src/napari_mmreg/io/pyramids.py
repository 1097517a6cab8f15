"""Images on disk that are opened, not read: their levels, and any part of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError, MissingExtraError
from napari_mmreg.geometry.units import Spacing
from napari_mmreg.io.choice import SeveralImagesError
from napari_mmreg.io.images import quiet, read_picture
from napari_mmreg.io.levels import Description, Tiled
from napari_mmreg.io.ome_zarr import NAMES as ZARR_NAMES
from napari_mmreg.io.ome_zarr import import_zarr, is_zarr, open_zarr, write_ome_zarr
from napari_mmreg.io.pyramid_tiff import write_pyramid_tiff
from napari_mmreg.io.tiff import (
    SUFFIXES,
    Georeference,
    damaged,
    starts_as_tiff,
)
from napari_mmreg.io.tiff_levels import open_tiff_levels
from napari_mmreg.io.whole import whole_file, whole_folder
from napari_mmreg.limits import is_large
from napari_mmreg.run import Run

ZARR_SUFFIX = ".zarr"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One image of an array: a plane, perhaps with channels, which come last.

    Attributes
    ----------
    array : array_like
        With a shape, a dtype and slicing.
    index : tuple of int or None
        One per axis of the array: a place, or None for rows, columns and the channels' axis.
    channel_axis : int or None
        Which axis holds the channels that are kept.
    """

    array: Any
    index: tuple[int | None, ...]
    channel_axis: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and perhaps channels."""
        kept = [n for n, place in enumerate(self.index) if place is None]
        plane = tuple(int(self.array.shape[n]) for n in kept if n != self.channel_axis)
        if self.channel_axis is None:
            return plane
        return (*plane, int(self.array.shape[self.channel_axis]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def ndim(self) -> int:
        """2, or 3 with channels."""
        return len(self.shape)

    @property
    def chunks(self) -> Any:
        """The array's; None if it has none."""
        return getattr(self.array, "chunks", None)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        wanted = list(key) if isinstance(key, tuple) else [key]
        wanted += [slice(None)] * (self.ndim - len(wanted))
        channels = wanted.pop() if self.channel_axis is not None else None
        whole: list[Any] = []
        for n, place in enumerate(self.index):
            if place is not None:
                whole.append(place)
            else:
                whole.append(slice(None) if n == self.channel_axis else wanted.pop(0))
        part = np.asarray(self.array[tuple(whole)])
        if self.channel_axis is None:
            return part
        before = sum(1 for place in self.index[: self.channel_axis] if place is None)
        return np.moveaxis(part, before, -1)[..., channels]


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """An image in a file that is open.

    Attributes
    ----------
    path : Path
    levels : tuple of array_like
        From fine to coarse; of (..., H, W) or with channels last or first.
    axes : str
        One upper-case letter per axis: Y and X, S for colours, others as TIFF names them.
    spacing : (float, float) or None
        Size of a pixel along rows and columns.
    unit : str or None
    nodata : float or None
        The value that means no data.
    georeference : Georeference or None
    whole : bool
        Whether all of it has been read, since its format allows no parts.
    """

    path: Path
    levels: tuple[Any, ...]
    axes: str
    spacing: Spacing | None = None
    unit: str | None = None
    nodata: float | None = None
    georeference: Georeference | None = None
    whole: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        sizes = self.levels[0].shape
        return int(sizes[self.axes.index("Y")]), int(sizes[self.axes.index("X")])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        dtype: np.dtype[Any] = np.dtype(self.levels[0].dtype)
        return dtype

    @property
    def large(self) -> bool:
        """Whether it is better handled in parts; see `napari_mmreg.limits`."""
        return is_large(self.levels[0].shape, self.dtype.itemsize)

    @property
    def stacked(self) -> str:
        """The axes other than rows, columns and colours, those of length one left out."""
        sizes = zip(self.axes, self.levels[0].shape, strict=True)
        return "".join(axis for axis, size in sizes if axis not in "YXS" and size > 1)

    def choose(self, page: int | None = None, channel: int | None = None) -> list[View]:
        """Return the levels of one image: (H, W), or (H, W, C) for colours.

        Parameters
        ----------
        page : int, optional
            Which plane along the axes that are no channels, counted as they lie in the file.
        channel : int, optional
            Which channel; by default all colours.

        Raises
        ------
        SeveralImagesError
            If there are several, and none is chosen or not this one.
        """
        sizes = dict(zip(self.axes, self.levels[0].shape, strict=True))
        colour = "S" if "S" in sizes else "C"
        index: dict[str, int | None] = dict.fromkeys(self.axes)
        planes = [axis for axis in self.axes if axis not in ("Y", "X", colour)]
        count = int(np.prod([sizes[axis] for axis in planes]))
        if page is None and count > 1:
            raise self._which("page", count)
        if page is not None and not 0 <= page < count:
            raise self._which("page", count)
        places = np.unravel_index(page or 0, [sizes[axis] for axis in planes]) if planes else ()
        index.update({axis: int(at) for axis, at in zip(planes, places, strict=True)})
        channels = sizes.get(colour, 1)
        if channel is not None and not 0 <= channel < channels:
            raise self._which("channel", channels)
        if channel is None and colour == "C" and channels > 1:
            raise self._which("channel", channels)
        kept = None
        if colour in sizes:
            if channel is not None or channels == 1:
                index[colour] = channel or 0
            else:
                kept = self.axes.index(colour)
        return [
            View(level, tuple(index[axis] for axis in self.axes), kept) for level in self.levels
        ]

    def planes(self) -> tuple[list[Any], str, bool]:
        """Return the levels of all images, the letters of their first axes, and if colours follow.

        Each level is (..., H, W), or (..., H, W, C) for colours.
        """
        leading = "".join(axis for axis in self.axes if axis not in "YXS")
        colours = "S" in self.axes
        if self.axes == leading + ("YXS" if colours else "YX"):
            return list(self.levels), leading, colours
        if len(leading) and int(np.prod([self._size(axis) for axis in leading])) > 1:
            raise InputError(
                f"{self.path} holds a stack of colour pictures with the axes {self.axes}; choose "
                "one with --page N."
            )
        return list(self.choose()), "", colours

    def _size(self, axis: str) -> int:
        return int(self.levels[0].shape[self.axes.index(axis)])

    def _which(self, what: str, count: int) -> SeveralImagesError:
        return SeveralImagesError(
            f"{self.path} holds {count} {what}s (axes {self.axes}, shape "
            f"{tuple(self.levels[0].shape)}); say which {what}, 0 to {count - 1}.",
            "page" if what == "page" else "channel",
        )


@contextmanager
def open_pyramid(path: str | Path) -> Iterator[Pyramid]:
    """Open an image without reading its pixels.

    Parameters
    ----------
    path : str or Path
        A folder of OME-Zarr or a Zarr array; a TIFF, of which levels are used (OME-TIFF's, whole
        slides', GDAL's); a ``.npy`` array; all else is read as a whole.

    Yields
    ------
    Pyramid
        Usable until the block ends.

    Raises
    ------
    MissingExtraError
        If a library is needed that is not installed; the message names the extra.
    InputError
        If it is missing, damaged or no image.
    """
    source = Path(path)
    with ExitStack() as stack:
        if source.is_dir():
            if source.suffix != ZARR_SUFFIX and not is_zarr(source):
                raise InputError(f"{source} is a folder and no OME-Zarr; name one image in it.")
            image = open_zarr(source)
            axes = image.axes.upper()
            axes = axes.replace("C", "S") if image.coloured or axes.endswith("YXC") else axes
            yield Pyramid(source, image.levels, axes, image.spacing, image.unit)
            return
        if not source.exists():
            raise InputError(f"There is no file {source}; check the path.")
        if source.suffix.lower() in SUFFIXES or starts_as_tiff(source):
            opened = _open_tiff(source, stack)
        elif source.suffix.lower() == ".npy":
            opened = _open_npy(source)
        else:
            opened = None
        if opened is None:
            picture = read_picture(source)
            axes = "YX" if picture.image.ndim == 2 else "YXS"
            opened = Pyramid(
                source,
                (picture.image,),
                axes,
                nodata=picture.nodata,
                georeference=picture.georeference,
                whole=True,
            )
        yield opened


def _open_tiff(source: Path, stack: ExitStack) -> Pyramid | None:
    """Open a TIFF; None for one that has to be read as a whole, and can be."""
    with quiet():
        try:
            found = open_tiff_levels(source, stack, import_zarr)
        except (InputError, MissingExtraError):
            raise
        except Exception as error:  # damaged tags end in whatever Python raises
            raise damaged(source, error) from error
    if found is None:
        return None
    return Pyramid(
        source,
        found.levels,
        found.axes,
        found.spacing,
        found.unit,
        found.nodata,
        found.georeference,
    )


def _open_npy(source: Path) -> Pyramid | None:
    try:
        array = np.load(source, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # `read_picture` says what is wrong
    if array.ndim < 2 or 0 in array.shape:
        return None
    last = array.ndim > 2 and array.shape[-1] <= 4 < min(array.shape[-3:-1])
    lead = array.ndim - (3 if last else 2)
    return Pyramid(source, (array,), "Q" * lead + ("YXS" if last else "YX"))


def is_pyramid_name(path: str | Path) -> bool:
    """Return whether files of this name are written as pyramids: OME-Zarr and OME-TIFF."""
    return str(path).lower().endswith((ZARR_SUFFIX, ".ome.tif", ".ome.tiff"))


def check_pyramid_name(path: Path) -> None:
    """Raise `InputError` if images cannot be written tile by tile to such files."""
    if path.suffix.lower() not in (ZARR_SUFFIX, *SUFFIXES):
        raise InputError(
            f"Large images are written as .ome.tif, .tif or .ome.zarr, not as "
            f"{path.suffix or path}."
        )
    if path.suffix.lower() == ZARR_SUFFIX:
        import_zarr(str(path))


def write_pyramid(path: str | Path, image: Tiled, about: Description, run: Run) -> None:
    """Write an image tile by tile, with levels of half the size each; whole or not at all.

    Parameters
    ----------
    path : str or Path
        ``.ome.zarr`` or ``.zarr`` for OME-Zarr; ``.ome.tif`` or ``.tif`` for a tiled pyramidal
        TIFF. What is there is replaced when all is written.
    image : Tiled
        Of which any part can be computed, such as `geometry.LazyImage`.
    about : Description
    run : Run
        Takes the progress, and is asked for cancel at every tile.

    Raises
    ------
    InputError
        If the place cannot be written to.
    MissingExtraError
        If zarr is needed and not installed.
    Cancelled
        If the run says so; nothing is left.
    """
    target = Path(path)
    check_pyramid_name(target)
    if target.suffix.lower() == ZARR_SUFFIX:
        with whole_folder(target, ZARR_NAMES, replace=True) as partial:
            write_ome_zarr(partial, image, about, target.name, run)
        return
    with whole_file(target) as partial:
        write_pyramid_tiff(partial, image, about, run)
