"""The form of the dock, of magicgui's widgets: along which axis, in which way, with which model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, Container
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_mmreg.gui.apply.form import narrow
from napari_mmreg.gui.series import strings as texts
from napari_mmreg.gui.series.request import SeriesSettings
from napari_mmreg.gui.shared.settings import Defaults
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from napari_mmreg.models import ModelInfo


class SeriesForm(QObject):
    """The choices.

    Parameters
    ----------
    models : sequence of ModelInfo
        What is offered after *Auto*.
    defaults : Defaults
        Device and threads, from napari's preferences.

    Signals
    -------
    changed()
        The user chose something else.
    """

    changed = Signal()

    def __init__(self, models: Sequence[ModelInfo], defaults: Defaults) -> None:
        super().__init__()
        self._defaults = defaults
        self.axis = ComboBox(choices=[], label=texts.AXIS, tooltip=texts.AXIS_TIP)
        self.way = _combo(texts.WAY, texts.WAY_TIP, texts.WAYS)
        self.estimate = _combo(texts.ESTIMATE, texts.ESTIMATE_TIP, texts.ESTIMATES)
        self.smoothing = _combo(texts.SMOOTHING, texts.SMOOTHING_TIP, texts.SMOOTHINGS)
        self.model = ComboBox(
            choices=[(texts.AUTO, "auto"), *((info.title, info.name) for info in models)],
            label=texts.MODEL,
            tooltip=texts.MODEL_TIP,
        )
        self.refine = CheckBox(value=True, text=texts.REFINE, label="", tooltip=texts.REFINE_TIP)
        self._container: Container[Any] = Container(
            widgets=[
                self.axis,
                self.way,
                self.estimate,
                self.smoothing,
                self.model,
                self.refine,
            ]
        )
        self._container.margins = (0, 0, 0, 0)
        for combo in (self.axis, self.way, self.estimate, self.model):
            narrow(combo)
        for label in self._container.native.findChildren(QLabel):
            # magicgui measures them without napari's font
            label.setFixedWidth(style.LABEL_WIDTH)
        self._container.changed.connect(self._on_changed)
        self._on_changed()

    @property
    def widget(self) -> QWidget:
        """The form, for a dock."""
        native: QWidget = self._container.native
        return native

    def show_axes(self, axes: Sequence[tuple[str, int]]) -> None:
        """Offer axes; what was chosen stays chosen if it is still there."""
        former = self.axis.value
        with self._container.changed.blocked():
            self.axis.choices = []  # cleared first, or Qt would append what is new
            self.axis.choices = list(axes)
            if former in [axis for _, axis in axes]:
                self.axis.value = former
        self._on_changed()

    @property
    def settings(self) -> SeriesSettings:
        """What is chosen, but for the layers and the axis."""
        return SeriesSettings(
            way=self.way.value,
            estimate_on=self.estimate.value if self.way.value == "once" else "best",
            smoothing=self.smoothing.value,
            model=self.model.value,
            refine=self.refine.value,
            device=self._defaults.device,
            threads=self._defaults.threads,
        )

    def _on_changed(self) -> None:
        self.estimate.visible = self.way.value == "once"
        self.smoothing.visible = self.way.value == "follow"
        self.changed.emit()  # psygnal cannot call Qt's signal itself


def _combo(label: str, tip: str, choices: dict[str, Any]) -> ComboBox:
    return ComboBox(choices=list(choices.items()), label=label, tooltip=tip)
