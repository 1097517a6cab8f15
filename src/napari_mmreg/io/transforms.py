"""Transforms on disk, in our own format and in ITK's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import Transform
from napari_mmreg.io.elastix import looks_like_elastix, read_elastix
from napari_mmreg.io.itk import (
    Spacing,
    from_itk,
    from_itk_field,
    read_itk,
    to_itk,
    to_itk_field,
    write_itk,
)
from napari_mmreg.io.matrix import MatrixOrder, matrix_from_text, read_npy_matrix

ITK_TRANSFORMS = (".tfm", ".txt", ".h5", ".hdf5", ".mat")
"""Suffixes of ITK transform files."""

ITK_FIELDS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
"""Suffixes of ITK images that hold a displacement field."""

TEXTS = (".txt", ".tfm", ".csv", ".json", ".dat", ".mat.txt")
"""Suffixes of texts, whose content tells what they hold."""

ITK_START = "#Insight Transform File"

MAX_TEXT = 200_000_000
"""Bytes of a text that are read to tell what it holds; longer ones are left to ITK."""


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
    fixed_spacing: Spacing | None = None,
    moving_spacing: Spacing | None = None,
    matrix_order: MatrixOrder | None = None,
) -> Transform:
    """Read a transform from any format that `save_transform` writes, and from some others.

    Parameters
    ----------
    path : str or Path
        The file. Texts are told by their content: ITK's, elastix's parameters, or the numbers of
        a 3x3 matrix; ``.npy`` may hold a matrix, too. For the rest the ending decides.
    fixed_shape : tuple of int, optional
        Needed for transforms that have to be sampled, such as B-splines.
    fixed_spacing, moving_spacing : (float, float), optional
        For ITK and elastix: physical size of a pixel, ``(row, col)``, of the images in question.
        By default that of the fixed image which elastix states, else 1; the moving one defaults
        to the fixed one.
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
    source = Path(path)
    if source.is_dir():
        raise TransformError(f"{source} is a folder; name the transform in it (transform.npz).")
    name = source.name.lower()
    if name.endswith(".npy"):
        return read_npy_matrix(source, matrix_order)
    spacings = (fixed_spacing or (1.0, 1.0), moving_spacing)
    kind = "text" if name.endswith(TEXTS) else _format(source, reading=True)
    if kind == "npz":
        return Transform.load(source)
    if kind == "field":
        return from_itk_field(read_itk(source, as_field=True), *spacings)
    if kind == "text" and source.exists():
        text = _text(source)
        if looks_like_elastix(text):
            return read_elastix(source, fixed_shape, fixed_spacing, moving_spacing)
        if (matrix := matrix_from_text(text, str(source), matrix_order)) is not None:
            return matrix
        if ITK_START not in text[:200]:
            raise TransformError(f"{source} is {_kind_of(text, name)}")
    if not name.endswith(ITK_TRANSFORMS):
        raise TransformError(f"There is no file {source}; check the path.")
    return from_itk(read_itk(source, as_field=False), fixed_shape, *spacings)


def _text(source: Path) -> str:
    """Return what a text file holds, or nothing for one that is no text or too long."""
    try:
        with source.open("rb") as stream:
            content = stream.read(MAX_TEXT + 1)
        return content.decode("utf-8-sig") if len(content) <= MAX_TEXT else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _kind_of(text: str, name: str) -> str:
    """Say what a text is that holds no transform, and what to do with it."""
    start = text.lstrip()
    if not start:
        return "empty or no text; write it again."
    if name.endswith(".json") or start.startswith("{"):
        return (
            "JSON, which is no transform that can be read here. Landmarks are fitted by 'mmreg "
            "evaluate --landmarks FILE --fit affine --output transform.npz'."
        )
    if "," in start.splitlines()[0] and not start.startswith("#"):
        return (
            "a table, not a transform. If it holds landmarks, fit them: 'mmreg evaluate "
            "--landmarks FILE --fit affine --output transform.npz'."
        )
    return (
        "a text that is neither an ITK transform ('#Insight Transform File V1.0'), nor elastix's "
        "parameters ('(Transform \"...\")'), nor the nine numbers of a 3x3 matrix."
    )


def _format(path: Path, *, reading: bool = False) -> Literal["npz", "transform", "field"]:
    name = path.name.lower()
    if name.endswith(".npz"):
        return "npz"
    if name.endswith(ITK_TRANSFORMS):
        return "transform"
    if name.endswith(ITK_FIELDS):
        return "field"
    known = ", ".join([".npz", *ITK_TRANSFORMS, *ITK_FIELDS])
    if reading:
        raise InputError(
            f"{path.name} is no kind of file that transforms are read from; use one of {known}, "
            "elastix's TransformParameters (.txt), or a 3x3 matrix (.txt, .csv, .npy)."
        )
    raise InputError(f"Transforms cannot be stored in {path.name}; use one of {known}.")
