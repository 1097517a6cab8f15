"""Transform files of ITK, which SimpleITK, ANTs, 3D Slicer and elastix 5.1 exchange.

*Convention*: see `napari_mmreg.io.itk`. An affine map is written as ITK's ``AffineTransform``
with its centre at the origin; those of ANTs (``0GenericAffine.mat``, a
``MatrixOffsetTransformBase`` with a centre of rotation) are read as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.io.itk import from_itk, read_itk, to_itk, write_itk

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mmreg.geometry import Transform

START = b"#Insight Transform File"

_BINARY = (".h5", ".hdf5", ".mat")


def _recognises(path: Path) -> bool:
    if path.name.lower().endswith(_BINARY):
        return True
    with path.open("rb") as stream:
        return START in stream.read(200)


def _read(path: Path, options: FileOptions) -> Transform:
    return from_itk(read_itk(path, as_field=False), options.fixed_shape, *options.spacings)


def _write(path: Path, transform: Transform, options: FileOptions) -> None:
    write_itk(path, to_itk(transform, options.fixed_shape, *options.spacings), as_field=False)


register_file_kind(
    FileKind(
        name="itk",
        title="ITK transform",
        holds="affine maps exactly, all others as a displacement field on the fixed image's pixels",
        convention="fixed to moving, (x, y), physical",
        patterns=("*.tfm", "*.txt", "*.h5", "*.hdf5", "*.mat"),
        read=_read,
        write=_write,
        recognises=_recognises,
        extra="itk",
        rank=10,
    )
)
