"""Transforms on disk: in our own format and in those of other programs."""

from __future__ import annotations

from pathlib import Path

from napari_mmreg.geometry import Transform
from napari_mmreg.geometry.files import FileOptions, MatrixOrder, read_file, write_file
from napari_mmreg.geometry.units import Spacing


def save_transform(
    path: str | Path,
    transform: Transform,
    *,
    kind: str | None = None,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing | None = None,
    moving_spacing: Spacing | None = None,
    unit: str | None = None,
) -> None:
    """Write a transform in the format that the file's name names.

    Parameters
    ----------
    path : str or Path
        ``.npz``: our own, exact for every transform, with its images and its provenance.
        ``.tfm``, ``.txt``, ``.h5``, ``.hdf5``, ``.mat``: an ITK transform, affine or a
        displacement field. ``.nii.gz``, ``.nii``, ``.mha``, ``.mhd``, ``.nrrd``: the displacement
        field as an ITK vector image, which ANTs takes, too. ``.zarr``: an NGFF transformation.
        ``TransformParameters*.txt``: elastix, affine only. ``*matrix*.txt``: a 3x3 matrix for
        OpenCV and scikit-image. ``*landmarks*.csv``, ``*landmarks*.json``: BigWarp's landmarks.
        ``.tif``: a displacement field for BigWarp.
    transform : Transform
        Fixed to moving pixels.
    kind : str, optional
        The name of a kind of file, see `napari_mmreg.io.file_kinds`, whatever the path's ending.
    fixed_shape : tuple of int, optional
        Rows and columns of the fixed image, for what has to be sampled; by default that which
        the transform was made for.
    fixed_spacing, moving_spacing : (float, float), optional
        Physical size of a pixel, ``(row, col)``, in `unit`. By default those of the images that
        the transform was made for, else 1; the moving one defaults to the fixed one.
    unit : str, optional
        Of lengths in the file. What the transform knows of its images is converted to it.

    Raises
    ------
    InputError
        If the ending is unknown, or `fixed_shape` is needed.
    TransformError
        If the transform cannot be written there.
    MissingExtraError
        If the kind of file needs an extra that is not installed; the message names it.

    Notes
    -----
    *Convention*: our file and matrices act on pixels, ours on ``(row, col)``, matrices on
    ``(x, y)``; all others on physical points, ``(x, y)`` or NGFF's named axes, with the first
    pixel's centre at the origin. All map fixed to moving. Outside a field ours repeats the border,
    ITK leaves points where they are.
    """
    options = FileOptions(fixed_shape, fixed_spacing, moving_spacing, unit)
    write_file(path, transform, options, kind)


def load_transform(
    path: str | Path,
    *,
    kind: str | None = None,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing | None = None,
    moving_spacing: Spacing | None = None,
    unit: str | None = None,
    matrix_order: MatrixOrder | None = None,
) -> Transform:
    """Read a transform from any format that `save_transform` writes, and from some others.

    Parameters
    ----------
    path : str or Path
        The file, or the folder of an OME-Zarr. Texts are told by their content: ITK's, elastix's
        parameters, BigWarp's landmarks, or the numbers of a 3x3 matrix; ``.npy`` may hold a
        matrix, too. For the rest the ending decides.
    kind : str, optional
        The name of a kind of file, see `napari_mmreg.io.file_kinds`, whatever the path's ending.
    fixed_shape : tuple of int, optional
        Needed for transforms that have to be sampled, such as B-splines.
    fixed_spacing, moving_spacing : (float, float), optional
        Physical size of a pixel, ``(row, col)``, of the images in question, in `unit`. By default
        what the file states (elastix, NGFF and BigWarp do), else 1; the moving one defaults to the
        fixed one.
    unit : str, optional
        Of the spacings. Where the file states its own, they are converted to it; otherwise the
        file's lengths are taken to be in this unit.
    matrix_order : {"xy", "rowcol"}, optional
        What a plain matrix acts on; needed where the file does not state it.

    Returns
    -------
    Transform
        Fixed to moving pixels.

    Raises
    ------
    InputError, TransformError, MissingExtraError
        As `save_transform`; also if the file is missing, damaged or something else, which the
        message names.

    Notes
    -----
    *Convention*: see `save_transform`; matrices act on pixels.
    """
    options = FileOptions(fixed_shape, fixed_spacing, moving_spacing, unit, matrix_order)
    return read_file(path, options, kind)
