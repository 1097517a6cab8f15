"""A small copy of an image that need not fit into memory: read in bands, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Frame, MatrixTransform
from napari_mmreg.geometry.lazy import Plane
from napari_mmreg.geometry.matrix import resizing
from napari_mmreg.geometry.thinning import thin_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SHRUNK = 2048 * 2048
"""Pixels that a small copy has at most."""

ENOUGH = 1024 * 1024
"""Pixels from which a level of a multiscale image suffices."""

BAND_PIXELS = 8_000_000
"""Pixels that are read at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """A small copy.

    Attributes
    ----------
    image : ndarray of shape (h, w) or (h, w, C)
        In the image's dtype.
    full_from_small : MatrixTransform
        Its pixels to those of the image at full resolution.
    shape : (int, int)
        Rows and columns of the full resolution.
    """

    image: NDArray[Any]
    full_from_small: MatrixTransform
    shape: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the full resolution per pixel of the copy, along rows and columns."""
        matrix = self.full_from_small.matrix
        return float(matrix[0, 0]), float(matrix[1, 1])


def is_multiscale(image: Any) -> bool:
    """Return whether an image is a list of levels, as napari has it, rather than of rows."""
    if not isinstance(image, Sequence) or isinstance(image, str) or len(image) == 0:
        return False
    return all(len(getattr(level, "shape", ())) >= 2 for level in image)


def levels_of(image: Any, name: str = "image") -> list[Any]:
    """Return the levels of an image, from fine to coarse; of one that is no multiscale, itself.

    Raises
    ------
    InputError
        If they are no 2-D images, grey or with channels last, or do not go from fine to coarse.
    """
    levels = list(image) if is_multiscale(image) else [image]
    for level in levels:
        if len(level.shape) not in (2, 3) or (len(level.shape) == 3 and level.shape[2] > 4):
            raise InputError(
                f"The {name} image has a level of shape {tuple(level.shape)}. Pass 2-D levels, "
                "(rows, columns) or RGB(A) with the channels last; of a stack, one slice."
            )
    sizes = [level.shape[0] * level.shape[1] for level in levels]
    if sizes != sorted(sizes, reverse=True):
        raise InputError(f"The levels of the {name} image do not go from fine to coarse.")
    return levels


def shrink(
    levels: Sequence[Any],
    *,
    nearest: bool = False,
    nodata: float | None = None,
    step: Callable[[float], None] | None = None,
) -> Shrunk:
    """Return a copy of at most `SHRUNK` pixels.

    Parameters
    ----------
    levels : sequence of array_like, shape (H, W) or (H, W, C)
        From fine to coarse; numpy, dask, zarr and so on. The coarsest one that suffices is read,
        in bands of rows.
    nearest, nodata
        As in `thin_block`.
    step : callable, optional
        Called with the fraction done after each band; raises to stop.

    Returns
    -------
    Shrunk

    Notes
    -----
    *Convention*: the frames of all levels coincide, ``full = (level + 0.5) * s - 0.5``.
    """
    sizes = [level.shape[0] * level.shape[1] for level in levels]
    chosen = max((n for n, size in enumerate(sizes) if size >= ENOUGH), default=0)
    level = Plane(levels[chosen])
    full = (int(levels[0].shape[0]), int(levels[0].shape[1]))
    rows, cols = level.shape[:2]
    factor = int(np.ceil(np.sqrt(rows * cols / SHRUNK)))
    # Of lines that are far longer than others one pixel has to be left.
    factor = max(1, min(factor, rows, cols))
    result = np.empty((-(-rows // factor), -(-cols // factor), *level.shape[2:]), level.dtype)
    band = factor * max(1, BAND_PIXELS // (cols * factor))
    for start in range(0, rows, band):
        stop = min(start + band, rows)
        thin = thin_block(level[start:stop], factor, nearest=nearest, nodata=nodata)
        result[start // factor : start // factor + len(thin)] = thin
        if step is not None:
            step(stop / rows)
    full_from_level = resizing(Frame(full).scale_to((rows, cols), "level")).inverse()
    full_from_small = full_from_level.compose(resizing((1 / factor, 1 / factor)).inverse())
    return Shrunk(result, full_from_small, full)  # type: ignore[arg-type]  # of matrices
