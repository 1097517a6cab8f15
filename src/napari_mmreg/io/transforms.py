"""Transforms on disk, in our own format and in ITK's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Transform
from napari_mmreg.io.itk import (
    Spacing,
    from_itk,
    from_itk_field,
    read_itk,
    to_itk,
    to_itk_field,
    write_itk,
)

ITK_TRANSFORMS = (".tfm", ".txt", ".h5", ".hdf5", ".mat")
"""Suffixes of ITK transform files."""

ITK_FIELDS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
"""Suffixes of ITK images that hold a displacement field."""


def save_transform(
    path: str | Path,
    transform: Transform,
    *,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing = (1.0, 1.0),
    moving_spacing: Spacing | None = None,
) -> None:
    """Write a transform in the format that the file name's ending names.

    Parameters
    ----------
    path : str or Path
        ``.npz``: our own, exact for every transform. ``.tfm``, ``.txt``, ``.h5``, ``.hdf5``,
        ``.mat``: an ITK transform, affine or a displacement field. ``.nii.gz``, ``.nii``,
        ``.mha``, ``.mhd``, ``.nrrd``: the displacement field as an ITK vector image.
    transform : Transform
        Fixed to moving pixels.
    fixed_shape : tuple of int, optional
        Rows and columns of the fixed image; for ITK displacement fields.
    fixed_spacing, moving_spacing : (float, float)
        For ITK: physical size of a pixel, ``(row, col)``; the moving one defaults to the
        fixed one.

    Raises
    ------
    InputError
        If the ending is unknown, or ITK needs `fixed_shape`.
    TransformError
        If the transform cannot be written there.
    MissingExtraError
        If ITK is asked for and SimpleITK is not installed.

    Notes
    -----
    *Convention*: our file holds ``(row, col)`` pixels, ITK's physical ``(x, y)`` with the first
    pixel's centre at the origin; both map fixed to moving. Outside a field ours repeats the
    border, ITK leaves points where they are.
    """
    target = Path(path)
    match _format(target):
        case "npz":
            transform.save(target)
        case "transform":
            written = to_itk(transform, fixed_shape, fixed_spacing, moving_spacing)
            write_itk(target, written, as_field=False)
        case "field":
            field = to_itk_field(transform, fixed_shape, fixed_spacing, moving_spacing)
            write_itk(target, field, as_field=True)


def load_transform(
    path: str | Path,
    *,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing = (1.0, 1.0),
    moving_spacing: Spacing | None = None,
) -> Transform:
    """Read a transform from any format that `save_transform` writes.

    Parameters
    ----------
    path : str or Path
        The file; its ending decides the format.
    fixed_shape : tuple of int, optional
        Needed for ITK transforms that have to be sampled, such as B-splines.
    fixed_spacing, moving_spacing : (float, float)
        For ITK: physical size of a pixel, ``(row, col)``, of the images in question; the
        moving one defaults to the fixed one.

    Returns
    -------
    Transform
        Fixed to moving pixels.

    Raises
    ------
    InputError, TransformError, MissingExtraError
        As `save_transform`; also if the file is missing or damaged.

    Notes
    -----
    *Convention*: see `save_transform`.
    """
    source = Path(path)
    match _format(source):
        case "npz":
            return Transform.load(source)
        case "transform":
            read = read_itk(source, as_field=False)
            return from_itk(read, fixed_shape, fixed_spacing, moving_spacing)
        case "field":
            return from_itk_field(read_itk(source, as_field=True), fixed_spacing, moving_spacing)


def _format(path: Path) -> Literal["npz", "transform", "field"]:
    name = path.name.lower()
    if name.endswith(".npz"):
        return "npz"
    if name.endswith(ITK_TRANSFORMS):
        return "transform"
    if name.endswith(ITK_FIELDS):
        return "field"
    known = ", ".join([".npz", *ITK_TRANSFORMS, *ITK_FIELDS])
    raise InputError(f"Transforms cannot be stored in {path.name}; use one of {known}.")
