"""What a transform is, and the two that every other is built with: matrices and chains.

*Convention*, for the whole package: a transform maps **fixed to moving** (pull), points are
``(row, col)`` in pixels, pixel centres lie at integers. Pixel ``i`` covers
``[i - 0.5, i + 0.5)``, so that a frame of ``n`` rows reaches from ``-0.5`` to ``n - 0.5``.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import npz
from napari_mmreg.geometry.frame import Frame
from napari_mmreg.geometry.labels import looks_like_labels
from napari_mmreg.geometry.numbers import as_numbers
from napari_mmreg.geometry.warp import (
    check_shape,
    for_tiles,
    inside,
    pixel_grid,
    resample_tiles,
)

_KINDS: dict[str, type[Transform]] = {}
"""The classes that can be read from files, by their `Transform.kind`."""

_FRAMES = ("fixed_frame/", "moving_frame/")
"""How the names of the arrays begin that describe the two images of a transform."""

MAX_DEPTH = 20
"""How deep transforms in files may hold others."""

MAX_CHANNELS_FIRST = 16
"""A first axis as short as this, before two long ones, holds channels rather than rows."""


class Transform(ABC):
    """A map from fixed to moving pixels.

    Notes
    -----
    *Convention*: ``(row, col)``, pixels, pixel centres at integers, fixed to moving. The
    moving image is sampled at ``transform.map(points_fixed)``.

    A subclass that sets `kind` can be saved: it says by `to_arrays` and `from_arrays` what is
    written, and is found by its kind when a file is read.

    A transform may know the two images that it was made for (`fixed_frame`, `moving_frame`);
    files keep them. It then refuses images that are not these, and follows them to another size,
    see `for_shapes`. Without frames it takes pixels as they are.
    """

    kind: ClassVar[str] = ""
    """What files call transforms of this class; empty if they cannot be saved."""

    _frames: tuple[Frame | None, Frame | None] = (None, None)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        kind = cls.__dict__.get("kind")
        if kind:
            if kind in _KINDS:
                raise TypeError(f"There is already a transform of the kind {kind!r}.")
            _KINDS[kind] = cls

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

    @property
    def fixed_frame(self) -> Frame | None:
        """The fixed image that it was made for, where that is known."""
        return self._frames[0]

    @property
    def moving_frame(self) -> Frame | None:
        """The moving image that it was made for, where that is known."""
        return self._frames[1]

    def with_frames(self, fixed: Frame | None, moving: Frame | None) -> Self:
        """Return the same transform, made for these images; with None twice, for any."""
        if self._frames == (fixed, moving):
            return self
        framed = copy.copy(self)
        framed._frames = (fixed, moving)  # noqa: SLF001  our own, copied
        return framed

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
        result: Transform = self
        fixed, moving = self._frames
        if moving is not None and check_shape(moving_shape) != moving.shape:
            scale = moving.scale_to(moving_shape, "moving")
            result = _resizing(scale).compose(result)
            moving = moving.resized(check_shape(moving_shape))
        if fixed is not None and check_shape(fixed_shape) != fixed.shape:
            scale = fixed.scale_to(fixed_shape, "fixed")
            result = result.compose(_resizing(scale).inverse())
            fixed = fixed.resized(check_shape(fixed_shape))
        return result.with_frames(fixed, moving)

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
        return self._map(positions.reshape(-1, 2)).reshape(positions.shape)

    def compose(self, first: Transform) -> Transform:
        """Return the transform that applies `first` and then this one.

        Notes
        -----
        *Convention*: ``a.compose(b).map(p) == a.map(b.map(p))``. Chains are flattened and
        neighbouring matrices multiplied, so matrix after matrix is one matrix. The result was
        made for the fixed image of `first` and the moving image of this one.
        """
        parts = _flatten([first, self])
        chain = parts[0] if len(parts) == 1 else CompositeTransform(parts)
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

    def save(self, path: str | Path) -> None:
        """Write the transform to an ``.npz`` file; see `load`.

        Raises
        ------
        TransformError
            If transforms of this class cannot be saved, or the place cannot be written to.
        """
        npz.write_arrays(path, pack(self))

    @staticmethod
    def load(path: str | Path) -> Transform:
        """Read a transform that `save` wrote. Nothing is unpickled.

        Raises
        ------
        TransformError
            If the file is missing, damaged, foreign or from a newer version.
        """
        arrays = npz.read_arrays(path)
        if max(name.count("/") for name in arrays) > MAX_DEPTH:
            raise TransformError(f"{path} holds transforms within transforms without an end.")
        try:
            with np.errstate(all="ignore"):
                return unpack(arrays)
        except TransformError:
            raise
        except Exception as error:  # whatever constructors make of damaged numbers
            raise npz.incomplete(path) from error


def check_channels_last(image: NDArray[Any], frame: Frame | None = None) -> None:
    """Raise `InputError` for images whose first axis holds the channels, as far as one can tell.

    Parameters
    ----------
    image : ndarray
        What is to be resampled.
    frame : Frame, optional
        The image that is expected.
    """
    if image.ndim != 3:
        return
    first, rows, cols = image.shape
    if frame is not None:
        channels_first = (rows, cols) == frame.shape != (first, rows)
    else:
        channels_first = first <= MAX_CHANNELS_FIRST < min(rows, cols)
    if channels_first:
        raise InputError(
            f"The image has the shape {image.shape}: its first axis seems to hold {first} channels "
            "or slices. Images are (rows, columns, channels) here; pass channel_axis=0, or "
            "np.moveaxis(image, 0, -1). If the channels are last all the same, pass channel_axis=2."
        )


def _resizing(scale: tuple[float, float]) -> MatrixTransform:
    """Return the map to the same frame with `scale` times as many pixels along each axis."""
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = 0.5 * np.array(scale) - 0.5
    return MatrixTransform(matrix)


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


def pack(transform: Transform, prefix: str = "") -> npz.Arrays:
    """Return a transform's arrays and its kind, all names beginning with `prefix`."""
    arrays = {**transform.to_arrays(), "kind": np.array(transform.kind)}
    for side, frame in zip(_FRAMES, (transform.fixed_frame, transform.moving_frame), strict=True):
        if frame is not None:
            arrays.update({side + name: array for name, array in frame.to_arrays().items()})
    return {prefix + name: array for name, array in arrays.items()}


