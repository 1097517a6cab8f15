"""Images on disk: TIFF, everyday formats and NumPy arrays."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError

TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
EIGHT_BIT_SUFFIXES = frozenset({".jpg", ".jpeg", ".bmp"})

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_GDAL_NODATA = 42113
"""The TIFF tag in which GDAL writes the value that means no data."""


def read_image(path: str | Path, page: int | None = None) -> NDArray[Any]:
    """Read one two-dimensional image.

    Parameters
    ----------
    path : str or Path
        A TIFF, a ``.npy`` array, or any format that imageio reads (PNG, JPEG, BMP, ...).
    page : int, optional
        Which page, frame or slice, from zero; needed if the file holds several.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, C)
        In the file's dtype, alpha included. Palettes become colours, one-bit images 0 and 255.
        NaN stays; GDAL's no-data value becomes NaN in floating-point TIFFs.

    Raises
    ------
    InputError
        If the file is missing, damaged, of an unknown format, or holds several images and
        `page` does not choose one.
    """
    source = Path(path)
    if source.is_dir():
        raise InputError(f"{source} is a folder; name one image in it.")
    if not source.exists():
        raise InputError(f"There is no file {source}; check the path.")
    suffix = source.suffix.lower()
    if suffix == ".npy":
        image = _one_of(_read_npy(source), page, source)
    elif suffix in TIFF_SUFFIXES or _starts_as_tiff(source):
        image = _read_tiff(source, page)
    else:
        image = _read_other(source, page)
    if image.dtype == np.bool_ and suffix != ".npy":
        image = image * np.uint8(255)
    return image


def read_mask(path: str | Path, page: int | None = None) -> NDArray[np.bool_]:
    """Read a mask: bool (H, W), True where any colour channel is neither zero nor NaN."""
    image = read_image(path, page)
    if image.ndim == 3:
        # The last of two or four channels is alpha.
        colours = image.shape[-1] - (image.shape[-1] in (2, 4))
        image = np.nan_to_num(image[..., :colours]).any(axis=-1)
    return np.asarray(np.nan_to_num(image) != 0, dtype=np.bool_)


def write_image(path: str | Path, image: NDArray[Any]) -> None:
    """Write an image; an existing file is replaced only when all is written.

    Parameters
    ----------
    path : str or Path
        Its suffix chooses the format. TIFF (deflate) and ``.npy`` keep every dtype, PNG takes
        8 and 16-bit images, JPEG and BMP 8-bit ones without alpha.
    image : ndarray of shape (H, W) or (H, W, C)
        Booleans are written as 0 and 255, except to ``.npy``.

    Raises
    ------
    InputError
        If the format cannot hold the image or the place cannot be written to.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if image.dtype == np.bool_ and suffix != ".npy":
        image = image * np.uint8(255)
    _check_format(target, image)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=suffix, delete=False) as stream:
            temporary = Path(stream.name)
        _write(temporary, suffix, image)
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        raise InputError(
            f"Cannot write {target}: {error.strerror or error}. Choose another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _damaged(source: Path, error: Exception) -> InputError:
    return InputError(
        f"{source} cannot be read as an image ({error}). It may be damaged or of another format "
        "than its suffix says; open it elsewhere and save it as TIFF or PNG."
    )


def _starts_as_tiff(source: Path) -> bool:
    """Return whether a file is a TIFF by another name, as .svs, .ndpi or .lsm are."""
    with source.open("rb") as stream:
        return stream.read(4) in _TIFF_STARTS


def _read_npy(source: Path) -> NDArray[Any]:
    try:
        array = np.load(source, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(source, error) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{source} is an archive of arrays; save the image with numpy.save.")
    return array


def _one_of(stack: NDArray[Any], page: int | None, source: Path) -> NDArray[Any]:
    """Choose one image of an array without named axes; the last axis may be channels."""
    image = stack
    while image.ndim > 2 and image.shape[0] == 1:
        image = image[0]
    is_one = image.ndim == 2 or (image.ndim == 3 and image.shape[-1] <= 4)
    if is_one and page in (None, 0):
        return image
    if is_one or image.ndim not in (3, 4):
        raise _which_page(source, image.shape, 1 if is_one else None, page)
    if page is None or not 0 <= page < len(image):
        raise _which_page(source, image.shape, len(image), page)
    return np.asarray(image[page])


def _which_page(
    source: Path, shape: tuple[int, ...], count: int | None, page: int | None
) -> InputError:
    if count is None:
        return InputError(
            f"{source} holds an array of shape {shape}, but registration needs one image of "
            "(rows, columns) or (rows, columns, channels); cut it out and save it on its own."
        )
    if page is not None:
        return InputError(f"{source} has no page {page}; it has pages 0 to {count - 1}.")
    return InputError(
        f"{source} holds {count} images (shape {shape}), but registration needs one; say which "
        f"page, 0 to {count - 1}."
    )


def _read_tiff(source: Path, page: int | None) -> NDArray[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(source) as tiff:
            return _tiff_image(source, tiff, page)
    except InputError:
        raise
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise _damaged(source, error) from error
        return _read_compressed(source, page)
    except (tifffile.TiffFileError, OSError, EOFError, KeyError, IndexError, zlib.error) as error:
        raise _damaged(source, error) from error


def _tiff_image(source: Path, tiff: Any, page: int | None) -> NDArray[Any]:
    """Return the only image of an open TIFF, or the page asked for."""
    if page is not None:
        if not 0 <= page < len(tiff.pages):
            raise _which_page(source, tiff.series[0].shape, len(tiff.pages), page)
        first, axes = tiff.pages[page], tiff.pages[page].axes
        image = first.asarray()
    else:
        series = tiff.series[0]
        kept = [n for n, axis in enumerate(series.axes) if axis in "YXS" or series.shape[n] > 1]
        if len([n for n in kept if series.axes[n] != "S"]) != 2:
            raise _which_page(source, series.shape, len(tiff.pages), page)
        first, axes = series.keyframe, "".join(series.axes[n] for n in kept)
        image = series.asarray().reshape([series.shape[n] for n in kept])
    if "S" in axes:
        image = np.moveaxis(image, axes.index("S"), -1)
    return _tiff_values(image, first)


def _tiff_values(image: NDArray[Any], page: Any) -> NDArray[Any]:
    """Apply what the page says about its values: palette, inverted grey, no data."""
    import tifffile

    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        colours = (page.colormap >> 8).astype(np.uint8)
        return np.moveaxis(colours[:, image], 0, -1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and image.dtype.kind in "ub":
        return ~image
    nodata = page.tags.get(_GDAL_NODATA)
    if nodata is not None and image.dtype.kind == "f":
        try:
            value = float(str(nodata.value).strip("\0 "))
        except ValueError:  # a foreign program's words; the values are left as they are
            return image
        image = np.where(image == image.dtype.type(value), image.dtype.type(np.nan), image)
    return image


def _read_compressed(source: Path, page: int | None) -> NDArray[Any]:
    """Read a TIFF whose compression tifffile cannot undo on its own; Pillow knows LZW and JPEG."""
    import imageio.v3 as iio
    from PIL import Image

    try:
        with Image.open(source) as opened:
            count = getattr(opened, "n_frames", 1)
        if page is None and count > 1:
            raise _which_page(source, (count,), count, page)
        return np.asarray(iio.imread(source, plugin="pillow", index=page or 0))
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, IndexError, EOFError) as error:
        raise InputError(
            f"{source} uses a TIFF compression that needs another package; install it with "
            "'pip install imagecodecs', or save the image without compression."
        ) from error


def _read_other(source: Path, page: int | None) -> NDArray[Any]:
    import imageio.v3 as iio
    from PIL import Image

    try:
        with Image.open(source) as opened:
            # CMYK comes as four channels, which would pass for RGB with alpha.
            mode = "RGB" if opened.mode == "CMYK" else None
        # One named plugin: imageio would try every other one on a damaged file.
        image = np.asarray(iio.imread(source, plugin="pillow", index=page, mode=mode))
    except Image.DecompressionBombError as error:
        raise InputError(f"{source} is too large for its format; save it as TIFF.") from error
    except (OSError, ValueError, SyntaxError, IndexError, EOFError, KeyError) as error:
        if page is not None and _readable(source):
            raise InputError(f"{source} has no page {page}; its pages start at 0.") from error
        raise _damaged(source, error) from error
    image = _one_of(image, None, source)
    if image.ndim == 3 and image.shape[-1] == 2:  # grey with alpha
        image = image[..., [0, 0, 0, 1]]
    return image


def _readable(source: Path) -> bool:
    try:
        read_image(source, 0)
    except InputError:
        return False
    return True


def _check_format(target: Path, image: NDArray[Any]) -> None:
    suffix = target.suffix.lower()
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or image.size == 0:
        raise InputError(f"An image of shape {image.shape} cannot be written to {target}.")
    if suffix == ".npy" or suffix in TIFF_SUFFIXES:
        return
    if suffix == ".png":
        fits = image.dtype == np.uint8 and channels in (1, 3, 4)
        fits = fits or (image.dtype == np.uint16 and image.ndim == 2)
    elif suffix in EIGHT_BIT_SUFFIXES:
        fits = image.dtype == np.uint8 and channels in (1, 3)
    else:
        raise InputError(
            f"Images are not written as {suffix or 'files without a suffix'}; use .tif, .png, "
            ".jpg, .bmp or .npy."
        )
    if not fits:
        raise InputError(
            f"{suffix} cannot hold {channels}-channel images of dtype {image.dtype}; use .tif."
        )


def _write(path: Path, suffix: str, image: NDArray[Any]) -> None:
    if suffix == ".npy":
        np.save(path, image, allow_pickle=False)
    elif suffix in TIFF_SUFFIXES:
        import tifffile

        options: dict[str, Any] = {"photometric": "minisblack"}
        if image.ndim == 3:
            options["planarconfig"] = "contig"
            if image.shape[-1] in (3, 4):
                options["photometric"] = "rgb"
            if image.shape[-1] == 4:
                options["extrasamples"] = ["unassalpha"]
        tifffile.imwrite(path, image, compression="zlib", metadata=None, **options)
    else:
        import imageio.v3 as iio

        # Quality concerns JPEG alone; the other formats ignore it.
        iio.imwrite(path, image, plugin="pillow", quality=95)
