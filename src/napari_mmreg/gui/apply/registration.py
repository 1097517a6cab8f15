"""What the dock applies: a finished run, or a transform between two layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.shared.carried import pixels_of, transform_of
from napari_mmreg.gui.shared.placement import Matrix, Placement, place, unit_factors
from napari_mmreg.gui.shared.run_record import RunRecord

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.geometry.applying import Side
    from napari_mmreg.geometry.files import MatrixOrder


@dataclass(frozen=True, eq=False)
class Ground:
    """One of the two images of a registration: its name, where it lies, rows and columns."""

    name: str
    placement: Placement
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Registration:
    """A transform between the pixels of two images that lie in the world.

    Attributes
    ----------
    title : str
    fixed, moving : Ground
    known : Transform or None
        Fixed to moving pixels; None if it has to be read.
    path : Path or None
        Where it is read from.
    matrix_order : {"xy", "rowcol"} or None
        What a plain matrix in the file acts on, where the file does not say.
    note : str
        What the user should know about it.
    """

    title: str
    fixed: Ground
    moving: Ground
    known: Transform | None = None
    path: Path | None = None
    matrix_order: MatrixOrder | None = None
    note: str = ""

    def load(self) -> Transform:
        """Return the transform, fixed to moving pixels; called in the worker thread.

        Raises
        ------
        InputError, TransformError, MissingExtraError
            If the file cannot be read, or the transform is not of these two images.
        """
        if self.known is not None:
            return self.known.for_shapes(self.fixed.shape, self.moving.shape)
        from napari_mmreg.io import load_transform

        if self.path is None:
            raise InputError(texts.NO_FILE)
        known = pixels_of(self.fixed, self.moving)
        spacing, other, unit = (None, None, None) if known is None else known
        transform = load_transform(
            self.path,
            fixed_shape=self.fixed.shape,
            fixed_spacing=spacing,
            moving_spacing=other,
            unit=unit,
            matrix_order=self.matrix_order,
        )
        return transform.for_shapes(self.fixed.shape, self.moving.shape)

    def key(self, to: Side) -> tuple[Any, ...]:
        """Return what two registrations have in common that are the same one."""
        return (to, id(self.known) if self.path is None else str(self.path))

    def sides(self, to: Side) -> tuple[Ground, Ground]:
        """Return the image that layers come from and the one that they are laid onto."""
        return (self.moving, self.fixed) if to == "fixed" else (self.fixed, self.moving)

    def motion(self, transform: Transform, to: Side) -> Matrix:
        """Return what an affine registration does to the world: (3, 3) on (row, col, 1).

        It acts on the last two world axes, in the units of the image that layers come from, and
        answers in them.

        Raises
        ------
        InputError
            If the transform bends, or the units of the two images cannot be converted.
        """
        matrix = affine_matrix(transform)
        if matrix is None:
            raise InputError(texts.BENDS)
        target_from_source = np.linalg.inv(matrix) if to == "fixed" else matrix
        source, target = (side.placement for side in self.sides(to))
        units = np.diag([*unit_factors(target.units, source.units), 1.0])
        motion: Matrix = (
            units
            @ target.world_from_pixels
            @ target_from_source
            @ np.linalg.inv(source.world_from_pixels)
        )
        return motion


def affine_matrix(transform: Transform) -> Matrix | None:
    """Return the matrix of an affine transform, fixed to moving; None for all others."""
    if not transform.is_affine:
        return None
    origin = transform.map([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
    matrix = np.eye(3)
    matrix[:2, :2] = (origin[1:] - origin[0]).T
    matrix[:2, 2] = origin[0]
    return matrix


def of_run(record: RunRecord) -> Registration:
    """Return the registration that a finished run found."""
    bundle = record.bundle
    fixed, moving = bundle.snapshot.fixed, bundle.snapshot.moving
    return Registration(
        record.title,
        Ground(fixed.name, fixed.placement, fixed.shape),
        Ground(moving.name, moving.placement, moving.shape),
        known=bundle.result.transform,
        note=texts.WAS_FAILED if bundle.result.status == "failed" else "",
    )


def of_file(path: Path, fixed: Any, moving: Any, order: MatrixOrder | None) -> Registration:
    """Return the registration in a file, between two image layers.

    Raises
    ------
    InputError
        If something is missing.
    """
    if not path.name:
        raise InputError(texts.NO_FILE)
    if fixed is None or moving is None:
        raise InputError(texts.NO_SIDES)
    return Registration(
        path.name, ground_of(fixed), ground_of(moving), path=path, matrix_order=order
    )


def of_layer(layer: Any, fixed: Any, moving: Any) -> Registration:
    """Return the registration that a layer carries, between two image layers.

    Raises
    ------
    InputError
        If something is missing.
    """
    if fixed is None or moving is None:
        raise InputError(texts.NO_SIDES)
    known = transform_of(layer.metadata)
    if known is None:  # taken out of the metadata since it was offered
        raise InputError(texts.NO_TRANSFORM.format(name=layer.name))
    return Registration(layer.name, ground_of(fixed), ground_of(moving), known=known)


def ground_of(layer: Any) -> Ground:
    """Return where the planes of an image layer lie, in their full resolution."""
    data = layer.data[0] if layer.multiscale else layer.data
    shape = data.shape[:-1] if getattr(layer, "rgb", False) else data.shape
    step = (0,) * (layer.ndim - 2)
    return Ground(layer.name, place(layer, step), (int(shape[-2]), int(shape[-1])))
