"""The form of the dock, of magicgui's widgets: which pairs, how, and where to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, FileEdit, SpinBox
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_mmreg.batch import BatchParameters, ImagePair, match_folders, read_table
from napari_mmreg.gui.batch import strings as texts
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from napari_mmreg.models import ModelInfo


class BatchForm(QObject):
    """The choices.

    Parameters
    ----------
    models : sequence of ModelInfo
        What is offered after *Auto*.

    Signals
    -------
    pairs_changed(), changed()
        The user chose other pairs, or anything else.
    """

    pairs_changed = Signal()
    changed = Signal()

    def __init__(self, models: Sequence[ModelInfo]) -> None:
        super().__init__()
        self.source = ComboBox(
            choices=list(texts.SOURCES.items()), label=texts.SOURCE, tooltip=texts.SOURCE_TIP
        )
        self.table = _file("r", texts.TABLE, texts.TABLE_TIP, texts.TABLE_FILTER)
        self.patterns = {
            side: _file("d", label, texts.PATTERN_TIP) for side, label in texts.PATTERN.items()
        }
        self.model = ComboBox(
            choices=[(texts.AUTO, "auto"), *((info.title, info.name) for info in models)],
            label=texts.MODEL,
            tooltip=texts.MODEL_TIP,
        )
        self.preset = _file("r", texts.PRESET, texts.PRESET_TIP, texts.PRESET_FILTER)
        self.workers = SpinBox(
            value=1,
            min=1,
            max=max(os.cpu_count() or 1, 2),
            label=texts.WORKERS,
            tooltip=texts.WORKERS_TIP,
        )
        self.output = _file("d", texts.OUTPUT, texts.OUTPUT_TIP)
        sources = [self.source, self.table, *self.patterns.values()]
        self._pairs = _container(sources)
        self._settings = _container([self.model, self.preset, self.workers, self.output])
        self._pairs.changed.connect(self._on_pairs)
        self._settings.changed.connect(self._on_settings)
        self.preset.changed.connect(self._on_preset)
        self._on_pairs()

    @property
    def widgets(self) -> tuple[QWidget, QWidget]:
        """The two parts of the form, for a dock: pairs and settings."""
        return self._pairs.native, self._settings.native

    def find_pairs(self) -> tuple[tuple[ImagePair, ...], tuple[int, int]]:
        """Return the pairs that are chosen, and how many images of each side have no partner.

        Raises
        ------
        InputError, MissingExtraError
            If the table or the patterns cannot be used.
        """
        if self.source.value == "table":
            table = path_of(self.table)
            return (read_table(table), (0, 0)) if table else ((), (0, 0))
        patterns = [path_of(edit) for edit in self.patterns.values()]
        if not patterns[0] or not patterns[1]:
            return (), (0, 0)
        matched = match_folders(patterns[0], patterns[1])
        return matched.pairs, (len(matched.fixed_only), len(matched.moving_only))

    def parameters(self) -> BatchParameters:
        """Return how pairs are to be registered.

        Raises
        ------
        InputError
            If the preset cannot be read.
        """
        from dataclasses import replace

        preset = path_of(self.preset)
        parameters = BatchParameters.load(preset) if preset else BatchParameters()
        return replace(parameters, model=self.model.value)

    def _on_pairs(self) -> None:
        from_table = self.source.value == "table"
        self.table.visible = from_table
        for edit in self.patterns.values():
            edit.visible = not from_table
        self.pairs_changed.emit()

    def _on_settings(self) -> None:
        self.changed.emit()  # psygnal cannot call Qt's signal itself

    def _on_preset(self) -> None:
        """Show the model of a preset; what is wrong with it is shown when it is used."""
        from napari_mmreg.errors import RegistrationError

        preset = path_of(self.preset)
        if preset is None:
            return
        try:
            self.model.value = BatchParameters.load(preset).model
        except RegistrationError:
            return


def path_of(edit: FileEdit) -> Path | None:
    """Return the path that is entered, if there is one."""
    value: Any = edit.value
    return value if isinstance(value, Path) and str(value) not in ("", ".") else None


def _file(mode: Any, label: str, tip: str, kinds: str | None = None) -> FileEdit:
    edit = FileEdit(mode=mode, filter=kinds, label=label, tooltip=tip)
    edit.choose_btn.text = texts.BROWSE  # magicgui's own words leave no room for the path
    return edit


def _container(widgets: list[Any]) -> Container[Any]:
    container: Container[Any] = Container(widgets=widgets)
    container.margins = (0, 0, 0, 0)
    for label in container.native.findChildren(QLabel):
        label.setFixedWidth(style.LABEL_WIDTH)  # magicgui measures without napari's font
    return container
