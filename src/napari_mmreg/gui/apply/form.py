"""The form of the dock, of magicgui's widgets: what is applied, to which layers, and how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, Select
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QListWidget, QWidget

from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.apply.carrying import Way
from napari_mmreg.gui.apply.registration import Registration, of_file, of_layer, of_run
from napari_mmreg.gui.shared.carried import transform_of
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform

FROM_FILE = "file"

_LIST_HEIGHT = 132


class ApplyForm(QObject):
    """The choices, kept up to date by `show_registrations` and `show_layers`.

    Signals
    -------
    changed()
        The user chose something else.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.registration = _combo(texts.REGISTRATION, texts.REGISTRATION_TIP)
        self.file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE,
            filter=texts.FILE_FILTER,
            label=texts.FILE,
            tooltip=texts.FILE_TIP,
        )
        self.fixed = _combo(texts.FIXED, texts.SIDE_TIP.format(side="fixed"))
        self.moving = _combo(texts.MOVING, texts.SIDE_TIP.format(side="moving"))
        self.matrix = _combo(texts.MATRIX, texts.MATRIX_TIP, texts.MATRIX_ORDERS)
        self.layers = Select(choices=[], label=texts.LAYERS, tooltip=texts.LAYERS_TIP)
        self.direction = _combo(texts.DIRECTION, texts.DIRECTION_TIP, texts.DIRECTIONS)
        self.grid = _combo(texts.GRID, texts.GRID_TIP, texts.GRIDS)
        self.order = _combo(texts.INTERPOLATION, texts.INTERPOLATION_TIP, texts.INTERPOLATIONS)
        self._container = Container(
            widgets=[
                self.registration,
                self.file,
                self.fixed,
                self.moving,
                self.matrix,
                self.layers,
                self.direction,
                self.grid,
                self.order,
            ]
        )
        self._container.margins = (0, 0, 0, 0)
        names: QListWidget = self.layers.native
        names.setFixedHeight(_LIST_HEIGHT)
        names.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        names.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for combo in (self.registration, self.fixed, self.moving, self.matrix, self.grid):
            narrow(combo)
        for label in self._container.native.findChildren(QLabel):
            # magicgui measures them without napari's font
            label.setFixedWidth(style.LABEL_WIDTH)
        self._container.changed.connect(self._on_changed)
        self.show_registrations([], [])

    @property
    def widget(self) -> QWidget:
        """The form, for a dock."""
        native: QWidget = self._container.native
        return native

    # What there is

    def show_registrations(self, runs: Sequence[RunRecord], carriers: Sequence[Any]) -> None:
        """Offer runs, layers that carry a transform, and a file; what is new is chosen."""
        known = self.registration.choices
        new = [each for each in (*runs, *carriers) if each not in known]
        choices = [
            *((run.title, run) for run in runs),
            *((layer.name, layer) for layer in carriers),
            (texts.FROM_FILE, FROM_FILE),
        ]
        with self._container.changed.blocked():
            _offer(self.registration, choices, new[0] if new else self.registration.value)
        self._on_changed()

    def show_layers(self, layers: Sequence[Any], images: Sequence[Any]) -> None:
        """Offer layers; what was chosen stays chosen."""
        chosen = self.chosen_layers
        with self._container.changed.blocked():
            self.layers.choices = []
            self.layers.choices = [(layer.name, layer) for layer in layers]
            self.layers.value = [layer for layer in layers if layer in chosen]
            for combo in (self.fixed, self.moving):
                _offer(combo, [(layer.name, layer) for layer in images], combo.value)
        self._on_changed()

    def choose_sides(self, fixed: Any, moving: Any) -> None:
        """Choose the two images that a file is between."""
        for combo, layer in ((self.fixed, fixed), (self.moving, moving)):
            if layer is not None and layer in combo.choices:
                combo.value = layer

    def choose_layers(self, layers: Sequence[Any]) -> None:
        """Choose the layers to carry, of those that are offered."""
        self.layers.value = [layer for layer in self.layers.choices if layer in layers]

    # What is chosen

    @property
    def chosen_layers(self) -> list[Any]:
        """The layers to carry, in the order of the list."""
        chosen = self.layers.value or ()
        return [layer for layer in self.layers.choices if layer in chosen]

    @property
    def run(self) -> RunRecord | None:
        """The run that is chosen."""
        value = self.registration.value
        return value if isinstance(value, RunRecord) else None

    @property
    def carrier(self) -> Any:
        """The layer whose transform is chosen; None if it is another one's."""
        value = self.registration.value
        return None if value is None or self.run is not None or self.from_file else value

    @property
    def transform(self) -> Transform | None:
        """The transform that is chosen; None if it has to be read."""
        if self.run is not None:
            return self.run.bundle.result.transform
        return None if self.carrier is None else transform_of(self.carrier.metadata)

    @property
    def from_file(self) -> bool:
        """Whether a file is to be read."""
        return bool(self.registration.value == FROM_FILE)

    @property
    def path(self) -> Path | None:
        """The file, where one is chosen."""
        value = self.file.value
        return value if isinstance(value, Path) and value.name else None

    def chosen_registration(self) -> Registration:
        """Return what is to be applied.

        Raises
        ------
        InputError
            If something is missing.
        """
        if self.run is not None:
            return of_run(self.run)
        if self.carrier is not None:
            return of_layer(self.carrier, self.fixed.value, self.moving.value)
        return of_file(self.path or Path(), self.fixed.value, self.moving.value, self.matrix.value)

    @property
    def way(self) -> Way:
        """How layers are carried."""
        return Way(self.direction.value, self.grid.value == "own", self.order.value)

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        named = not self.from_file or self.path is not None
        return named and bool(self.chosen_layers)

    def _on_changed(self) -> None:
        for part in (self.file, self.matrix):
            part.visible = self.from_file
        for part in (self.fixed, self.moving):
            part.visible = self.run is None
        self.changed.emit()

    def close(self) -> None:
        """Let go of the layers and runs."""
        self._container.changed.disconnect()
        for part in (self.layers, self.fixed, self.moving, self.registration):
            part.choices = []


def _combo(label: str, tip: str, choices: dict[str, Any] | None = None) -> ComboBox:
    return ComboBox(choices=list((choices or {}).items()), label=label, tooltip=tip)


def _offer(combo: ComboBox, choices: list[tuple[str, Any]], chosen: Any) -> None:
    """Replace the choices; cleared first, or Qt would append what is new."""
    combo.choices = []
    combo.choices = choices
    if any(value is chosen or value == chosen for _, value in choices):
        combo.value = chosen


def narrow(combo: ComboBox) -> None:
    """Let long names be cut rather than widen the dock."""
    native: QComboBox = combo.native
    native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    native.setMinimumContentsLength(8)
