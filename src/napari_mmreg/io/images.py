"""Images on disk: TIFF, everyday formats and NumPy arrays."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.warp import in_dtype
from napari_mmreg.io.choice import choose_channel, choose_image
from napari_mmreg.io.npy import read_npy
from napari_mmreg.io.tiff import (
    SUFFIXES as TIFF_SUFFIXES,
)
from napari_mmreg.io.tiff import (
    Georeference,
    TiffImage,
    damaged,
    read_tiff,
    starts_as_tiff,
    write_tiff,
)
from napari_mmreg.io.whole import whole_file
from napari_mmreg.limits import check_bytes

EIGHT_BIT_SUFFIXES = frozenset({".jpg", ".jpeg", ".bmp"})

_EXIF_ORIENTATION = 0x0112

_UPRIGHT = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (-1, True),
    6: (-1, False),
    7: (1, True),
    8: (1, False),
}
"""Quarter turns against the clock, and whether to mirror left and right after them."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image as a file holds it, and what the file says about it.

    Attributes
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
        In the file's dtype, upright, alpha included.
    nodata : float or None
        The integer that means no data; in floating point it has become NaN already.
    georeference : Georeference or None
        Where it lies on Earth, from the tags of GeoTIFF.
    notes : tuple of str
        Sentences about what was done to it while reading.
    """

    image: NDArray[Any]
    nodata: float | None = None
    georeference: Georeference | None = None
    notes: tuple[str, ...] = ()

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """Where the image has data, bool (H, W), as far as `nodata` tells; else None."""
        if self.nodata is None:
            return None
        known = self.image != self.nodata
        return np.asarray(known if known.ndim == 2 else known.any(axis=-1))


def read_picture(path: str | Path, page: int | None = None, channel: int | None = None) -> Picture:
    """Read one two-dimensional image and what its file says about it.

    Parameters
    ----------
    path : str or Path
        A TIFF, a ``.npy`` array, or any format that imageio reads (PNG, JPEG, BMP, ...).
    page : int, optional
        Which page, frame or slice, from zero; needed if the file holds several.
    channel : int, optional
        Which channel, from zero; all of them by default.

    Returns
    -------
    Picture
        Palettes become colours, one-bit images 0 and 255. NaN stays; GDAL's no-data value
        becomes NaN in floating-point TIFFs. An image that its EXIF or TIFF orientation calls
        turned or mirrored is set upright, and a note says so.

    Raises
    ------
    SeveralImagesError
        If the file holds several images and `page` or `channel` does not choose one.
    InputError
        If the file is missing, damaged, of an unknown format, or larger than the limit of
        `napari_mmreg.limits`.
    """
    with quiet():
        return _read_picture(Path(path), page, channel)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep decoders from warning of what is odd in a file; what matters ends in an error."""
    logger = logging.getLogger("tifffile")
    former, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = former


def _read_picture(source: Path, page: int | None, channel: int | None) -> Picture:
    if source.is_dir():
        raise InputError(f"{source} is a folder; name one image in it.")
    if not source.exists():
        raise InputError(f"There is no file {source}; check the path.")
    suffix = source.suffix.lower()
    if suffix == ".npy":
        read = TiffImage(choose_image(read_npy(source), page, channel, source))
    elif suffix in TIFF_SUFFIXES or starts_as_tiff(source):
        tiff = read_tiff(source, page, channel)
        chosen = choose_channel(tiff.image, channel, source)
        read = TiffImage(chosen, tiff.orientation, tiff.nodata, tiff.georeference)
    else:
        image, orientation = _read_other(source, page)
        read = TiffImage(choose_channel(image, channel, source), orientation)
    image = read.image
    if 0 in image.shape:
        raise InputError(f"{source} holds an empty image of shape {image.shape}; save it again.")
    if image.dtype == np.bool_ and suffix != ".npy":
        image = image * np.uint8(255)
    if read.orientation not in range(2, 9):
        return Picture(image, read.nodata, read.georeference)
    note = (
        f"{source.name} is stored turned or mirrored (orientation {read.orientation}) and was set "
        "upright."
    )
    return Picture(upright(image, read.orientation), read.nodata, None, (note,))


def read_image(
    path: str | Path, page: int | None = None, channel: int | None = None
) -> NDArray[Any]:
    """Read one two-dimensional image, upright: (H, W) or (H, W, C); see `read_picture`."""
    return read_picture(path, page, channel).image


