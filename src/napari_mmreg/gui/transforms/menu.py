"""*File > IO Utilities*: export the registration of layers, import a transform file."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.files import FileKind, file_kinds, find_reader
from napari_mmreg.gui.transforms import strings

if TYPE_CHECKING:
    from collections.abc import Iterable

METADATA_FILE = "zarr.json"
"""Chosen in a file dialog, it stands for the folder that it lies in."""


def export_selected() -> None:
    """Ask for a file, and write the registration that the selected layers carry.

    Raises
    ------
    RegistrationError
        If they carry none, or it cannot be written; napari shows the sentence.
    """
    from napari.utils.notifications import show_info
    from qtpy.QtWidgets import QFileDialog

    from napari_mmreg.gui.shared.carried import common_transform

    viewer = _viewer()
    selected = list(viewer.layers.selection)
    transform = common_transform([layer.metadata for layer in selected])
    kinds = [kind for kind in file_kinds() if kind.can_write]
    filters = [filter_of(kind, kind.save_patterns) for kind in kinds]
    title = strings.EXPORT_TITLE.format(name=selected[0].name)
    name, chosen = QFileDialog.getSaveFileName(
        _parent(viewer), title, "transform.npz", ";;".join(filters), filters[0]
    )
    if not name:
        return
    kind = kinds[filters.index(chosen)] if chosen in filters else kinds[0]
    path = with_ending(Path(name), kind)
    transform.save(path, kind=kind.name)
    show_info(strings.EXPORTED.format(path=path, title=kind.title))


def import_transform() -> None:
    """Ask for a transform file and what it does not say, and open it as a layer.

    Raises
    ------
    RegistrationError
        If it cannot be read; napari shows the sentence.
    """
    from qtpy.QtWidgets import QFileDialog

    viewer = _viewer()
    kinds = [kind for kind in file_kinds() if kind.can_read]
    single = [filter_of(kind, _openable(kind)) for kind in kinds]
    patterns = dict.fromkeys(p for kind in kinds for p in _openable(kind))
    every = f"{strings.ALL_KINDS} ({' '.join(patterns)})"
    name, chosen = QFileDialog.getOpenFileName(
        _parent(viewer), strings.IMPORT_TITLE, "", ";;".join([every, *single])
    )
    if name:
        path = Path(name)
        path = path.parent if path.name == METADATA_FILE else path
        kind = kinds[single.index(chosen)] if chosen in single else find_reader(path)
        open_asking(viewer, path, kind)


def open_asking(viewer: Any, path: Path, kind: FileKind) -> None:
    """Open a file as a layer; ask for the images first, if there are any."""
    from napari.layers import Layer

    from napari_mmreg.gui.transforms.questions import Questions
    from napari_mmreg.gui.transforms.reader import open_with, tell, whole_picture

    pictures = [whole_picture(layer) for layer in viewer.layers if _is_image(layer)]
    asking = Questions(path.name, pictures, matrix=_is_matrix(kind), parent=_parent(viewer))
    if kind.name != "npz" and not asking.exec():  # ours says everything itself
        return
    options = asking.options()
    transform, (data, kwargs, layer_kind) = open_with(path, kind, options, asking.picture)
    viewer.add_layer(Layer.create(data, kwargs, layer_kind))
    tell(path, kind, transform, options)


def filter_of(kind: FileKind, patterns: Iterable[str]) -> str:
    """Return what file dialogs show for a kind: ``"ITK transform (*.tfm *.h5)"``."""
    return f"{kind.title} ({' '.join(patterns)})"


def with_ending(path: Path, kind: FileKind) -> Path:
    """Return the path with the kind's first ending, if it has none of them."""
    if any(fnmatch(path.name.lower(), pattern) for pattern in kind.save_patterns):
        return path
    stem = path.stem if path.suffix == ".npz" else path.name
    return path.with_name(kind.suggestion.format(stem=stem))


def _openable(kind: FileKind) -> tuple[str, ...]:
    return (METADATA_FILE,) if kind.folders else kind.patterns


def _is_matrix(kind: FileKind) -> bool:
    return "physical" not in kind.convention


def _is_image(layer: Any) -> bool:
    from napari.layers import Image

    return isinstance(layer, Image) and layer.ndim >= 2


def _viewer() -> Any:
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise InputError(strings.NO_VIEWER)
    return viewer


def _parent(viewer: Any) -> Any:
    """Return the window that dialogs belong to; None for a viewer without one."""
    window = getattr(viewer, "window", None)
    return getattr(window, "_qt_window", None)
