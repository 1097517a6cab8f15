"""What a transform is: mapping, composition, sampling, resampling.

*Convention*, for the whole package: a transform maps **fixed to moving** (pull), points are
``(row, col)`` in pixels, pixel centres lie at integers. Pixel ``i`` covers
``[i - 0.5, i + 0.5)``, so that a frame of ``n`` rows reaches from ``-0.5`` to ``n - 0.5``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import files, npz
from napari_mmreg.geometry.framed import Framed
from napari_mmreg.geometry.labels import looks_like_labels
from napari_mmreg.geometry.numbers import as_numbers
from napari_mmreg.geometry.warp import (
    check_channels_last,
    check_shape,
    for_tiles,
    inside,
    pixel_grid,
    resample_tiles,
)

KINDS: dict[str, type[Transform]] = {}
"""The classes that can be read from files, by their `Transform.kind`."""


class Algebra:
    """How transforms are made of others.

    `Transform` composes and resizes with classes that are built upon it; their modules hand in
    here what it takes.

    Attributes
    ----------
    chained : callable
        Makes one transform of several, the first applied first.
    resizing : callable
        Makes the map to the same frame with so many times as many pixels along rows and columns.
    """

    chained: Callable[[Iterable[Transform]], Transform]
    resizing: Callable[[tuple[float, float]], Transform]


ALGEBRA = Algebra()


class Transform(Framed, ABC):
    """A map from fixed to moving pixels.

    Notes
    -----
    *Convention*: ``(row, col)``, pixels, pixel centres at integers, fixed to moving. The
    moving image is sampled at ``transform.map(points_fixed)``.

    A subclass that sets `kind` can be saved: it says by `to_arrays` and `from_arrays` what is
    written, and is found by its kind when a file is read.

    A transform may know the two images that it was made for, see `Framed`. It then refuses
    images that are not these, and follows them to another size, see `for_shapes`. Without frames
    it takes pixels as they are.
    """

    kind: ClassVar[str] = ""
    """What files call transforms of this class; empty if they cannot be saved."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        kind = cls.__dict__.get("kind")
        if kind:
            if kind in KINDS:
                raise TypeError(f"There is already a transform of the kind {kind!r}.")
            KINDS[kind] = cls

    def to_arrays(self) -> npz.Arrays:
        """Return what `from_arrays` needs to make the transform again: numpy arrays by name.

        Raises
        ------
        TransformError
            If transforms of this class cannot be saved.
        """
        raise TransformError(
            f"A {type(self).__name__} cannot be saved; sample it first with "
            "DisplacementTransform.from_transform(transform, shape)."
        )

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> Transform:
        """Make the transform that `to_arrays` described.

        Raises
        ------
        KeyError, TypeError, ValueError
            If an array is missing or cannot be used; `TransformError` is one of them.
        """
        raise NotImplementedError(cls.__name__)

    @abstractmethod
    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map finite or NaN points of shape (n, 2); called from several threads at once."""

    @abstractmethod
    def inverse(self) -> Transform:
        """Return the transform from moving to fixed; NaN where it has no answer.

        Raises
        ------
        TransformError
            If nothing can be inverted, as with a singular matrix.
        """

    @property
    def is_affine(self) -> bool:
        """Whether the transform is one affine matrix."""
        return False

    def for_shapes(self, fixed_shape: tuple[int, ...], moving_shape: tuple[int, ...]) -> Transform:
        """Return the transform between the same two images at other sizes.

        Parameters
        ----------
        fixed_shape, moving_shape : tuple of int
            Rows and columns of the images that it is wanted for (further axes are ignored).

        Returns
        -------
        Transform
            This one, where it fits or does not know its images.

        Raises
        ------
        InputError
            If an image differs from the one that the transform was made for in more than one
            factor of size.

        Notes
        -----
        *Convention*: the frames' borders coincide, ``new = (old + 0.5) * s - 0.5``.
        """
        resizing = ALGEBRA.resizing
        result: Transform = self
        fixed, moving = self._frames
        if moving is not None and check_shape(moving_shape) != moving.shape:
            scale = moving.scale_to(moving_shape, "moving")
            result = resizing(scale).compose(result)
            moving = moving.resized(check_shape(moving_shape))
        if fixed is not None and check_shape(fixed_shape) != fixed.shape:
            scale = fixed.scale_to(fixed_shape, "fixed")
            result = result.compose(resizing(scale).inverse())
            fixed = fixed.resized(check_shape(fixed_shape))
        if result is self:
            return self
        fitting = result.with_frames(fixed, moving)
        return fitting.with_provenance(self._provenance) if self._provenance else fitting

    def _swapped(self, inverse: Transform) -> Transform:
        """Return this transform's inverse with its images, the other way round."""
        return inverse.with_frames(self.moving_frame, self.fixed_frame)

    def map(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map fixed points to the moving image.

        Parameters
        ----------
        points : array_like of shape (..., 2)
            ``(row, col)`` in fixed pixels.

        Returns
        -------
        ndarray of float64, shape (..., 2)
            ``(row, col)`` in moving pixels; NaN where the transform is undefined.

        Raises
        ------
        InputError
            If the last axis does not hold two coordinates.
        """
        positions = as_numbers(points, "Points", "pass an array of (row, col) numbers.")
        if positions.ndim == 0 or positions.shape[-1] != 2:
            raise InputError(
                f"Points need the shape (..., 2) for (row, col), but have {positions.shape}."
            )
        with np.errstate(all="ignore"):  # what is too large for floating point has no place
            return self._map(positions.reshape(-1, 2)).reshape(positions.shape)

    def compose(self, first: Transform) -> Transform:
        """Return the transform that applies `first` and then this one.

        Notes
        -----
        *Convention*: ``a.compose(b).map(p) == a.map(b.map(p))``. Chains are flattened and
        neighbouring matrices multiplied, so matrix after matrix is one matrix. The result was
        made for the fixed image of `first` and the moving image of this one.
        """
        chain = ALGEBRA.chained([first, self])
        return chain.with_frames(first.fixed_frame, self.moving_frame)

    def displacement(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Sample the transform on a fixed grid.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of the fixed grid (further axes are ignored).

        Returns
        -------
        ndarray of float32, shape (H, W, 2)
            ``moving position = fixed position + displacement``, ``(row, col)`` in pixels;
            NaN where the transform is undefined.
        """
        grid_shape = check_shape(shape)
        field = np.empty((*grid_shape, 2), dtype=np.float32)

        def fill_tile(rows: slice, cols: slice) -> None:
            grid = pixel_grid(rows, cols)
            field[rows, cols] = self.map(grid) - grid

        for_tiles(grid_shape, fill_tile)
        return field

    def valid(
        self, fixed_shape: tuple[int, ...], moving_shape: tuple[int, ...]
    ) -> NDArray[np.bool_]:
        """Return where the fixed grid finds data: bool (H, W).

        True where the sampled place lies in the moving frame, ``[-0.5, n - 0.5)`` per axis.
        Images of another size than the transform's own: see `for_shapes`.
        """
        grid_shape, frame = check_shape(fixed_shape), check_shape(moving_shape)
        fitting = self.for_shapes(grid_shape, frame)
        mask = np.empty(grid_shape, dtype=np.bool_)

        def fill_tile(rows: slice, cols: slice) -> None:
            mask[rows, cols] = inside(fitting.map(pixel_grid(rows, cols)), frame)

        for_tiles(grid_shape, fill_tile)
        return mask

    def resample(
        self,
        image: NDArray[Any],
        shape: tuple[int, ...],
        order: int | None = None,
        fill: float | None = None,
        *,
        nodata: float | None = None,
        channel_axis: int | None = None,
    ) -> NDArray[Any]:
        """Bring a moving image onto a fixed grid, tile by tile.

        Parameters
        ----------
        image : ndarray of shape (h, w) or (h, w, C)
            The moving image, of any dtype.
        shape : tuple of int
            Rows and columns of the fixed grid.
        order : {0, 1, 3}, optional
            Nearest neighbour, linear or cubic spline interpolation. By default nearest for label
            images and masks, see `looks_like_labels`, and linear for others.
        fill : number, optional
            Value outside the moving frame; by default `nodata`, or zero. See `valid` for where
            that is.
        nodata : number, optional
            Value of pixels without data: it is never interpolated.
        channel_axis : int, optional
            Which axis of a three-dimensional image holds the channels; by default the last one.
            Needed where the first one looks as if it did.

        Returns
        -------
        ndarray of shape (H, W) or (H, W, C)
            In the image's dtype; the channels where they were.

        Raises
        ------
        InputError
            If something cannot be used, or the images are not those of the transform.
        """
        try:
            array = np.asarray(image)
        except Exception as error:  # ragged lists, and what objects raise that are asked
            raise InputError(
                f"The image is a {type(image).__name__} that is no array ({error}). Pass a numpy "
                "array."
            ) from error
        if channel_axis is not None and array.ndim == 3:
            array = np.moveaxis(array, channel_axis, -1)
        else:
            channel_axis = None
            check_channels_last(array, self.moving_frame)
        frame = check_shape(array.shape)
        fitting = self.for_shapes(shape, frame)
        if order is None:
            order = 0 if looks_like_labels(array) else 1
        result = resample_tiles(
            array,
            check_shape(shape),
            lambda rows, cols: fitting.map(pixel_grid(rows, cols)),
            order=order,
            fill=nodata if fill is None else fill,
            nodata=nodata,
        )
        return result if channel_axis is None else np.moveaxis(result, -1, channel_axis)

    def save(self, path: str | Path, **options: Any) -> None:
        """Write the transform to a file; see `load`.

        Parameters
        ----------
        path : str or Path
            ``.npz`` keeps everything exactly; for other endings see `napari_mmreg.io`.
        **options
            Those of `napari_mmreg.io.save_transform`.

        Raises
        ------
        InputError
            If the ending is unknown, or something is needed that was not given.
        TransformError
            If the transform cannot be stored in such files, or the place cannot be written to.
        MissingExtraError
            If the kind of file needs an extra that is not installed; the message names it.
        """
        kind = options.pop("kind", None)
        files.write_file(path, self, files.FileOptions(**options), kind)

    @staticmethod
    def load(path: str | Path, **options: Any) -> Transform:
        """Read a transform from a file that `save` or another program wrote. Nothing is unpickled.

        Parameters
        ----------
        path : str or Path
        **options
            Those of `napari_mmreg.io.load_transform`.

        Raises
        ------
        InputError
            If the ending is unknown, or something is needed that was not given.
        TransformError
            If the file is missing, damaged, foreign or from a newer version.
        MissingExtraError
            If the kind of file needs an extra that is not installed; the message names it.
        """
        kind = options.pop("kind", None)
        return files.read_file(path, files.FileOptions(**options), kind)


def warp_points(points: ArrayLike, transform: Transform) -> NDArray[np.float64]:
    """Bring points of the moving image onto the fixed one, as `Transform.resample` does images.

    Parameters
    ----------
    points : array_like of shape (..., 2)
        ``(row, col)`` in moving pixels.
    transform : Transform
        Fixed to moving.

    Returns
    -------
    ndarray of float64, shape (..., 2)
        ``(row, col)`` in fixed pixels; NaN where no fixed point maps to the moving one.

    Notes
    -----
    *Convention*: images are pulled, points are pushed: the points go through the inverse.
    """
    return transform.inverse().map(points)
