"""Our own ``.npz`` files."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.geometry.packing import load_npz, save_npz

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mmreg.geometry import Transform


def _read(path: Path, _: FileOptions) -> Transform:
    return load_npz(path)


def _write(path: Path, transform: Transform, _: FileOptions) -> None:
    save_npz(path, transform)


def _recognises(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {"format.npy", "kind.npy"} <= set(archive.namelist())
    except Exception:  # damaged archives end in whatever Python raises  # noqa: BLE001
        return False


register_file_kind(
    FileKind(
        name="npz",
        title="napari-mmreg",
        holds="every transform exactly, its images' shapes, pixel sizes and units, its provenance",
        convention="fixed to moving, (row, col), pixels",
        patterns=("*.npz",),
        read=_read,
        write=_write,
        recognises=_recognises,
        rank=0,
    )
)
