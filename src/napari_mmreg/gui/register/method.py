"""Which model, on which device, and the advanced settings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent, QStandardItemModel
from qtpy.QtWidgets import QCheckBox, QSpinBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_mmreg.fusion import list_fusions
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.fused import NO_FUSION
from napari_mmreg.gui.shared.memory import recall, remember
from napari_mmreg.gui.shared.settings import Defaults
from napari_mmreg.gui.shared.snapshot import RunSettings, Start
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo
from napari_mmreg.models.registry import AUTO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mmreg.models import ModelInfo

_MEMORY = "methods"


class MethodBox(QWidget):
    """Model, device, refinement and fusion.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, models: Sequence[ModelInfo], defaults: Defaults) -> None:
        super().__init__()
        self._by_hand = False
        self._purposes = {"auto": strings.AUTO_PURPOSE} | {m.name: m.purpose for m in models}
        self._proposed = NO_FUSION
        self._fusions = {m.name: m.fusion for m in models if m.fusion}
        names = {"auto": strings.AUTO_MODEL} | {m.name: m.title for m in models}
        self.model = Combo.of(names, strings.MODEL_TIP)
        self.model.select(defaults.model)
        self.purpose = style.quiet_label()
        self.budget = Combo.of(strings.BUDGETS, strings.BUDGET_TIP)
        self.budget.setMinimumContentsLength(5)
        self.budget.select(defaults.budget)
        self.budget.setAccessibleName(strings.BUDGET)
        self.device = Combo.of(strings.DEVICES, strings.DEVICE_TIP)
        self.device.select(defaults.device)
        self.refine = QCheckBox(strings.REFINE)
        self.refine.setToolTip(strings.REFINE_TIP)
        self.refine.setChecked(defaults.refine)
        self.fusion = Combo.of(
            {NO_FUSION: strings.NO_FUSION} | {f.name: f.title for f in list_fusions()},
            strings.FUSE_TIP,
        )
        self.fusion.setMinimumContentsLength(8)
        self.fusion.select(defaults.fusion)
        self.correct = QCheckBox(strings.CORRECT)
        self.correct.setToolTip(strings.CORRECT_TIP)
        layout = style.column(self)
        layout.addLayout(
            style.row(style.field_label(strings.MODEL), self.model, self.budget, stretch=1)
        )
        layout.addLayout(style.row(style.field_label(""), self.purpose))
        layout.addLayout(
            style.row(style.field_label(strings.DEVICE), self.device, self.refine, stretch=1)
        )
        layout.addLayout(
            style.row(style.field_label(strings.FUSE), self.fusion, self.correct, stretch=1)
        )
        self.model.currentIndexChanged.connect(self._on_model)
        self.fusion.currentIndexChanged.connect(self._on_fusion)
        for combo in (self.model, self.budget, self.fusion):
            combo.activated.connect(self._on_user)
        self.refine.clicked.connect(self._on_user)
        self._on_fusion()
        self._on_model()

    def keep(self, modalities: tuple[str, str]) -> None:
        """Remember what is chosen for a pair of modalities."""
        self._by_hand = False
        chosen = {
            "model": self.model.value,
            "budget": self.budget.value,
            "fusion": self.fusion.value,
            "refine": self.refine.isChecked(),
        }
        remember(_MEMORY, {**recall(_MEMORY, {}), _key(modalities): chosen})

    def bring_back(self, modalities: tuple[str, str]) -> None:
        """Choose what was last used for a pair of modalities, unless the user just chose."""
        known = recall(_MEMORY, {}).get(_key(modalities))
        if self._by_hand or not isinstance(known, dict):
            return
        for combo, name in (
            (self.model, "model"),
            (self.budget, "budget"),
            (self.fusion, "fusion"),
        ):
            combo.select(known.get(name))
        self.refine.setChecked(known.get("refine") is not False)

    def _on_user(self) -> None:
        self._by_hand = True

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """Look whether there is a GPU, if torch is loaded by now."""
        self.check_devices()
        super().showEvent(event)

    def check_devices(self) -> None:
        """Grey out CUDA where torch, once a run has loaded it, finds none."""
        torch: Any = sys.modules.get("torch")
        items = self.device.model()
        if torch is None or not isinstance(items, QStandardItemModel):
            return
        item = items.item(self.device.values.index("cuda"))
        if item is not None:
            there = bool(torch.cuda.is_available())
            item.setEnabled(there)
            item.setToolTip("" if there else strings.NO_CUDA)

    def _on_model(self) -> None:
        self.purpose.setText(self._purposes.get(self.model.value, ""))
        self.budget.setVisible(self.model.value == AUTO)
        self._propose_fusion(self._fusions.get(self.model.value, NO_FUSION))

    def _on_fusion(self) -> None:
        """There is something to correct only where something is fused."""
        self.correct.setEnabled(self.fusion.value != NO_FUSION)

    def _propose_fusion(self, own: str) -> None:
        """Choose the fusion that belongs to the model, unless the user has chosen one."""
        if self.fusion.value == self._proposed:
            self.fusion.select(own)
            self._proposed = own
        self.changed.emit()


class AdvancedBox(QCollapsible):
    """Seed and threads; folded away at first."""

    def __init__(self, defaults: Defaults) -> None:
        super().__init__(
            strings.ADVANCED,
            expandedIcon=style.chevron(down=True),
            collapsedIcon=style.chevron(down=False),
        )
        if (outer := self.layout()) is not None:
            outer.setContentsMargins(0, 0, 0, 0)
        self.toggleButton().setStyleSheet(style.FOLD)
        self.toggleButton().setToolTip(strings.ADVANCED_TIP)
        self.seed = _spin(0, 999_999, 0, strings.SEED_TIP)
        self.threads = _spin(0, 256, defaults.threads, strings.THREADS_TIP)
        self.threads.setSpecialValueText(strings.AUTOMATIC)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(0, 2, 0, 4)
        layout.setSpacing(style.GAP)
        for text, control in (
            (strings.SEED, self.seed),
            (strings.THREADS, self.threads),
        ):
            layout.addLayout(style.row(style.field_label(text), control))
        self.addWidget(inner)
        self.collapse(animate=False)


def collect(method: MethodBox, advanced: AdvancedBox, start: Start, arrows: int) -> RunSettings:
    """Return what both boxes are set to, with a start and the number of arrows."""
    return RunSettings(
        model=method.model.value,
        budget=method.budget.value,
        device=method.device.value,
        refine=method.refine.isChecked(),
        seed=advanced.seed.value(),
        start=start,
        arrows=arrows,
        threads=advanced.threads.value(),
        fusion=method.fusion.value,
        correct_fusion=method.correct.isEnabled() and method.correct.isChecked(),
    )


def _key(modalities: tuple[str, str]) -> str:
    return " | ".join(modalities)


def _spin(low: int, high: int, value: int, tip: str) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(low, high)
    spin.setValue(value)
    spin.setToolTip(tip)
    return spin
