"""What a transform file does not say: a small window that asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QWidget

from napari_mmreg.geometry.files import FileOptions, MatrixOrder
from napari_mmreg.geometry.units import convert_spacing
from napari_mmreg.gui.transforms import strings
from napari_mmreg.gui.transforms.reader import options_for

if TYPE_CHECKING:
    from napari_mmreg.gui.shared.snapshot import Picture


class Questions(QDialog):
    """Ask which images a transform belongs to, and how its numbers are to be read.

    Parameters
    ----------
    name : str
        Of the file.
    pictures : sequence of Picture
        To choose among; the lowest one is proposed as fixed, the next one as moving.
    matrix : bool
        Whether it is a plain matrix, which has an order but no lengths.
    parent : QWidget, optional
    """

    def __init__(
        self,
        name: str,
        pictures: Sequence[Picture],
        *,
        matrix: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(strings.QUESTIONS_TITLE.format(name=name))
        self._pictures = list(pictures)
        names = [strings.NO_IMAGE, *(picture.name for picture in pictures)]
        self.fixed = _combo(names, strings.FIXED_TIP)
        self.moving = _combo(names, strings.MOVING_TIP)
        self.unit = _combo([strings.SAME_UNIT, *strings.UNITS], strings.UNIT_TIP)
        self.order = _combo([strings.AS_STATED, *strings.ORDERS.values()], strings.ORDER_TIP)
        self.fixed.setCurrentIndex(min(1, len(pictures)))
        self.moving.setCurrentIndex(min(2, len(pictures)))
        form = QFormLayout(self)
        form.addRow(strings.FIXED, self.fixed)
        if matrix:
            form.addRow(strings.ORDER, self.order)
        else:
            form.addRow(strings.MOVING, self.moving)
            form.addRow(strings.UNIT, self.unit)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    @property
    def picture(self) -> Picture | None:
        """The fixed image; None if the user chose none."""
        return self._chosen(self.fixed)

    def options(self) -> FileOptions:
        """Return the answers.

        Raises
        ------
        InputError
            If the images are measured in units that do not belong together.
        """
        options = options_for(self.picture, self._chosen(self.moving))
        unit = None if self.unit.currentIndex() == 0 else self.unit.currentText()
        if unit is not None and options.fixed_spacing is not None:
            moving = options.moving_spacing
            options = replace(
                options,
                fixed_spacing=convert_spacing(options.fixed_spacing, options.unit, unit),
                moving_spacing=moving and convert_spacing(moving, options.unit, unit),
                unit=unit,
            )
        orders: tuple[MatrixOrder | None, ...] = (None, "xy", "rowcol")
        order = orders[self.order.currentIndex()]
        return replace(options, matrix_order=order)

    def _chosen(self, combo: QComboBox) -> Picture | None:
        index = combo.currentIndex()
        return self._pictures[index - 1] if index > 0 else None


def _combo(names: Sequence[str], tip: str) -> QComboBox:
    combo = QComboBox()
    combo.addItems(list(names))
    combo.setToolTip(tip)
    return combo
