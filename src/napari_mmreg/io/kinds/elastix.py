"""Transform parameter files of elastix: affine maps are written, many more read.

*Convention*: see `napari_mmreg.io.elastix`.
"""

from __future__ import annotations

from pathlib import Path

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import Transform
from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.io.elastix import looks_like_elastix, read_elastix
from napari_mmreg.io.physical import to_physical_matrix
from napari_mmreg.io.text import MAX_TEXT
from napari_mmreg.io.whole import write_text

_AFFINE = """(Transform "AffineTransform")
(NumberOfParameters 6)
(TransformParameters {parameters})
(InitialTransformParameterFileName "NoInitialTransform")
(UseBinaryFormatForTransformationParameters "false")
(HowToCombineTransforms "Compose")
(FixedImageDimension 2)
(MovingImageDimension 2)
(FixedInternalImagePixelType "float")
(MovingInternalImagePixelType "float")
(Size {cols} {rows})
(Index 0 0)
(Spacing {column_spacing!r} {row_spacing!r})
(Origin 0.0 0.0)
(Direction 1.0 0.0 0.0 1.0)
(UseDirectionCosines "true")
(CenterOfRotationPoint 0.0 0.0)
(ResampleInterpolator "FinalLinearInterpolator")
(Resampler "DefaultResampler")
(DefaultPixelValue 0.0)
(ResultImageFormat "mhd")
(ResultImagePixelType "float")
(CompressResultImage "false")
"""


def write_elastix(path: Path, transform: Transform, options: FileOptions) -> None:
    """Write an affine map as the parameters that transformix takes.

    Parameters
    ----------
    path : Path
    transform : Transform
        Fixed to moving pixels; affine.
    options : FileOptions
        With the fixed image's shape, which transformix resamples onto.

    Raises
    ------
    InputError
        If the fixed image's shape is not known.
    TransformError
        If the transform is not affine, or the place cannot be written to.
    """
    physical = to_physical_matrix(transform, *options.spacings)
    if physical is None:
        raise TransformError(
            "elastix's parameter files hold affine transforms here; write this one as a "
            "displacement field (.nii.gz, .mha), which transformix takes as a "
            "DeformationFieldTransform."
        )
    if options.fixed_shape is None:
        raise InputError(
            "elastix's parameter files state the fixed image's size; give its shape (fixed_shape)."
        )
    rows, cols = options.fixed_shape[:2]
    spacing, _ = options.spacings
    matrix = physical.matrix_xy
    numbers = [*matrix[:2, :2].ravel().tolist(), *matrix[:2, 2].tolist()]
    text = _AFFINE.format(
        parameters=" ".join(map(repr, numbers)),
        cols=cols,
        rows=rows,
        column_spacing=float(spacing[1]),
        row_spacing=float(spacing[0]),
    )
    write_text(path, text)


def _recognises(path: Path) -> bool:
    with path.open("rb") as stream:
        return looks_like_elastix(stream.read(MAX_TEXT).decode("utf-8", "replace"))


def _read(path: Path, options: FileOptions) -> Transform:
    return read_elastix(path, options.fixed_shape, options.fixed_spacing, options.moving_spacing)


register_file_kind(
    FileKind(
        name="elastix",
        title="elastix parameters",
        holds="affine maps; translations, Euler, similarity and B-spline transforms and chains of "
        "them are read, too",
        convention="fixed to moving, (x, y), physical",
        patterns=("*.txt",),
        read=_read,
        write=write_elastix,
        written_as=("transformparameters*.txt",),
        suggested="TransformParameters.0.txt",
        recognises=_recognises,
        rank=20,
    )
)
