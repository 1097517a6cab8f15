"""Making a run's layers, finding their place, and changing what its arrows and colours show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.layers import Layer
from napari.utils import Colormap

from napari_mmreg.gui.shared import bundle as bundles
from napari_mmreg.gui.shared.compat import replace_data
from napari_mmreg.gui.shared.layer_spec import LayerSpec
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.motion import ARROWS, MOVING_ROLES, Part
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.slices import Slice, deepened, placed

_LINES = 400
"""Of an outline's width along the longer side of an image."""


def make_layer(spec: LayerSpec, at: Slice | None = None) -> Layer:
    """Make the layer, seen in one slice only if `at` says so; its arrays and limits are there."""
    kwargs = placed(dict(spec.kwargs), at)
    if spec.kind == "vectors" and len(spec.data) == 0:  # nothing to colour by length
        for key in ("features", "edge_color", "edge_contrast_limits"):
            kwargs.pop(key, None)
    if isinstance(kwargs.get("edge_colormap"), tuple):
        kwargs["edge_colormap"] = Colormap(kwargs["edge_colormap"], name="mmreg arrows")
    layer = Layer.create(deepened(spec.data, spec.kind, at), kwargs, spec.kind)
    if at is None and spec.role in bundles.PROBABILITIES:  # it would stay in other slices
        layer.colorbar.visible = True
    if spec.role == bundles.LIMIT:
        layer.contour = -(-max(spec.data.shape) // _LINES)
        layer.opacity = 1.0
        layer.editable = False
    return layer


def place_in(layers: Sequence[Any], record: RunRecord, role: str) -> int:
    """Return where a run's layer belongs: above those that its bundle has below it.

    The comparison lies right above the registered image. The top of the list if there is none.
    """
    order = record.order
    below = {*order[: order.index(role)], bundles.COMPARE}
    places = [0]
    for place, layer in enumerate(layers, start=1):
        own = layer.metadata.get(METADATA_KEY, {})
        if own.get("run") == record.number and own.get("role") in below:
            places.append(place)
    return max(places) or len(layers)


def show_part(record: RunRecord, part: Part) -> None:
    """Let a run's arrows, colours and amount show a part of its motion."""
    if record.part == part or part not in record.bundle.motions:
        return
    record.part = part
    at = record.bundle.snapshot.slice
    for role in MOVING_ROLES:
        spec, layer = record.spec(role), record.layers.get(role)
        if spec is None or layer is None:
            continue
        if role == ARROWS:
            _set_arrows(layer, spec, at)
            continue
        layer.data = deepened(spec.data, spec.kind, at)
        layer.name = spec.kwargs["name"]
        if "contrast_limits" in spec.kwargs:
            layer.contrast_limits = spec.kwargs["contrast_limits"]


def sample_arrows(record: RunRecord, across: int) -> None:
    """Sample a run's arrows anew, about `across` along the longer side."""
    record.arrows = across
    spec, layer = record.spec(ARROWS), record.layers.get(ARROWS)
    if spec is not None and layer is not None:
        _set_arrows(layer, spec, record.bundle.snapshot.slice)


def set_tolerance(record: RunRecord, tolerance: float) -> None:
    """Let a run's map of risk say how likely it is off by more than this, in fixed pixels."""
    record.tolerance = tolerance
    for role in bundles.RISKS:
        spec, layer = record.spec(role), record.layers.get(role)
        if spec is not None and layer is not None:
            replace_data(layer, deepened(spec.data, spec.kind, record.bundle.snapshot.slice))


def _set_arrows(layer: Any, spec: LayerSpec, at: Slice | None) -> None:
    layer.name = spec.kwargs["name"]
    replace_data(layer, deepened(spec.data, spec.kind, at))
    layer.length = spec.kwargs["length"]
    layer.features = spec.kwargs["features"]
    if len(spec.data):
        layer.edge_color = "length"
        layer.edge_contrast_limits = spec.kwargs["edge_contrast_limits"]
