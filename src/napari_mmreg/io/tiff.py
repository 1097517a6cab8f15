"""TIFF: reading by tifffile, and what its tags say about the values and the place on Earth."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.io.choice import SeveralImagesError, which_page
from napari_mmreg.limits import check_bytes

SUFFIXES = frozenset({".tif", ".tiff"})

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

ORIENTATION = 274

_NODATA = 42113
"""The tag in which GDAL writes the value that means no data."""

_GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737)
"""Tags of GeoTIFF: pixel scale, tie points, transformation, and the keys of the coordinate
reference system with their numbers and texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Georeference:
    """Where on Earth an image lies: the tags of GeoTIFF, as they are.

    Attributes
    ----------
    tags : tuple of (int, int, int, object)
        Code, data type, count and value of each, as `tifffile` writes them.
    """

    tags: tuple[tuple[int, int, int, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class TiffImage:
    """An image as it lies in a TIFF, and what its tags say.

    Attributes
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
    orientation : int
        1 to 8, as EXIF counts; 1 is upright.
    nodata : float or None
        The integer that means no data. In floating point it has become NaN already.
    georeference : Georeference or None
    """

    image: NDArray[Any]
    orientation: int = 1
    nodata: float | None = None
    georeference: Georeference | None = None


def starts_as_tiff(source: Path) -> bool:
    """Return whether a file is a TIFF, also by another name, as .svs, .ndpi or .lsm are."""
    with source.open("rb") as stream:
        return stream.read(4) in _STARTS


def read_tiff(source: Path, page: int | None, channel: int | None) -> TiffImage:
    """Read one image; see `napari_mmreg.io.images.read_picture`."""
    import tifffile

    try:
        with tifffile.TiffFile(source) as tiff:
            return _image(source, tiff, page, channel)
    except InputError:
        raise
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise damaged(source, error) from error
        return TiffImage(_read_compressed(source, page))
    except Exception as error:  # damaged tags end in whatever Python raises
        raise damaged(source, error) from error


def count_planes(source: Path) -> int:
    """Return how many images of one size a TIFF holds; the levels of a pyramid are one.

    Raises
    ------
    InputError
        If it is damaged.
    """
    import tifffile

    try:
        with tifffile.TiffFile(source) as tiff:
            series = alike(tiff)
            kept = _kept_axes(series[0])
            lengths = [series[0].shape[n] for n in kept if series[0].axes[n] not in "YXS"]
            return len(series) * int(np.prod(lengths))
    except Exception as error:  # damaged tags end in whatever Python raises
        raise damaged(source, error) from error


def read_tiff_stack(source: Path) -> tuple[TiffImage, str, tuple[int, ...]]:
    """Read all images of one size.

    Returns
    -------
    image : TiffImage
        Of shape (..., H, W) or (..., H, W, C).
    axes : str
        One letter per axis before rows and columns.
    shape : tuple of int
        Their lengths.

    Raises
    ------
    InputError
        If the file is damaged, or larger than the limit.
    """
    import tifffile

    try:
        with tifffile.TiffFile(source) as tiff:
            series = alike(tiff)
            first = series[0]
            check_bytes((len(series), *first.shape), first.dtype.itemsize, str(source))
            kept = _kept_axes(first)
            axes = "".join(first.axes[n] for n in kept)
            shape = [first.shape[n] for n in kept]
            images = [each.asarray().reshape(shape) for each in series]
            image = images[0] if len(series) == 1 else np.stack(images)
            axes = axes if len(series) == 1 else "Q" + axes
            leading = "".join(axis for axis in axes if axis not in "YXS")
            last = [axes.index(axis) for axis in "YXS" if axis in axes]
            first_ones = [n for n in range(len(axes)) if n not in last]
            image = np.transpose(image, first_ones + last)
            return _described(image, first.keyframe), leading, image.shape[: len(leading)]
    except InputError:
        raise
    except Exception as error:  # damaged tags end in whatever Python raises
        raise damaged(source, error) from error


def write_tiff_stack(
    path: Path,
    pages: Iterable[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: str,
    georeference: Georeference | None = None,
    nodata: float | None = None,
    *,
    ome: bool = False,
) -> None:
    """Write images of one size as they come; see `write_tiff`.

    Parameters
    ----------
    path : Path
    pages : iterable of ndarray, shape (H, W) or (H, W, C)
    shape : tuple of int
        Of all of them together, (..., H, W) or (..., H, W, C).
    dtype : dtype
    axes : str
        One letter per axis before rows and columns.
    georeference, nodata
        As in `write_tiff`.
    ome : bool
        Whether to describe them as OME does.
    """
    import tifffile

    bits = dtype.kind == "b"
    colours = shape[-1] if len(shape) == len(axes) + 3 else 1
    written = (writable(page) for page in pages)
    tifffile.imwrite(
        path,
        written,
        shape=shape,
        dtype=np.dtype(np.uint8) if bits else writable(np.empty(0, dtype)).dtype,
        compression="zlib",
        metadata={"axes": axes + ("YXS" if len(shape) == len(axes) + 3 else "YX")},
        ome=ome,
        extratags=extra_tags(georeference, nodata),
        **layout(colours, stacked=len(shape) == len(axes) + 3),
    )


def damaged(source: Path, error: Exception) -> InputError:
    """Return the error for a file that a reader gave up on."""
    return InputError(
        f"{source} cannot be read as an image ({error or type(error).__name__}). It may be damaged "
        "or of another format than its suffix says; open it elsewhere and save it as TIFF or PNG."
    )


def write_tiff(
    path: Path,
    image: NDArray[Any],
    georeference: Georeference | None = None,
    nodata: float | None = None,
) -> None:
    """Write a TIFF (deflate) that keeps every dtype; booleans become 0 and 255.

    Parameters
    ----------
    path : Path
    image : ndarray of shape (H, W) or (H, W, C)
    georeference : Georeference, optional
        Of the grid that the image lies on.
    nodata : number, optional
        What means no data in it.
    """
    import tifffile

    image = writable(image)
    options = layout(image.shape[-1] if image.ndim == 3 else 1, stacked=image.ndim == 3)
    extra = extra_tags(georeference, nodata)
    tifffile.imwrite(path, image, compression="zlib", metadata=None, extratags=extra, **options)


def writable(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image in a dtype that TIFF knows."""
    if image.dtype.kind == "b":  # TIFF's one-bit images are read by few programs
        return image.astype(np.uint8) * np.uint8(255)
    if image.dtype.kind == "f" and image.dtype.itemsize > 8:  # TIFF knows none longer
        return image.astype(np.float64)
    return image


def layout(channels: int, *, stacked: bool) -> dict[str, Any]:
    """Return how the channels of an image are written, which are its last axis if `stacked`."""
    options: dict[str, Any] = {"photometric": "minisblack"}
    if stacked:
        options["planarconfig"] = "contig"
        if channels in (3, 4):
            options["photometric"] = "rgb"
        if channels == 4:
            options["extrasamples"] = ["unassalpha"]
    return options


def extra_tags(georeference: Georeference | None, nodata: float | None) -> list[tuple[Any, ...]]:
    """Return the tags of the place on Earth and of what means no data, as tifffile writes them."""
    extra: list[tuple[Any, ...]] = []
    if georeference is not None:
        extra += [(*tag, True) for tag in georeference.tags]
    if nodata is not None:
        text = "nan" if np.isnan(nodata) else f"{nodata:.17g}"
        extra.append((_NODATA, 2, len(text) + 1, text, True))
    return extra


def alike(tiff: Any) -> list[Any]:
    """Return the first series of an open TIFF and those of the same size, kind and axes."""
    first = tiff.series[0]
    return [
        each
        for each in tiff.series
        if (each.shape, each.dtype, each.axes) == (first.shape, first.dtype, first.axes)
    ]


def _kept_axes(series: Any) -> list[int]:
    """Return the places of a series' axes, without those of length one that are no rows."""
    return [n for n, axis in enumerate(series.axes) if axis in "YXS" or series.shape[n] > 1]


def _image(source: Path, tiff: Any, page: int | None, channel: int | None) -> TiffImage:
    """Return the only image of an open TIFF, or the page and channel asked for."""
    if page is not None:
        if not 0 <= page < len(tiff.pages):
            raise which_page(source, tiff.series[0].shape, len(tiff.pages), page)
        first = tiff.pages[page]
        check_bytes(first.shape, first.dtype.itemsize, str(source))
        return _described(_channels_last(first.asarray(), first.axes), first)
    series = tiff.series[0]
    check_bytes(series.shape, series.dtype.itemsize, str(source))
    kept = _kept_axes(series)
    axes = "".join(series.axes[n] for n in kept)
    planes = [n for n in kept if series.axes[n] not in "YXS"]
    if planes and not (channel is not None and len(planes) == 1 and series.axes[planes[0]] == "C"):
        raise which_page(source, series.shape, len(tiff.pages), page)
    image = series.asarray().reshape([series.shape[n] for n in kept])
    if planes:
        axes = axes.replace("C", "S")
    return _described(_channels_last(image, axes), series.keyframe)


def _channels_last(image: NDArray[Any], axes: str) -> NDArray[Any]:
    if "S" in axes and image.ndim == len(axes):
        return np.moveaxis(image, axes.index("S"), -1)
    return image


def _described(image: NDArray[Any], page: Any) -> TiffImage:
    """Apply what the page says about its values: palette, inverted grey, no data."""
    import tifffile

    nodata = nodata_of(page)
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        colours = np.moveaxis((page.colormap >> 8).astype(np.uint8)[:, image], 0, -1)
        if nodata is not None and (known := image != nodata).any() and not known.all():
            colours = np.dstack([colours, known * np.uint8(255)])
        image, nodata = colours, None
    elif page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and image.dtype.kind in "ub":
        image = ~image
        if nodata is not None:
            nodata = float(np.iinfo(image.dtype).max - nodata) if image.dtype.kind == "u" else None
    if nodata is not None and image.dtype.kind == "f":
        image = np.where(image == image.dtype.type(nodata), image.dtype.type(np.nan), image)
        nodata = None
    if nodata is not None and not fits(nodata, image.dtype):
        nodata = None
    orientation = page.tags.get(ORIENTATION)
    return TiffImage(
        image,
        1 if orientation is None else int(orientation.value),
        nodata,
        georeference_of(page),
    )


def georeference_of(page: Any) -> Georeference | None:
    """Return where on Earth a page lies, as far as its tags tell."""
    tags = [page.tags.get(code) for code in _GEOREFERENCE]
    found = tuple((t.code, int(t.dtype), t.count, t.value) for t in tags if t is not None)
    return Georeference(found) if found else None


def nodata_of(page: Any) -> float | None:
    """Return the value that means no data; None where a foreign program wrote other words."""
    tag = page.tags.get(_NODATA)
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None


def fits(value: float, dtype: np.dtype[Any]) -> bool:
    """Return whether a value is an integer that a dtype holds."""
    if dtype.kind not in "iu" or not np.isfinite(value) or value != int(value):
        return False
    info = np.iinfo(dtype)
    return bool(info.min <= value <= info.max)


def _read_compressed(source: Path, page: int | None) -> NDArray[Any]:
    """Read a TIFF whose compression tifffile cannot undo on its own; Pillow knows LZW and JPEG."""
    import imageio.v3 as iio
    from PIL import Image

    try:
        with Image.open(source) as opened:
            count = getattr(opened, "n_frames", 1)
            check_bytes((*opened.size, len(opened.getbands())), 4, str(source))
        if page is None and count > 1:
            raise which_page(source, (count,), count, page)
        return np.asarray(iio.imread(source, plugin="pillow", index=page or 0))
    except (InputError, SeveralImagesError):
        raise
    except (OSError, ValueError, SyntaxError, IndexError, EOFError, zlib.error) as error:
        raise InputError(
            f"{source} uses a TIFF compression that needs another package; install it with "
            "'pip install imagecodecs', or save the image without compression."
        ) from error
