"""*Layers > Register > Split bidirectional scan*: an interlaced image as two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.scanlines import LINES
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.placement import part_of, place
from napari_mmreg.imaging.interlaced import split_scan

if TYPE_CHECKING:
    from napari.types import LayerData

NAMES = ("forward", "backward")
COLOURS = ("green", "magenta")

NO_VIEWER = "Open an image first."
NO_IMAGE = "Select one two-dimensional image layer, then split it."


def split_selected() -> None:
    """Split the selected image of the current viewer; it stays, hidden.

    Raises
    ------
    InputError
        If there is no such image; napari shows the sentence.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise InputError(NO_VIEWER)
    layer = viewer.layers.selection.active
    parts = split_layer(layer)
    layer.visible = False
    for data, kwargs, _ in parts:
        viewer.add_image(data, **kwargs)


def split_layer(layer: Any) -> list[LayerData]:
    """Return the two directions of an image layer, forward first, where they lie in the world.

    Raises
    ------
    InputError
        If it is no image layer of two axes.
    """
    from napari.layers import Image

    if not isinstance(layer, Image) or layer.ndim != 2 or layer.multiscale:
        raise InputError(NO_IMAGE)
    placement = place(layer)
    about = dict(layer.metadata.get(METADATA_KEY) or {})
    layers: list[LayerData] = []
    for direction, data in enumerate(split_scan(np.asarray(layer.data))):
        kwargs: dict[str, Any] = {
            **part_of(placement, (direction, 0), LINES),
            "name": f"{NAMES[direction]}: {layer.name}",
            "metadata": {METADATA_KEY: {**about, "direction": direction, "scan": layer.name}},
            "rgb": layer.rgb,
        }
        if not layer.rgb:
            kwargs.update(colormap=COLOURS[direction], contrast_limits=layer.contrast_limits)
        if direction and not layer.rgb:
            kwargs["blending"] = "additive"
        layers.append((data, kwargs, "image"))
    return layers
