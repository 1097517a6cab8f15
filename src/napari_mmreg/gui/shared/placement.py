"""Where a picture lies in napari's world, and how two pictures' pixels relate through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placement:
    """How the pixels of one 2-D picture lie in the world.

    Attributes
    ----------
    world_from_pixels : ndarray of float64, shape (3, 3)
        Homogeneous, on (row, col, 1): the picture's pixels to the last two world axes.
    units : (str, str)
        Units of these two axes.
    layer_kwargs : dict
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine`` and ``units`` that put a
        2-D layer with the same pixels at the same place.
    custom : bool
        Whether anyone placed or calibrated the layer; False for napari's defaults.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers.
    """

    world_from_pixels: Matrix
    units: tuple[str, str]
    layer_kwargs: dict[str, Any] = field(default_factory=dict)
    custom: bool = False

    @property
    def spacing(self) -> tuple[float, float]:
        """World length of one pixel step along rows and along columns."""
        row, col = np.linalg.norm(self.world_from_pixels[:2, :2], axis=0)
        return float(row), float(col)

    @property
    def calibrated(self) -> bool:
        """Whether lengths are physical: a unit other than the pixel."""
        return all(unit != "pixel" for unit in self.units)


def place(
    layer: Any, step: tuple[int, ...] = (), level: tuple[float, float] = (1.0, 1.0)
) -> Placement:
    """Return where a layer's last two axes lie in the world.

    Parameters
    ----------
    layer : napari layer
    step : tuple of int
        Index along every leading axis, for layers with more than two.
    level : (float, float)
        Full-resolution pixels per pixel, for a coarser level of a multiscale layer. The
        frames of all levels coincide, so ``full = (pixel + 0.5) * level - 0.5``.
    """
    full = _world_from_pixels(layer, step)
    scale = np.asarray(level, dtype=np.float64)
    full_from_level = np.diag([*scale, 1.0])
    full_from_level[:2, 2] = (scale - 1) / 2
    matrix = full @ full_from_level
    units = tuple(str(unit) for unit in layer.units[-2:])
    return Placement(
        world_from_pixels=matrix,
        units=(units[0], units[1]),
        layer_kwargs=_layer_kwargs(layer, matrix, full_from_level),
        custom=not np.allclose(full, np.eye(3)) or any(unit != "pixel" for unit in units),
    )


def _world_from_pixels(layer: Any, step: tuple[int, ...]) -> Matrix:
    """Read a layer's affine map on its last two axes off three points."""
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
    points = np.array([layer.data_to_world((*step, *corner))[-2:] for corner in corners])
    matrix = np.eye(3)
    matrix[:2, :2] = (points[1:] - points[0]).T
    matrix[:2, 2] = points[0]
    return matrix


def _layer_kwargs(layer: Any, matrix: Matrix, full_from_level: Matrix) -> dict[str, Any]:
    """Keep the layer's own scale and translate; whatever they cannot say goes to the affine."""
    from napari.utils.transforms import CompositeAffine

    plane = [layer.ndim - 2, layer.ndim - 1]
    flat = layer.ndim == 2
    scale = np.asarray(layer.scale)[plane]
    rotate = np.asarray(layer.rotate) if flat else np.eye(2)
    shear = np.asarray(layer.shear) if flat else np.zeros(1)
    own = CompositeAffine(
        scale, np.asarray(layer.translate)[plane], rotate=rotate, shear=shear, ndim=2
    )
    coarse = own.affine_matrix @ full_from_level
    kwargs: dict[str, Any] = {
        "scale": scale * np.diag(full_from_level)[:2],
        "translate": coarse[:2, 2],
        "rotate": rotate,
        "shear": shear,
        "units": tuple(layer.units[-2:]),
    }
    affine = matrix @ np.linalg.inv(coarse)
    kwargs["affine"] = np.asarray(layer.affine) if flat else affine
    return kwargs


def part_of(
    placement: Placement,
    start: tuple[float, float],
    stride: float | tuple[float, float],
) -> dict[str, Any]:
    """Return the layer arguments for ``picture[start_row::stride, start_col::stride]``.

    The stride may differ between rows and columns, and be a part of a pixel, as may the start.
    """
    kwargs = dict(placement.layer_kwargs)
    physical_from_world = np.linalg.inv(kwargs["affine"])
    offset = placement.world_from_pixels @ (*start, 1.0)
    kwargs["translate"] = (physical_from_world @ offset)[:2]
    kwargs["scale"] = np.asarray(kwargs["scale"]) * stride
    return kwargs


def unit_factors(source: tuple[str, ...], target: tuple[str, ...]) -> NDArray[np.float64]:
    """Return by what lengths in `source` units are multiplied to be in `target` units.

    Raises
    ------
    InputError
        If one of them is no length that the other could be converted to.
    """
    if source == target:
        return np.ones(len(source))
    import pint

    quantity = pint.get_application_registry().Quantity  # type: ignore[no-untyped-call]
    try:
        return np.array(
            [quantity(1.0, a).to(b).magnitude for a, b in zip(source, target, strict=True)]
        )
    except (pint.DimensionalityError, pint.UndefinedUnitError) as error:
        raise InputError(
            f"One layer is measured in {source[-1]} and another in {target[-1]}: their places in "
            "the world cannot be compared. Give both the same kind of unit (layer.units) or choose "
            "“Centre the frames” under Start › Start from."
        ) from error


def moving_from_fixed(fixed: Placement, moving: Placement) -> Matrix:
    """Return fixed pixels to moving pixels, through the world: 3x3 on (row, col, 1).

    Raises
    ------
    InputError
        If the units of the two cannot be converted, or the moving layer is flat.
    """
    fixed_from_moving_unit = np.diag([*unit_factors(moving.units, fixed.units), 1.0])
    moving_world = fixed_from_moving_unit @ moving.world_from_pixels
    try:
        matrix: Matrix = np.linalg.inv(moving_world) @ fixed.world_from_pixels
    except np.linalg.LinAlgError as error:
        raise InputError(
            "The moving layer's scale or affine flattens it to a line. Reset its transform."
        ) from error
    return matrix


def frames_overlap(
    matrix: Matrix, fixed_shape: tuple[int, ...], moving_shape: tuple[int, ...]
) -> bool:
    """Whether the fixed frame, carried to moving pixels, touches the moving frame."""
    rows, cols = fixed_shape[:2]
    corners = np.array([(0, 0, 1), (rows - 1, 0, 1), (0, cols - 1, 1), (rows - 1, cols - 1, 1)])
    carried = (matrix @ corners.T)[:2]
    frame = np.array(moving_shape[:2]) - 1
    return bool(((carried.max(axis=1) > 0) & (carried.min(axis=1) < frame)).all())
