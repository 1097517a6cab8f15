"""Displacement fields as ITK vector images, which ANTs, elastix and 3D Slicer take for warps.

*Convention*: see `napari_mmreg.io.itk`. In NIfTI the components are a fifth dimension with the
intent code 1007 (vector), as ANTs' ``1Warp.nii.gz`` has it: displacements in ITK's own axes
(LPS), not in NIfTI's (RAS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mmreg.errors import MissingExtraError
from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.io.itk import from_itk_field, holds_field, read_itk, to_itk_field, write_itk

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mmreg.geometry import Transform


def _read(path: Path, options: FileOptions) -> Transform:
    return from_itk_field(read_itk(path, as_field=True), *options.spacings)


def _write(path: Path, transform: Transform, options: FileOptions) -> None:
    write_itk(path, to_itk_field(transform, options.fixed_shape, *options.spacings), as_field=True)


def _recognises(path: Path) -> bool:
    try:
        return holds_field(path)
    except MissingExtraError:  # reading it says what to install
        return True


register_file_kind(
    FileKind(
        name="itk-field",
        title="ITK displacement field",
        holds="a displacement field on the fixed image's pixels",
        convention="fixed to moving, (x, y), physical",
        patterns=("*.nii.gz", "*.nii", "*.mha", "*.mhd", "*.nrrd"),
        read=_read,
        write=_write,
        recognises=_recognises,
        extra="itk",
        rank=11,
    )
)
