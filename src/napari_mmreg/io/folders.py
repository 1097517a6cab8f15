"""A folder of images of one size as one stack, of which a plane is read when it is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.io.images import Picture, read_picture
from napari_mmreg.io.tiff import SUFFIXES

IMAGE_SUFFIXES = SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp", ".npy"}


class FolderStack:
    """The images of a folder in the order of their names, numbers in them by their value.

    Parameters
    ----------
    folder : str or Path
        Its TIFF, PNG, JPEG, BMP and NPY files are planes; others are left alone.
    channel : int, optional
        Which channel of them, from 0.

    Attributes
    ----------
    paths : tuple of Path
    picture : Picture
        The first one.
    shape : tuple of int
        (n, H, W) or (n, H, W, C).
    dtype : dtype

    Raises
    ------
    InputError
        If there is no image, or it cannot be read; when a plane is read, if it differs in size or
        dtype from the first one.
    """

    def __init__(self, folder: str | Path, channel: int | None = None) -> None:
        source = Path(folder)
        self._channel = channel
        self.paths = tuple(
            sorted(
                (p for p in source.iterdir() if p.is_file() and p.suffix.lower() in IMAGE_SUFFIXES),
                key=natural_order,
            )
        )
        if not self.paths:
            raise InputError(
                f"There is no image in {source}; planes are TIFF, PNG, JPEG, BMP or NPY files."
            )
        self.picture: Picture = read_picture(self.paths[0], None, channel)
        self.shape = (len(self.paths), *self.picture.image.shape)
        self.dtype = self.picture.image.dtype

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        number, *rest = index if isinstance(index, tuple) else (index,)
        path = self.paths[number]
        image = read_picture(path, None, self._channel).image
        if image.shape != self.shape[1:] or image.dtype != self.dtype:
            raise InputError(
                f"{path.name} has the shape {image.shape} and dtype {image.dtype}, but the first "
                f"plane, {self.paths[0].name}, {self.shape[1:]} and {self.dtype}. The planes of a "
                "stack are alike; move what is no plane to another folder."
            )
        return np.asarray(image[tuple(rest)])


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return a key that sorts ``plane_9`` before ``plane_10``."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(1, int(part), "") if part.isdigit() else (2, 0, part) for part in parts if part]
