"""A pair, how it was aligned, and both images on one grid that is not too large to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.pictures import as_picture
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging import check_image, to_grey
from napari_mmreg.imaging.compose import Shown
from napari_mmreg.run import Run

Inside = NDArray[np.bool_]
Grey = NDArray[np.float32]

BUDGET = 1024 * 1024
"""Pixels that an evaluation looks at; larger images are thinned."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Both images on every `stride`-th pixel of the fixed image.

    Attributes
    ----------
    stride : int
    fixed_grey, after_grey, before_grey : ndarray of float32, shape (h, w)
        Grey values on one scale, in [0, 1]; 0 where there is no data.
    valid, valid_before, fixed_valid : ndarray of bool, shape (h, w)
        Where the registered, the former moving and the fixed image have data.
    fixed, after, before : ndarray of uint8
        The same as images, without holes.
    displacement : ndarray of float32, shape (h, w, 2)
        Against the start, ``(row, col)`` in fixed pixels; NaN where undefined.
    misregistration : ndarray of float32, shape (h, w), or None
    has_before : bool
        Whether there is a start to compare with; without one it equals the result.
    """

    stride: int
    fixed_grey: Grey
    after_grey: Grey
    before_grey: Grey
    fixed_valid: Inside
    valid: Inside
    valid_before: Inside
    fixed: Shown
    after: Shown
    before: Shown
    displacement: NDArray[np.float32]
    misregistration: Grey | None
    has_before: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.fixed_grey.shape[0], self.fixed_grey.shape[1]

    @property
    def common(self) -> Inside:
        """Where all images have data."""
        return self.fixed_valid & self.valid & self.valid_before

    @property
    def fixed_from_grid(self) -> MatrixTransform:
        """Grid pixels to fixed pixels."""
        return MatrixTransform(np.diag([self.stride, self.stride, 1.0]))

    def thin(self, image: NDArray[Any]) -> tuple[Grey, Inside]:
        """Return an image of the fixed grid as grey values in [0, 1] on this one."""
        grey, known = to_grey(image, _own_range(image))
        return _smooth(grey, known, self.stride)[:: self.stride, :: self.stride], known[
            :: self.stride, :: self.stride
        ]

    def labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return a label image of the fixed grid on this one."""
        return labels[:: self.stride, :: self.stride]


