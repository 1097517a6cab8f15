"""The objects of an evaluation as Labels layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.shared.compat import look_at_box
from napari_mmreg.gui.shared.layer_spec import layer_name
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.placement import Placement, part_of

if TYPE_CHECKING:
    from napari_mmreg.evaluation import Evaluation, ObjectScore

STATES = {
    "fixed": texts.FIXED_OBJECTS,
    "before": texts.BEFORE_OBJECTS,
    "after": texts.AFTER_OBJECTS,
    "fused": texts.FUSED_OBJECTS,
}
"""What an evaluation calls the images with objects, and what their layers are called."""

MARGIN = 3.0
"""How many times an object fits into the view when it is looked at."""


class ObjectLayers:
    """The Labels layers of one evaluation, with the same number for the same object.

    Parameters
    ----------
    viewer : napari.components.ViewerModel

    Attributes
    ----------
    number : int or None
        What stands in the layers' names; None before the first evaluation.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layers: list[tuple[Any, Any]] = []
        self._placement: Placement | None = None
        self._stride = 1
        self._shape = (1, 1)
        self.number: int | None = None

    def show(
        self, evaluation: Evaluation, placement: Placement, number: int, keep: Sequence[Any] = ()
    ) -> list[Any]:
        """Add the objects of an evaluation; the layers of the one before go.

        Layers that somebody painted on, or that are in `keep`, stay.
        """
        for layer, data in self._layers:
            painted = not np.array_equal(layer.data, data)
            if layer in self._viewer.layers and not painted and layer not in keep:
                self._viewer.layers.remove(layer)
        self.forget()
        self._placement, self._stride = placement, evaluation.grid.stride
        self._shape = evaluation.grid.shape
        self.number = number
        found = evaluation.objects
        if found is None:
            return []
        selected = set(self._viewer.layers.selection)
        for state, role in STATES.items():
            if state not in found.masks:
                continue
            data = found.labels(state, evaluation.grid.shape)
            layer = Labels(
                data,
                name=layer_name(number, role),
                opacity=0.55,
                visible=state in ("fixed", "after"),
                metadata={METADATA_KEY: {"run": number, "role": role}},
                features=_features(found.scores.get(state, ())),
                **part_of(placement, (0, 0), self._stride),
            )
            if state == "fixed":
                layer.contour = 2
            self._viewer.layers.append(layer)
            self._layers.append((layer, data.copy()))
        self._viewer.layers.selection = {s for s in selected if s in self._viewer.layers}
        return [layer for layer, _ in self._layers]

    def look_at(self, score: ObjectScore) -> None:
        """Zoom to an object and select its label."""
        if self._placement is None:
            return
        box = np.array(score.box)
        # What was found may reach across the whole image: never zoom out farther than that.
        room = float((np.array(self._shape) / np.maximum(box[2:] - box[:2], 1)).min())
        look_at_box(self._viewer, self._placement, box * self._stride, min(max(room, 1.0), MARGIN))
        for layer, _ in self._layers:
            if layer in self._viewer.layers:
                layer.selected_label = score.id

    def forget(self) -> None:
        """Let go of the layers; they stay in the viewer."""
        self._layers.clear()


def _features(scores: Sequence[ObjectScore]) -> dict[str, list[Any]]:
    """Return what napari shows when the cursor is on an object; row 0 is the background."""
    if not scores:
        return {}
    return {
        "index": [0, *(s.id for s in scores)],
        "IoU": [np.nan, *(round(s.iou, 3) for s in scores)],
        "boundary F": [np.nan, *(round(s.boundary_f, 3) for s in scores)],
    }
