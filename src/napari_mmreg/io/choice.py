"""Choosing one image among the pages and channels of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError

MAX_CHANNELS = 16
"""A last axis as short as this, after two longer ones, holds channels."""


class SeveralImagesError(InputError):
    """A file holds several images, and the caller has to choose.

    Attributes
    ----------
    choose : {"page", "channel"}
        What there are several of.
    """

    def __init__(self, message: str, choose: Literal["page", "channel"]) -> None:
        super().__init__(message)
        self.choose = choose


def choose_image(
    stack: NDArray[Any], page: int | None, channel: int | None, source: Path
) -> NDArray[Any]:
    """Choose one image of an array without named axes; the last axis may be channels.

    Parameters
    ----------
    stack : ndarray
    page, channel : int, optional
        Counted from zero.
    source : Path
        What messages call it.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, C)

    Raises
    ------
    SeveralImagesError
        If there are several and none is chosen, or not this one.
    """
    image = stack
    while image.ndim > 2 and image.shape[0] == 1:
        image = image[0]
    if image.ndim == 3 and channel is not None and page is None and _channels_first(image):
        return choose_channel(np.moveaxis(image, 0, -1), channel, source)
    many = image.ndim == 3 and 4 < image.shape[-1] <= MAX_CHANNELS < min(image.shape[:2])
    is_one = image.ndim == 2 or (image.ndim == 3 and (image.shape[-1] <= 4 or many))
    if is_one and page in (None, 0):
        return choose_channel(image, channel, source)
    if is_one or image.ndim not in (3, 4):
        raise which_page(source, image.shape, 1 if is_one else None, page)
    if page is None or not 0 <= page < len(image):
        raise which_page(source, image.shape, len(image), page)
    return choose_channel(np.asarray(image[page]), channel, source)


def choose_channel(image: NDArray[Any], channel: int | None, source: Path) -> NDArray[Any]:
    """Return one channel of (H, W, C), or all of them if none is chosen.

    Raises
    ------
    SeveralImagesError
        If there is no such channel.
    """
    if channel is None:
        return image
    count = image.shape[-1] if image.ndim == 3 else 1
    if not 0 <= channel < count:
        raise SeveralImagesError(
            f"{source} has no channel {channel}; it has channels 0 to {count - 1}.", "channel"
        )
    return image[..., channel] if image.ndim == 3 else image


def which_page(
    source: Path, shape: tuple[int, ...], count: int | None, page: int | None
) -> InputError:
    """Return the error for a file of several pages; `count` is None for a shape of no image."""
    if count is None:
        return InputError(
            f"{source} holds an array of shape {shape}, but registration needs one image of "
            "(rows, columns) or (rows, columns, channels); cut it out and save it on its own."
        )
    if page is not None:
        return SeveralImagesError(
            f"{source} has no page {page}; it has pages 0 to {count - 1}.", "page"
        )
    return SeveralImagesError(
        f"{source} holds {count} images (shape {shape}), but registration needs one; say which "
        f"page, 0 to {count - 1}.",
        "page",
    )


def _channels_first(image: NDArray[Any]) -> bool:
    first, rows, cols = image.shape
    return bool(first <= MAX_CHANNELS < min(rows, cols))