def read_mask(path: str | Path, page: int | None = None) -> NDArray[np.bool_]:
    """Read a mask: bool (H, W), True where any colour channel is neither zero nor no data."""
    picture = read_picture(path, page)
    image = picture.image
    if picture.valid is not None:
        known = picture.valid if image.ndim == 2 else picture.valid[..., None]
        image = np.where(known, image, image.dtype.type(0))
    if image.ndim == 3:
        # The last of two or four channels is alpha.
        colours = image.shape[-1] - (image.shape[-1] in (2, 4))
        image = np.nan_to_num(image[..., :colours]).any(axis=-1)
    return np.asarray(np.nan_to_num(image) != 0, dtype=np.bool_)


def common_nodata(fixed: Picture, moving: Picture) -> float | None:
    """Return what shall mean no data in images of the moving sensor on the fixed grid.

    The moving image's own value; else that of the fixed one, where the moving image could hold
    it and does not.
    """
    if moving.nodata is not None or fixed.nodata is None:
        return moving.nodata
    value = in_dtype(fixed.nodata, moving.image.dtype)
    if value is None or moving.image.dtype.kind == "b" or (moving.image == value).any():
        return None
    return fixed.nodata


def upright(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Set an image upright whose first row and column lie where EXIF's `orientation` says."""
    if orientation not in _UPRIGHT:
        return image
    turns, mirrored = _UPRIGHT[orientation]
    turned = np.rot90(image, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def write_image(
    path: str | Path,
    image: NDArray[Any],
    *,
    georeference: Georeference | None = None,
    nodata: float | None = None,
) -> None:
    """Write an image; an existing file is replaced only when all is written.

    Parameters
    ----------
    path : str or Path
        Its suffix chooses the format. TIFF (deflate) and ``.npy`` keep every dtype, PNG takes
        8 and 16-bit images, JPEG and BMP 8-bit ones without alpha.
    image : ndarray of shape (H, W) or (H, W, C)
        Booleans are written as 0 and 255, except to ``.npy``.
    georeference, nodata
        See `Picture`; only TIFF keeps them.

    Raises
    ------
    InputError
        If the format cannot hold the image or the place cannot be written to.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if image.dtype == np.bool_ and suffix != ".npy":
        image = image * np.uint8(255)
    if isinstance(image, np.ma.MaskedArray):
        raise InputError("A masked array cannot be written; pass image.filled(value).")
    if image.ndim == 3 and image.shape[-1] == 1 and suffix != ".npy":
        image = image[..., 0]
    _check_format(target, image)
    with whole_file(target) as partial:
        _write(partial, suffix, image, georeference, nodata)


def _read_other(source: Path, page: int | None) -> tuple[NDArray[Any], int]:
    """Return the image and its orientation."""
    import imageio.v3 as iio
    from PIL import Image

    try:
        with Image.open(source) as opened:
            # CMYK comes as four channels, which would pass for RGB with alpha.
            mode = "RGB" if opened.mode == "CMYK" else None
            orientation = int(opened.getexif().get(_EXIF_ORIENTATION, 1))
            check_bytes((*opened.size, len(opened.getbands())), 4, str(source))
        # One named plugin: imageio would try every other one on a damaged file.
        image = np.asarray(iio.imread(source, plugin="pillow", index=page, mode=mode))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{source} is too large for its format; save it as TIFF.") from error
    except Exception as error:  # damaged files end in whatever their decoders raise
        if page is not None and _readable(source):
            raise InputError(f"{source} has no page {page}; its pages start at 0.") from error
        raise damaged(source, error) from error
    image = choose_image(image, None, None, source)
    if image.ndim == 3 and image.shape[-1] == 2:  # grey with alpha
        image = image[..., [0, 0, 0, 1]]
    return image, orientation


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


def _write(
    path: Path,
    suffix: str,
    image: NDArray[Any],
    georeference: Georeference | None,
    nodata: float | None,
) -> None:
    if suffix == ".npy":
        np.save(path, image, allow_pickle=False)
    elif suffix in TIFF_SUFFIXES:
        write_tiff(path, image, georeference, nodata)
    else:
        import imageio.v3 as iio

        # Quality concerns JPEG alone; the other formats ignore it.
        iio.imwrite(path, image, plugin="pillow", quality=95)
