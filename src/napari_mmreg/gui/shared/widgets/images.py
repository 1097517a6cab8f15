"""Choosing the fixed and the moving image, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.errors import MultipleReaderError, NoAvailableReaderError, ReaderPluginError
from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_mmreg.gui.shared import pairing, strings
from napari_mmreg.gui.shared.links import Links
from napari_mmreg.gui.shared.modalities import MODALITIES
from napari_mmreg.gui.shared.snapshot import modality_of, set_modality
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo

if TYPE_CHECKING:
    from qtpy.QtGui import QDragEnterEvent, QDropEvent


class ImagePicker(QWidget):
    """One side: layer, *Open…*, modality, and a line about the image; compact: no second row.

    Signals
    -------
    chosen(picker, object)
        The layer that the user chose.
    paths_dropped(picker, list), name_dropped(picker, str), open_clicked(picker)
        Ways to bring another image here.
    """

    chosen = Signal(object, object)
    paths_dropped = Signal(object, list)
    name_dropped = Signal(object, str)
    open_clicked = Signal(object)

    def __init__(self, title: str, tip: str, *, compact: bool = False) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.layers = Combo()
        self.layers.setToolTip(tip)
        self.layers.setPlaceholderText(strings.NO_IMAGE)
        self.open_button = QPushButton(strings.OPEN)
        self.open_button.setToolTip(strings.OPEN_TIP)
        self.modality = Combo.of(MODALITIES, strings.MODALITY_TIP)
        self.modality.setAccessibleName(strings.MODALITY.format(side=title))
        self.about = style.quiet_label()
        layout = style.column(self)
        layout.addLayout(
            style.row(style.field_label(title), self.layers, self.open_button, stretch=1)
        )
        if not compact:
            layout.addLayout(style.row(style.field_label(""), self.modality, self.about, stretch=1))
        self.modality.setMinimumContentsLength(5)
        self.modality.setMaximumWidth(150)
        self.about.setWordWrap(False)
        self.about.setMinimumWidth(90)
        self.layers.activated.connect(self._on_activated)
        self.modality.activated.connect(self._on_modality)
        self.open_button.clicked.connect(self._on_open)

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self.layers.value

    def show_layers(self, layers: list[Any], chosen: Any) -> None:
        """Offer `layers`, with `chosen` chosen."""
        self.layers.set_items([(layer.name, layer) for layer in layers])
        self.layers.select_silently(chosen)
        self.modality.setEnabled(chosen is not None)
        self.modality.select_silently(None if chosen is None else modality_of(chosen))
        self.about.setText("" if chosen is None else describe(chosen))
        self.about.setToolTip("" if chosen is None else str(chosen.dtype))

    def _on_activated(self) -> None:
        self.chosen.emit(self, self.layer)

    def _on_open(self) -> None:
        self.open_clicked.emit(self)

    def _on_modality(self) -> None:
        if self.layer is not None:
            set_modality(self.layer, self.modality.value)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802 - Qt's name
        """Take files, and layers dragged from the layer list."""
        mime = event.mimeData() if event is not None else None
        if event is not None and mime is not None and (mime.hasUrls() or mime.hasText()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802 - Qt's name
        """Open dropped files; choose a dropped layer."""
        mime = event.mimeData() if event is not None else None
        if event is None or mime is None:
            return
        # A copy: the layer list must not believe that its item was moved here.
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        paths = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]
        if paths:
            self.paths_dropped.emit(self, paths)
        else:
            self.name_dropped.emit(self, mime.text())


class ImagePair(QWidget):
    """Both sides, kept in step with the viewer's layers; never the same layer twice.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    compact : bool
        Show the choosers only.

    Signals
    -------
    changed()
        Another pair is chosen.
    failed(str)
        A file could not be opened; the sentence says why.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, viewer: Any, *, compact: bool = False) -> None:
        super().__init__()
        self._viewer = viewer
        self._pair: tuple[Any, Any] = (None, None)
        self._names = Links()
        self._chosen_by_user = False
        self.fixed = ImagePicker(strings.FIXED, strings.FIXED_TIP, compact=compact)
        self.moving = ImagePicker(strings.MOVING, strings.MOVING_TIP, compact=compact)
        self.swap = QPushButton(strings.SWAP)
        self.swap.setToolTip(strings.SWAP_TIP)
        self.hint = style.quiet_label()
        layout = style.column(self)
        layout.addWidget(self.fixed)
        if not compact:
            layout.addLayout(style.row(style.field_label(""), self.swap, self.hint, stretch=2))
        layout.addWidget(self.moving)
        self.swap.clicked.connect(self._on_swap)
        for side in (self.fixed, self.moving):
            side.chosen.connect(self._put)
            side.paths_dropped.connect(self.open_paths)
            side.name_dropped.connect(self._on_name)
            side.open_clicked.connect(self._on_open)
        self._emitters = [
            viewer.layers.events.inserted,
            viewer.layers.events.removed,
            viewer.layers.events.reordered,
        ]
        for emitter in self._emitters:
            emitter.connect(self._on_layers)
        self._on_layers()

    def close_links(self) -> None:
        """Stop following the viewer's layers."""
        for emitter in self._emitters:
            emitter.disconnect(self._on_layers)
        self._names.replace()

    @property
    def pair(self) -> tuple[Any, Any]:
        """The chosen fixed and moving layer; None where none is."""
        return self._pair

    def choose(self, fixed: Any, moving: Any) -> None:
        """Choose both."""
        known = pairing.images(self._viewer.layers)
        self._names.replace((layer.events.name, self._on_layers) for layer in known)
        changed = fixed is not self._pair[0] or moving is not self._pair[1]
        self._pair = (fixed, moving)
        self.fixed.show_layers(known, fixed)
        self.moving.show_layers(known, moving)
        missing = [fixed, moving].count(None)
        self.swap.setEnabled(missing < 2)
        self.hint.setText(("", strings.ONE_IMAGE_HINT, strings.EMPTY_HINT)[missing])
        if changed:
            self.changed.emit()

    def keep(self) -> None:
        """Keep what is chosen when other images come, as if the user had chosen it."""
        self._chosen_by_user = self._pair != (None, None)

    def open_paths(self, side: ImagePicker, paths: list[str]) -> None:
        """Open files with napari's readers and choose the first image on `side`."""
        try:
            opened = self._viewer.open(paths, plugin=None)
        except MultipleReaderError:
            opened = self._viewer.open(paths, plugin="napari")
        except (NoAvailableReaderError, ReaderPluginError, OSError, ValueError) as error:
            self.failed.emit(strings.NOT_OPENED.format(error=error))
            return
        found = [layer for layer in opened if type(layer) is Image]
        if not found:
            self.failed.emit(strings.NO_IMAGE_IN_FILE)
            return
        self._put(side, found[0])
        if len(found) > 1:
            self._put(self.moving if side is self.fixed else self.fixed, found[1])

    def _put(self, side: ImagePicker, layer: Any) -> None:
        """Choose a layer on one side; the other one gives way if it had the same layer."""
        self._chosen_by_user = True
        fixed, moving = self._pair
        if side is self.fixed:
            self.choose(layer, fixed if moving is layer else moving)
        else:
            self.choose(moving if fixed is layer else fixed, layer)

    def _on_layers(self) -> None:
        known = pairing.images(self._viewer.layers)
        fixed, moving = (layer if layer in known else None for layer in self._pair)
        if fixed is None and moving is None:
            self._chosen_by_user = False
        if not self._chosen_by_user:
            fixed, moving = pairing.guess_pair(self._viewer.layers)
        elif fixed is None or moving is None:
            kept = moving if fixed is None else fixed
            rest = [layer for layer in known if layer is not kept]
            other = rest[-1] if rest else None
            fixed, moving = (other, moving) if fixed is None else (fixed, other)
        self.choose(fixed, moving)

    def _on_swap(self) -> None:
        self._chosen_by_user = True
        fixed, moving = self._pair
        self.choose(moving, fixed)

    def _on_name(self, side: ImagePicker, name: str) -> None:
        for layer in pairing.images(self._viewer.layers):
            if layer.name == name:
                self._put(side, layer)
                return

    def _on_open(self, side: ImagePicker) -> None:
        word = strings.FIXED if side is self.fixed else strings.MOVING
        path, _ = QFileDialog.getOpenFileName(self, strings.OPEN_TITLE.format(side=word.lower()))
        if path:
            self.open_paths(side, [path])


def describe(layer: Any) -> str:
    """Return the size of an image in a few words."""
    data = layer.data[0] if layer.multiscale else layer.data
    shape = data.shape[:-1] if layer.rgb else data.shape
    return " × ".join(str(n) for n in shape)
