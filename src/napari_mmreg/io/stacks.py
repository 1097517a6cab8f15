"""Stacks on disk: all pages of a file of images, read at once and written one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.io.choice import MAX_CHANNELS, SeveralImagesError
from napari_mmreg.io.images import Picture, quiet, read_picture, upright
from napari_mmreg.io.npy import read_npy
from napari_mmreg.io.tiff import (
    SUFFIXES,
    Georeference,
    count_planes,
    read_tiff_stack,
    starts_as_tiff,
    write_tiff_stack,
)
from napari_mmreg.io.whole import whole_file
from napari_mmreg.limits import check_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLOURS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """All images of a file.

    Attributes
    ----------
    pages : ndarray of shape (n, H, W) or (n, H, W, C)
        One after the other, upright, in the file's dtype.
    shape : tuple of int
        Lengths of the axes that the pages run along, the slowest first; their product is n.
    axes : str
        One letter per such axis as TIFF names them (T time, Z depth, C channel, Q unknown).
    picture : Picture
        The first page, and what the file says about all of them.
    """

    pages: NDArray[Any]
    shape: tuple[int, ...]
    axes: str
    picture: Picture


def holds_stack(path: str | Path) -> bool:
    """Return whether a file holds several images; False also where it cannot be read."""
    source = Path(path)
    try:
        if source.is_file() and (source.suffix.lower() in SUFFIXES or starts_as_tiff(source)):
            with quiet():
                return count_planes(source) > 1
        read_picture(source)
    except SeveralImagesError as error:
        return error.choose == "page"
    except InputError:
        pass
    return False


def read_stack(path: str | Path) -> Stack:
    """Read all images of a file.

    Parameters
    ----------
    path : str or Path
        A TIFF (also ImageJ's, OME's, pyramids: their full resolution), a ``.npy`` array of
        (..., H, W) or (..., H, W, C), or any format that holds several frames, such as GIF.

    Raises
    ------
    InputError
        If the file is missing, damaged, larger than the limit of `napari_mmreg.limits`, or holds
        images of several sizes.
    """
    source = Path(path)
    if source.suffix.lower() == ".npy":
        return _from_npy(source)
    if not source.is_file():
        raise InputError(f"There is no file {source}; check the path.")
    if source.suffix.lower() not in SUFFIXES and not starts_as_tiff(source):
        return _from_frames(source)
    with quiet():
        tiff, axes, lengths = read_tiff_stack(source)
    pages = tiff.image.reshape(-1, *tiff.image.shape[len(lengths) :])
    notes: tuple[str, ...] = ()
    georeference = tiff.georeference
    if tiff.orientation in range(2, 9):
        pages = np.stack([upright(page, tiff.orientation) for page in pages])
        georeference = None
        notes = (f"{source.name} is stored turned or mirrored and was set upright.",)
    return Stack(pages, lengths, axes, Picture(pages[0], tiff.nodata, georeference, notes))


def write_stack(
    path: str | Path,
    pages: Iterable[NDArray[Any]],
    stack: Stack,
    shape: tuple[int, int],
    *,
    georeference: Georeference | None = None,
    nodata: float | None = None,
) -> None:
    """Write pages as they come; the file appears, or is replaced, when all are written.

    Parameters
    ----------
    path : str or Path
        ``.tif`` or ``.tiff`` (deflate; ``.ome.tif`` with OME's description), or ``.npy``.
    pages : iterable of ndarray, shape (H, W) or (H, W, C)
        As many as the stack has, in its dtype.
    stack : Stack
        Whose axes and dtype the file gets.
    shape : (int, int)
        Rows and columns of the pages.
    georeference, nodata
        See `Picture`; only TIFF keeps them.

    Raises
    ------
    InputError
        If the place cannot be written to, or the format holds no stacks.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix != ".npy" and suffix not in SUFFIXES:
        raise InputError(
            f"Several images are not written as {suffix or 'files without a suffix'}; use .tif or "
            ".npy, or choose one of them with --page N."
        )
    whole = (*stack.shape, *shape, *stack.pages.shape[3:])
    with whole_file(target) as partial:
        if suffix == ".npy":
            _write_npy(partial, pages, whole, len(stack.shape), stack.pages.dtype)
        else:
            ome = target.name.lower().endswith((".ome.tif", ".ome.tiff"))
            dtype = stack.pages.dtype
            write_tiff_stack(
                partial, pages, whole, dtype, stack.axes, georeference, nodata, ome=ome
            )


def _from_npy(source: Path) -> Stack:
    array = read_npy(source)
    if array.ndim < 2 or 0 in array.shape:
        raise InputError(f"{source} holds an array of shape {array.shape}, which is no image.")
    sides = min(array.shape[-3:-1], default=0)
    last = array.shape[-1]
    colours = array.ndim > 2 and (last <= _COLOURS < sides or last <= MAX_CHANNELS < sides)
    lengths = array.shape[: -3 if colours else -2]
    pages = array.reshape(-1, *array.shape[len(lengths) :])
    return Stack(pages, lengths, "Q" * len(lengths), Picture(pages[0]))


def _from_frames(source: Path) -> Stack:
    from PIL import Image

    first = read_picture(source, 0)
    with Image.open(source) as opened:
        number = int(getattr(opened, "n_frames", 1))
    check_bytes((number, *first.image.shape), first.image.dtype.itemsize, str(source))
    images = [first.image, *(read_picture(source, n).image for n in range(1, number))]
    if len({image.shape for image in images}) > 1:
        raise InputError(f"{source} holds images of several sizes; choose one with --page N.")
    return Stack(np.stack(images), (number,), "T", replace(first, image=images[0]))


def _write_npy(
    path: Path, pages: Iterable[NDArray[Any]], shape: tuple[int, ...], leading: int, dtype: Any
) -> None:
    written = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    flat = written.reshape(-1, *shape[leading:])
    for number, page in enumerate(pages):
        flat[number] = page
    written.flush()