class Alignment:
    """A fixed and a moving image and the transforms between them, fixed to moving.

    Raises
    ------
    InputError
        If the images or transforms cannot be used.
    """

    def __init__(
        self,
        fixed: ArrayLike,
        moving: ArrayLike,
        transform: Transform,
        initial: Transform | None = None,
        truth: Transform | None = None,
    ) -> None:
        self.fixed = check_image(fixed, "fixed")
        self.moving = check_image(moving, "moving")
        for name, value in (("transform", transform), ("start", initial), ("truth", truth)):
            if not isinstance(value, Transform) and (value is not None or name == "transform"):
                raise InputError(
                    f"The {name} is a {type(value).__name__}; pass a Transform, for example "
                    "napari_mmreg.Transform.load(path), or a result's `transform`."
                )
        shapes = (self.fixed.shape, self.moving.shape)
        self.transform = transform.for_shapes(*shapes)
        self.initial = None if initial is None else initial.for_shapes(*shapes)
        self.truth = None if truth is None else truth.for_shapes(*shapes)

    @property
    def start(self) -> Transform:
        """Where the registration started; the result itself where nobody said."""
        return self.transform if self.initial is None else self.initial

    def grid(self, run: Run, misregistration: ArrayLike | None = None) -> Grid:
        """Bring both images onto one grid of at most `BUDGET` pixels."""
        rows, cols = self.fixed.shape[:2]
        stride = max(1, int(np.ceil(np.sqrt(rows * cols / BUDGET))))
        ranges = _ranges(self.fixed, self.moving)
        fixed_grey, fixed_valid = to_grey(self.fixed, ranges[0])
        run.check()
        every = np.s_[::stride, ::stride]
        thin, valid = _smooth(fixed_grey, fixed_valid, stride)[every], fixed_valid[every]
        colour = _smooth_colour(self.fixed, stride)[every]
        run.step(0.3)
        after = self._carried(self.transform, stride, thin.shape, ranges[1])
        run.step(0.6)
        before = after
        if self.initial is not None:
            before = self._carried(self.initial, stride, thin.shape, ranges[1])
        run.step(0.9)
        return Grid(
            stride=stride,
            fixed_grey=np.where(valid, thin, np.float32(0)),
            after_grey=after[0],
            before_grey=before[0],
            fixed_valid=valid,
            valid=after[1],
            valid_before=before[1],
            fixed=as_picture(colour, valid),
            after=as_picture(after[2], after[1]),
            before=as_picture(before[2], before[1]),
            displacement=self._moved(stride, thin.shape),
            misregistration=_thin_map(misregistration, (rows, cols), every),
            has_before=self.initial is not None,
        )

    def on(self, transform: Transform, stride: int) -> Transform:
        """Return a transform from the grid's pixels to moving pixels."""
        return transform.compose(MatrixTransform(np.diag([stride, stride, 1.0])))

    def picture(self, transform: Transform, grid: Grid) -> Shown:
        """Return the moving image, carried by any transform, as an image on the grid."""
        _, valid, colours = self._carried(transform, grid.stride, grid.shape, None)
        return as_picture(colours, valid)

    def _carried(
        self, transform: Transform, stride: int, shape: tuple[int, ...], value_range: Any
    ) -> tuple[Grey, Inside, NDArray[Any]]:
        """Bring the moving image onto the grid: grey, where it is valid, and in its colours."""
        from_grid = self.on(transform, stride)
        image = _smooth_colour(self.moving, stride)
        grey, known = to_grey(image, value_range)
        carried = from_grid.resample(np.where(known, grey, np.float32(np.nan)), shape)
        valid = from_grid.valid(shape, self.moving.shape) & np.isfinite(carried)
        colours = image[..., :3] if image.ndim == 3 else image
        return np.where(valid, carried, np.float32(0)), valid, from_grid.resample(colours, shape)

    def _moved(self, stride: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return by how much the registration moved things against the start, in fixed pixels."""
        positions = MatrixTransform(np.diag([stride, stride, 1.0])).displacement(shape)
        rows, cols = np.indices(shape[:2])
        fixed = positions + np.stack([rows, cols], axis=-1)
        mapped = self.transform.map(fixed)
        if self.initial is not None:
            mapped = self.initial.inverse().map(mapped)
        return np.asarray(mapped - fixed, dtype=np.float32)


def _ranges(fixed: NDArray[Any], moving: NDArray[Any]) -> tuple[Any, Any]:
    """Return the values that become 0 and 1: one scale for images of one dtype.

    So that measures for one sensor (SSIM, PSNR) compare values as they are.
    """
    if fixed.dtype != moving.dtype:
        return _own_range(fixed), _own_range(moving)
    if fixed.dtype == np.uint8:
        return (0, 255), (0, 255)
    one, other = _finite_range(fixed), _finite_range(moving)
    joint = (min(one[0], other[0]), max(one[1], other[1]))
    return joint, joint


def _own_range(image: NDArray[Any]) -> Any:
    return (0, 255) if image.dtype == np.uint8 else _finite_range(image)


def _finite_range(image: NDArray[Any]) -> tuple[Any, Any]:
    from napari_mmreg.imaging.grey import find_range

    return find_range(image)


def _smooth(grey: Grey, known: Inside, stride: int) -> Grey:
    """Blur before thinning, without letting missing pixels in."""
    if stride == 1:
        return grey
    sigma = stride / 2.5
    weight = ndimage.gaussian_filter(known.astype(np.float32), sigma, mode="nearest")
    total = ndimage.gaussian_filter(
        np.where(known, grey, 0).astype(np.float32), sigma, mode="nearest"
    )
    return np.asarray(total / np.maximum(weight, 1e-6), dtype=np.float32)


def _smooth_colour(image: NDArray[Any], stride: int) -> NDArray[Any]:
    """Blur before thinning, in the image's own dtype and channels."""
    if stride == 1:
        return image
    sigma = (stride / 2.5, stride / 2.5, *(0,) * (image.ndim - 2))
    if image.dtype.kind == "b":
        return image
    return np.asarray(ndimage.gaussian_filter(image, sigma, mode="nearest"))


def _thin_map(
    values: ArrayLike | None, shape: tuple[int, int], every: tuple[slice, slice]
) -> Grey | None:
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float32)
    if array.shape != shape:
        raise InputError(
            f"The misregistration map has the shape {array.shape}, the fixed image {shape}."
        )
    return array[every]
