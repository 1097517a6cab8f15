"""What an image, a mask and a pixel spacing must be, and what to do when they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MIN_SIDE = 16
"""Shortest side of an image that can be registered, in pixels."""

MAX_ANISOTROPY = 100
"""How many times longer than wide a pixel, or a frame, may be."""

COLOUR_CHANNELS = (3, 4)


def check_image(image: ArrayLike, name: str = "image") -> NDArray[Any]:
    """Return `image` as an array that can be registered, without copying it.

    Only long doubles are copied, to float64: they hold bytes that mean nothing, so that equal
    ones differ.

    Parameters
    ----------
    image : array_like
        Grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4) of any real dtype, either byte order.
        (H, W, 1) counts as grey.
    name : str
        What messages call it: ``"fixed"`` becomes "The fixed image ...".

    Returns
    -------
    ndarray of shape (H, W) or (H, W, C)
        A view of the input where numpy can give one.

    Raises
    ------
    InputError
        If the image is masked, complex, not numeric, empty, too small or not 2-D.
    """
    what = f"The {name} image" if name != "image" else "The image"
    if isinstance(image, np.ma.MaskedArray):
        raise InputError(
            f"{what} is a masked array. Pass image.data and the mask ~np.ma.getmaskarray(image)."
        )
    array = as_array(image, what)
    _check_dtype(array.dtype, what)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3):
        raise InputError(
            f"{what} has {array.ndim} dimensions. Pass one 2-D slice, (rows, columns), or RGB(A) "
            "with the channels last."
        )
    if array.ndim == 3 and array.shape[2] not in COLOUR_CHANNELS:
        first = array.shape[0] in COLOUR_CHANNELS
        raise InputError(
            f"{what} has the shape {array.shape}. "
            + (
                "If its channels come first, pass np.moveaxis(image, 0, -1)."
                if first
                else "If it is a stack, pass one 2-D slice; if it has channels, pass one of them."
            )
        )
    if array.size == 0:
        raise InputError(f"{what} is empty: its shape is {array.shape}.")
    if min(array.shape[:2]) < MIN_SIDE:
        raise InputError(
            f"{what} has {array.shape[0]} x {array.shape[1]} pixels; registration needs at least "
            f"{MIN_SIDE} along each side. Pass a larger part of it, or enlarge it first."
        )
    return array


def check_strip(shape: tuple[int, ...], spacing: tuple[float, float], name: str) -> None:
    """Raise `InputError` for an image that is far longer than wide, as no model can use it.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns (further axes are ignored).
    spacing : (float, float)
        Size of a pixel along rows and columns.
    name : str
        What messages call it.
    """
    sides = [size * pixel for size, pixel in zip(shape, spacing, strict=False)]
    if max(sides) > MAX_ANISOTROPY * min(sides):
        raise InputError(
            f"The {name} image is a strip, {max(sides) / min(sides):.0f} times as long as it is "
            f"wide; at most {MAX_ANISOTROPY} times can be registered. Cut it into pieces, or check "
            "the spacing."
        )


def as_array(values: ArrayLike, what: str) -> NDArray[Any]:
    """Return values as an array; raise `InputError` for what numpy cannot make one of."""
    try:
        return np.asarray(values)
    except Exception as error:  # ragged lists, and what objects raise that are asked for values
        raise InputError(
            f"{what} is a {type(values).__name__} that is no array ({error}). Pass a numpy array."
        ) from error


def check_modalities(
    modalities: tuple[str | None, str | None],
) -> tuple[str | None, str | None]:
    """Return the modalities of a pair.

    Raises
    ------
    InputError
        If they are not two, each a word or None.
    """
    if (
        not isinstance(modalities, tuple | list)
        or len(modalities) != 2
        or not all(name is None or isinstance(name, str) for name in modalities)
    ):
        raise InputError(
            "The modalities are two words or None, of the fixed and the moving image: "
            'modalities=("visible", "infrared").'
        )
    return modalities[0], modalities[1]


def _check_dtype(dtype: np.dtype[Any], what: str) -> None:
    if dtype.kind == "c":
        raise InputError(
            f"{what} is complex. Pass its amplitude, np.abs(image), or for radar the logarithm "
            "of it."
        )
    if dtype.kind not in "biuf":
        raise InputError(
            f"{what} has the dtype {dtype}, which holds no numbers. Pass an array of integers, "
            "floats or booleans."
        )


def check_mask(
    mask: ArrayLike | None, shape: tuple[int, ...], name: str = "image"
) -> NDArray[Any] | None:
    """Return a user's mask as an array of the image's shape, or None.

    Parameters
    ----------
    mask : array_like of bool or int, shape (H, W), or None
        True (not zero) where the image may be used.
    shape : tuple of int
        The image's shape; channels are ignored.
    name : str
        What messages call the image.

    Raises
    ------
    InputError
        If the mask has another shape, is not bool or int, or leaves nothing.
    """
    if mask is None:
        return None
    array = as_array(mask, f"The {name} mask")
    if array.dtype.kind not in "biu":
        raise InputError(
            f"The {name} mask has the dtype {array.dtype}; pass booleans or integers, for "
            "instance mask > 0.5."
        )
    if array.shape != tuple(shape[:2]):
        raise InputError(
            f"The {name} mask has the shape {array.shape}, but its image has "
            f"{shape[0]} x {shape[1]} pixels. Pass a mask made on that image."
        )
    if not array.any():
        raise InputError(f"The {name} mask is empty: mark the pixels that may be used as True.")
    return array


def without_nodata(
    image: NDArray[Any], nodata: float | None, mask: ArrayLike | None, name: str = "image"
) -> NDArray[Any] | None:
    """Return a user's mask less the pixels that hold the value for no data; None if all count.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
        As `check_image` returns it.
    nodata : number or None
        A pixel has no data if all its colours have this value.
    mask : array_like of shape (H, W), or None
        As for `check_mask`.
    name : str
        What messages call the image.

    Raises
    ------
    InputError
        If nothing is left.
    """
    given = check_mask(mask, image.shape, name)
    if nodata is None:
        return given
    known = image != nodata
    if known.ndim == 3:
        known = known.any(axis=-1)
    if given is not None:
        known &= given != 0
    if not known.any():
        raise InputError(
            f"No pixel of the {name} image has data: all have the value {nodata:g}, which means "
            "none, or are masked. Check the file it came from."
        )
    return np.asarray(known)


def check_spacing(spacing: float | Sequence[float], name: str = "image") -> tuple[float, float]:
    """Return a pixel spacing as (row, col).

    Parameters
    ----------
    spacing : float or (float, float)
        Physical size of a pixel along rows and columns; one number means square pixels.
    name : str
        What messages call the image.

    Raises
    ------
    InputError
        If it is not one or two positive finite numbers.
    """
    try:
        given = np.asarray(spacing)
        values = given.astype(np.float64) if given.dtype.kind in "iuf" else np.empty(0)
    except Exception:  # noqa: BLE001  what objects raise that are asked for numbers
        values = np.empty(0)
    if values.shape not in ((), (1,), (2,)) or not (np.isfinite(values) & (values > 0)).all():
        raise InputError(
            f"The {name} spacing {spacing!r} is not one or two positive numbers. Pass the size of "
            "a pixel along rows and columns, for instance (0.5, 0.5)."
        )
    row, col = (float(value) for value in np.broadcast_to(values, 2))
    if max(row, col) > MAX_ANISOTROPY * min(row, col):
        raise InputError(
            f"The {name} spacing {spacing!r} makes pixels more than {MAX_ANISOTROPY} times as long "
            "as they are wide. Give both sizes in one unit, along rows and columns; if they are "
            "right, average the image along its finer axis first."
        )
    return row, col
