"""What has to be said to read or write a transform file, besides its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from napari_mmreg.geometry.units import Spacing, check_spacing, convert_spacing

if TYPE_CHECKING:
    from napari_mmreg.geometry.transform import Transform

MatrixOrder = Literal["xy", "rowcol"]


@dataclass(frozen=True)
class FileOptions:
    """What a file may not say of itself.

    Attributes
    ----------
    fixed_shape : tuple of int, optional
        Rows and columns of the fixed image, for what has to be sampled.
    fixed_spacing, moving_spacing : (float, float), optional
        Physical size of a pixel, ``(row, col)``, in `unit`.
    unit : str, optional
        Of the spacings, and of the lengths in a file that does not state one.
    matrix_order : {"xy", "rowcol"}, optional
        What a plain matrix acts on.

    Raises
    ------
    InputError
        If a spacing is not two positive numbers.
    """

    fixed_shape: tuple[int, ...] | None = None
    fixed_spacing: Spacing | None = None
    moving_spacing: Spacing | None = None
    unit: str | None = None
    matrix_order: MatrixOrder | None = None

    def __post_init__(self) -> None:
        for spacing in (self.fixed_spacing, self.moving_spacing):
            if spacing is not None:
                check_spacing(spacing)

    @property
    def spacings(self) -> tuple[Spacing, Spacing]:
        """Both spacings: 1 where nothing is known, the moving one like the fixed one."""
        fixed = self.fixed_spacing or (1.0, 1.0)
        return fixed, self.moving_spacing or fixed

    def in_unit(self, unit: str | None) -> FileOptions:
        """Return the same with the spacings in the unit that a file states.

        Raises
        ------
        InputError
            If the two units do not belong together.
        """
        if unit is None or self.fixed_spacing is None:
            return self
        moving = self.moving_spacing
        return replace(
            self,
            fixed_spacing=convert_spacing(self.fixed_spacing, self.unit, unit),
            moving_spacing=None if moving is None else convert_spacing(moving, self.unit, unit),
            unit=unit,
        )

    def completed(self, transform: Transform) -> FileOptions:
        """Return the same with what is not given taken from the transform's own images.

        Raises
        ------
        InputError
            If the images are measured in units that do not belong together.
        """
        fixed, moving = transform.fixed_frame, transform.moving_frame
        options = self
        if options.fixed_shape is None and fixed is not None:
            options = replace(options, fixed_shape=fixed.shape)
        if options.fixed_spacing is not None or fixed is None or fixed.spacing is None:
            return options
        unit = options.unit or fixed.unit
        other = options.moving_spacing
        if other is None and moving is not None and moving.spacing is not None:
            other = convert_spacing(moving.spacing, moving.unit, unit)
        spacing = convert_spacing(fixed.spacing, fixed.unit, unit)
        return replace(options, fixed_spacing=spacing, moving_spacing=other, unit=unit)
