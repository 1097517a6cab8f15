"""A 3x3 matrix that `numpy.save` wrote; the file cannot say what it acts on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.io.kinds.matrix import read_npy_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mmreg.geometry import Transform


def _read(path: Path, options: FileOptions) -> Transform:
    return read_npy_matrix(path, options.matrix_order)


register_file_kind(
    FileKind(
        name="npy",
        title="NumPy matrix",
        holds="affine maps and homographies",
        convention="fixed to moving, pixels; (x, y) or (row, col) has to be said",
        patterns=("*.npy",),
        read=_read,
        droppable=(),
        rank=91,
    )
)