def unpack(arrays: Mapping[str, Any], prefix: str = "") -> Transform:
    """Make the transform whose arrays' names begin with `prefix`; see `pack`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an array is missing or cannot be used; `TransformError` is one of them.
    """
    kind = str(arrays[prefix + "kind"])
    if kind not in _KINDS:
        raise TransformError(f"The file holds a transform of the unknown kind {kind!r}.")
    own = _beginning_with(prefix, arrays)
    frames = [_beginning_with(side, own) for side in _FRAMES]
    fixed, moving = (Frame.from_arrays(frame) if frame else None for frame in frames)
    return _KINDS[kind].from_arrays(own).with_frames(fixed, moving)


def _beginning_with(prefix: str, arrays: Mapping[str, Any]) -> npz.Arrays:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}


class MatrixTransform(Transform):
    """An affine map or a homography.

    Parameters
    ----------
    matrix : array_like of shape (3, 3)
        Homogeneous matrix acting on ``(row, col, 1)``, fixed to moving.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving, pixel centres at integers. Points
    with a homogeneous coordinate ``w <= 0`` lie behind the horizon of a homography and map
    to NaN, so the sign of a homography's matrix matters.
    """

    kind = "matrix"

    def __init__(self, matrix: ArrayLike) -> None:
        array = as_numbers(matrix, "A matrix's values", error=TransformError).copy()
        if array.shape != (3, 3):
            raise TransformError(
                f"A matrix transform needs a 3x3 matrix on (row, col, 1), not {array.shape}."
            )
        if not np.isfinite(array).all():
            raise TransformError("The matrix has values that are not finite; estimate it again.")
        if not array[2].any():
            raise TransformError("The matrix has an empty last row; it should be (0, 0, 1).")
        if not array[2, :2].any():
            array /= array[2, 2]
        elif abs(array[2, 2]) > 1e-9 * np.abs(array[2]).max():
            array /= abs(array[2, 2])
        array.flags.writeable = False
        self._matrix = array

    def to_arrays(self) -> npz.Arrays:
        """Return the matrix."""
        return {"matrix": self._matrix}

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> MatrixTransform:
        """Make it from its matrix."""
        return cls(arrays["matrix"])

    @classmethod
    def identity(cls) -> MatrixTransform:
        """Return the transform that moves nothing."""
        return cls(np.eye(3))

    @classmethod
    def translation(cls, offset: ArrayLike) -> MatrixTransform:
        """Return the shift by `offset`, ``(row, col)`` in pixels: moving = fixed + offset."""
        matrix = np.eye(3)
        matrix[:2, 2] = offset
        return cls(matrix)

    @classmethod
    def from_params(
        cls,
        *,
        rotation_degrees: float = 0.0,
        scale: float | tuple[float, float] = 1.0,
        shear: float = 0.0,
        translation: tuple[float, float] = (0.0, 0.0),
        center: tuple[float, float] = (0.0, 0.0),
    ) -> MatrixTransform:
        """Build an affine map: shear, then scale, then rotate about `center`, then shift.

        Parameters
        ----------
        rotation_degrees : float
            Positive turns the row axis towards the column axis.
        scale : float or (float, float)
            Moving pixels per fixed pixel, along rows and columns.
        shear : float
            Adds ``shear * col`` to the row.
        translation, center : (float, float)
            ``(row, col)`` in pixels.

        Notes
        -----
        *Convention*: ``(row, col)``, fixed to moving, pixel centres at integers.
        """
        angle = np.deg2rad(rotation_degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(np.broadcast_to(scale, 2))
        linear = linear @ np.array([[1.0, shear], [0.0, 1.0]])
        about = np.asarray(center, dtype=np.float64)
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        matrix[:2, 2] = about - linear @ about + np.asarray(translation)
        return cls(matrix)

    @classmethod
    def from_xy(cls, matrix: ArrayLike) -> MatrixTransform:
        """Build from a 3x3 matrix on ``(x, y, 1)``, as OpenCV and scikit-image use."""
        return cls(cls(matrix).matrix_xy)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 3x3 matrix on ``(row, col, 1)``, fixed to moving; read-only."""
        return self._matrix

    @property
    def matrix_xy(self) -> NDArray[np.float64]:
        """The same matrix on ``(x, y, 1)``."""
        return np.asarray(self._matrix[np.ix_([1, 0, 2], [1, 0, 2])])

    @property
    def is_affine(self) -> bool:
        """Whether the last row is (0, 0, 1)."""
        return not self._matrix[2, :2].any()

    @property
    def is_identity(self) -> bool:
        """Whether nothing moves at all."""
        return bool(np.array_equal(self._matrix, np.eye(3)))

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        mapped: NDArray[np.float64] = points @ self._matrix[:2, :2].T + self._matrix[:2, 2]
        if self.is_affine:
            return mapped
        weight = points @ self._matrix[2, :2] + self._matrix[2, 2]
        weight[weight <= 0] = np.nan
        mapped /= weight[:, None]
        return mapped

    def inverse(self) -> MatrixTransform:
        """Return the exact inverse; raise `TransformError` if the matrix is singular."""
        # Rows and columns differ by orders of magnitude (1/px against px), so the test for
        # singularity is the inverse itself, not the matrix's condition number.
        try:
            inverse = np.linalg.inv(self._matrix)
        except np.linalg.LinAlgError:
            inverse = np.full((3, 3), np.nan)
        scale = np.abs(inverse) @ np.abs(self._matrix)
        if not np.isfinite(scale).all() or scale.max() > 1e14:
            raise TransformError(
                "The matrix is singular: it flattens the image to a line or a point and has no "
                "inverse. Check the landmarks or the initial transform it came from."
            )
        return cast("MatrixTransform", self._swapped(MatrixTransform(inverse)))

    def __repr__(self) -> str:
        return f"MatrixTransform({np.array2string(self._matrix, precision=6, separator=', ')})"


class CompositeTransform(Transform):
    """Transforms applied one after the other.

    Parameters
    ----------
    transforms : iterable of Transform
        In the order in which they are applied: the first one sees the fixed points.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving. Nested chains are flattened,
    neighbouring matrices multiplied and identities dropped.
    """

    kind = "composite"

    def __init__(self, transforms: Iterable[Transform]) -> None:
        self._transforms = tuple(_flatten(transforms))

    def to_arrays(self) -> npz.Arrays:
        """Return the parts' arrays, each behind its number."""
        arrays: npz.Arrays = {"count": np.array(len(self._transforms))}
        for number, part in enumerate(self._transforms):
            arrays.update(pack(part, f"{number}/"))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> CompositeTransform:
        """Make it from its parts."""
        return cls(unpack(arrays, f"{number}/") for number in range(int(arrays["count"])))

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The parts, first applied first."""
        return self._transforms

    @property
    def is_affine(self) -> bool:
        """Whether all that is left is one affine matrix."""
        return len(self._transforms) == 1 and self._transforms[0].is_affine

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        for transform in self._transforms:
            points = transform.map(points)
        return points

    def inverse(self) -> Transform:
        """Return the inverses of the parts in reverse order."""
        parts = CompositeTransform(part.inverse() for part in reversed(self._transforms))
        return self._swapped(parts)

    def __repr__(self) -> str:
        return f"CompositeTransform([{', '.join(map(repr, self._transforms))}])"


def _flatten(transforms: Iterable[Transform]) -> list[Transform]:
    """Flatten chains, multiply neighbouring matrices, drop identities; at least one is left."""
    parts: list[Transform] = []
    for transform in transforms:
        nested = transform.transforms if isinstance(transform, CompositeTransform) else [transform]
        for part in nested:
            last = parts[-1] if parts else None
            if isinstance(part, MatrixTransform) and isinstance(last, MatrixTransform):
                parts[-1] = MatrixTransform(part.matrix @ last.matrix)
            else:
                parts.append(part)
    kept = [p for p in parts if not (isinstance(p, MatrixTransform) and p.is_identity)]
    return kept or [MatrixTransform.identity()]
