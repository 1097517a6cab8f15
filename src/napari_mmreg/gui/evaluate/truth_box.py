"""What the user knows about a pair: masks and landmarks."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from napari.layers import Points as PointsLayer
from qtpy.QtWidgets import QWidget

from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.evaluate.session import guess_points
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo


class TruthBox(QWidget):
    """Chooses Labels and Points layers.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._points_chosen = False
        self.fixed_labels, self.moving_labels = Combo(), Combo()
        self.fixed_points, self.moving_points = Combo(), Combo()
        layout = style.column(self)
        for text, combo, tip in (
            (texts.FIXED_LABELS, self.fixed_labels, texts.LABELS_TIP),
            (texts.MOVING_LABELS, self.moving_labels, texts.LABELS_TIP),
            (texts.FIXED_POINTS, self.fixed_points, texts.POINTS_TIP),
            (texts.MOVING_POINTS, self.moving_points, texts.POINTS_TIP),
        ):
            combo.setToolTip(tip)
            layout.addLayout(style.row(style.field_label(text, style.WIDE_LABEL), combo))
        for combo in (self.fixed_points, self.moving_points):
            combo.activated.connect(self._on_points)
        self._emitters = [viewer.layers.events.inserted, viewer.layers.events.removed]
        for emitter in self._emitters:
            emitter.connect(self._on_layers)
        self._on_layers()

    def close_links(self) -> None:
        """Stop following the viewer's layers."""
        for emitter in self._emitters:
            emitter.disconnect(self._on_layers)

    @property
    def labels(self) -> tuple[Any, Any]:
        """The chosen Labels layers of the fixed and the moving image, or None."""
        return self.fixed_labels.value, self.moving_labels.value

    @property
    def points(self) -> tuple[Any, Any]:
        """The chosen Points layers of the fixed and the moving image, or None."""
        return self.fixed_points.value, self.moving_points.value

    def _on_points(self) -> None:
        self._points_chosen = True

    def _on_layers(self) -> None:
        for combos, kind in (
            ((self.fixed_labels, self.moving_labels), Labels),
            ((self.fixed_points, self.moving_points), PointsLayer),
        ):
            items: list[tuple[str, Any]] = [(texts.NO_LABELS, None)]
            items += [(la.name, la) for la in self._viewer.layers if isinstance(la, kind)]
            for combo in combos:
                combo.set_items(items)
        if not self._points_chosen:
            guessed = guess_points(self._viewer.layers)
            self.fixed_points.select_silently(guessed[0])
            self.moving_points.select_silently(guessed[1])
