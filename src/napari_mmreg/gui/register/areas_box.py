"""What may be used of the images: masks and a region, chosen or drawn on the canvas."""

from __future__ import annotations

from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import pairing, strings
from napari_mmreg.gui.shared.links import Links
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo
from napari_mmreg.gui.shared.widgets.images import ImagePair


class AreasBox(QWidget):
    """A mask for each image and a region of the fixed one; one click begins to draw each.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    session : Session
    images : ImagePair
        What is drawn on.

    Signals
    -------
    changed()
        Something else may be chosen.
    drawing(str)
        What the user has to do now.
    failed(str)
        Why nothing can be drawn.
    """

    changed = Signal()
    drawing = Signal(str)
    failed = Signal(str)

    def __init__(self, viewer: Any, session: Session, images: ImagePair) -> None:
        super().__init__()
        self._viewer, self._session, self._images = viewer, session, images
        self.fixed_mask, self.moving_mask, self.region = Combo(), Combo(), Combo()
        self.draw_fixed = _button(strings.DRAW_FIXED_TIP)
        self.draw_moving = _button(strings.DRAW_MOVING_TIP)
        self.draw_region = _button(strings.DRAW_REGION_TIP)
        layout = style.column(self)
        for text, tip, combo, button in (
            (strings.FIXED_MASK, strings.MASK_TIP, self.fixed_mask, self.draw_fixed),
            (strings.MOVING_MASK, strings.MASK_TIP, self.moving_mask, self.draw_moving),
            (strings.REGION, strings.REGION_TIP, self.region, self.draw_region),
        ):
            combo.setToolTip(tip)
            button.setAccessibleName(f"{strings.DRAW}: {text}")
            layout.addLayout(style.row(style.field_label(text), combo, button, stretch=1))
        self.draw_fixed.clicked.connect(self.paint_fixed)
        self.draw_moving.clicked.connect(self._paint_moving)
        self.draw_region.clicked.connect(self._draw_region)
        self._names = Links()
        for combo in (self.fixed_mask, self.moving_mask, self.region):
            combo.currentIndexChanged.connect(self.changed)
        self._drawn: WeakKeyDictionary[Any, ReferenceType[Any]] = WeakKeyDictionary()
        self._pair = images.pair
        images.changed.connect(self._on_pair)
        self._emitters = [viewer.layers.events.inserted, viewer.layers.events.removed]
        for emitter in self._emitters:
            emitter.connect(self._on_layers)
        self._on_layers()

    def close_links(self) -> None:
        """Stop following the viewer's layers."""
        for emitter in self._emitters:
            emitter.disconnect(self._on_layers)
        self._names.replace()

    def paint_fixed(self) -> None:
        """Begin a mask on the fixed image."""
        self._paint(self._images.pair[0], self.fixed_mask)

    def _paint_moving(self) -> None:
        self._paint(self._images.pair[1], self.moving_mask)

    @property
    def own_mask_of_moving(self) -> Any:
        """The moving image's mask; None if there is none, or it is the fixed image's as well."""
        mask = self.moving_mask.value
        return None if mask is self.fixed_mask.value else mask

    @property
    def used(self) -> list[str]:
        """What is chosen, in a word each."""
        masked = self.fixed_mask.value is not None or self.moving_mask.value is not None
        words = {strings.SIDE_MASK: masked, strings.SIDE_REGION: self.region.value is not None}
        return [word for word, true in words.items() if true]

    def _paint(self, image: Any, combo: Combo) -> None:
        """Go on with the chosen mask, or begin one."""
        if image is None:
            self.failed.emit(strings.NEED_TWO)
            return
        self.drawing.emit(strings.PAINT)
        if combo.value is not None:
            self._session.paint_on(combo.value)
        else:
            self._choose_drawn(combo, self._session.new_mask(image), image)

    def _draw_region(self) -> None:
        fixed, _ = self._images.pair
        if fixed is None:
            self.failed.emit(strings.NEED_TWO)
            return
        self.drawing.emit(strings.DRAW_REGION)
        if self.region.value is not None:
            self._session.draw_on(self.region.value)
        else:
            self._choose_drawn(self.region, self._session.new_region(fixed), fixed)

    def _choose_drawn(self, combo: Combo, layer: Any, image: Any) -> None:
        self._drawn[layer] = ref(image)
        combo.select(layer)

    def _on_pair(self) -> None:
        """Let masks change sides with the images; what was drawn here is of its image only."""
        former, self._pair = self._pair, self._images.pair
        fixed, moving = self._pair
        if former == (moving, fixed):
            masks = self.moving_mask.value, self.fixed_mask.value
            self.fixed_mask.select(masks[0])
            self.moving_mask.select(masks[1])
        for combo, image in (
            (self.fixed_mask, fixed),
            (self.moving_mask, moving),
            (self.region, fixed),
        ):
            if combo.value in self._drawn and self._drawn[combo.value]() is not image:
                combo.select(None)

    def _on_layers(self) -> None:
        layers = self._viewer.layers
        masks, regions = pairing.masks(layers), pairing.regions(layers)
        self._names.replace((layer.events.name, self._on_layers) for layer in (*masks, *regions))
        none: list[tuple[str, Any]] = [(strings.NO_MASK, None)]
        for combo in (self.fixed_mask, self.moving_mask):
            combo.set_items([*none, *((layer.name, layer) for layer in masks)])
        whole: list[tuple[str, Any]] = [(strings.NO_REGION, None)]
        self.region.set_items([*whole, *((layer.name, layer) for layer in regions)])
        self.changed.emit()


def _button(tip: str) -> QPushButton:
    button = QPushButton(strings.DRAW)
    button.setToolTip(tip)
    return button
