"""The runs of a viewer: adding a run's layers, finding them again, removing them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.layers import Layer
from napari.utils import Colormap
from napari.utils.events import EmitterGroup, Event

from napari_mmreg.gui.shared import bundle as bundles
from napari_mmreg.gui.shared import fields, strings
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.compat import replace_data
from napari_mmreg.gui.shared.layer_spec import LayerSpec
from napari_mmreg.gui.shared.matches import link_matches
from napari_mmreg.gui.shared.modalities import METADATA_KEY


@dataclass(eq=False)
class RunRecord:
    """A finished run and its layers, by role."""

    bundle: Bundle
    layers: dict[str, Any] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The number in front of its layers' names."""
        return self.bundle.snapshot.run

    @property
    def title(self) -> str:
        """What the run is called in the dock."""
        snapshot = self.bundle.snapshot
        return strings.RUN_TITLE.format(
            run=self.number,
            moving=snapshot.moving.name,
            fixed=snapshot.fixed.name,
            model=self.bundle.result.model,
        )


_shared: dict[int, RunBook] = {}
"""The books that docks use, by the viewer's identity; see `RunBook.of`."""


class RunBook:
    """All runs of one viewer, newest last.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._runs: dict[int, RunRecord] = {}
        self._users = 1
        self.events = EmitterGroup(source=self, changed=Event)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @classmethod
    def of(cls, viewer: Any) -> RunBook:
        """Return the book that all docks of a viewer share; every user must `close` it."""
        book = _shared.get(id(viewer))
        if book is None:
            book = _shared[id(viewer)] = cls(viewer)
        else:
            book._users += 1
        return book

    def close(self) -> None:
        """Let go of the book; the last user lets go of the viewer, and the layers stay."""
        self._users -= 1
        if self._users:
            return
        if _shared.get(id(self._viewer)) is self:
            del _shared[id(self._viewer)]
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._runs.clear()

    @property
    def runs(self) -> list[RunRecord]:
        """Runs that still have layers, oldest first."""
        return [self._runs[number] for number in sorted(self._runs)]

    def get(self, number: int) -> RunRecord | None:
        """Return a run by its number."""
        return self._runs.get(number)

    def next_number(self) -> int:
        """Return a number that no layer's name carries yet."""
        taken = [0, *self._runs]
        for layer in self._viewer.layers:
            match = re.match(r"\[(\d+)\] ", layer.name)
            if match:
                taken.append(int(match.group(1)))
        return max(taken) + 1

    def add(self, bundle: Bundle) -> Iterator[Layer]:
        """Add a run's layers one by one, so that the GUI breathes between them."""
        record = RunRecord(bundle)
        self._runs[record.number] = record
        for spec in bundle.layers:
            layer = make_layer(spec)
            record.layers[spec.role] = layer
            self._viewer.layers.append(layer)
            yield layer
        link_matches(self._viewer, record.layers)
        self.events.changed()

    def add_layers(
        self, number: int, specs: Sequence[LayerSpec], instead: Iterable[str]
    ) -> Iterator[Layer]:
        """Add layers above what a run shows of its result, instead of those of some roles."""
        record = self._runs.get(number)
        if record is None:
            return
        for role in instead:
            # Out of the record first: a run that has no other layer left must not be forgotten.
            former = record.layers.pop(role, None)
            if former is not None and former in self._viewer.layers:
                self._viewer.layers.remove(former)
        for spec in reversed(specs):
            layer = record.layers[spec.role] = make_layer(spec)
            self._viewer.layers.insert(self._place_above(number), layer)
            yield layer

    def _place_above(self, number: int) -> int:
        """Return the place above a run's registered image and its comparison, or the top."""
        places = [0]
        for place, layer in enumerate(self._viewer.layers, start=1):
            own = layer.metadata.get(METADATA_KEY, {})
            role = own.get("role") if own.get("run") == number else None
            if role in (bundles.REGISTERED, bundles.COMPARE):
                places.append(place)
        return max(places) or len(self._viewer.layers)

    def remove(self, number: int) -> None:
        """Remove every layer of a run; nobody else's."""
        record = self._runs.pop(number, None)
        if record is None:
            return
        for layer in record.layers.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self.events.changed()

    def set_arrows(self, number: int, across: int) -> None:
        """Sample a run's arrows anew."""
        record = self._runs.get(number)
        layer = record.layers.get(bundles.ARROWS) if record else None
        if record is None or layer is None or layer not in self._viewer.layers:
            return
        bundle = record.bundle
        vectors, lengths = fields.arrow_vectors(bundle.field, across, bundle.stride)
        low, high = layer.edge_contrast_limits or (0.0, 1.0)
        scale = bundles.arrow_scale(high, max(bundle.snapshot.fixed.shape) / across)
        layer.name = bundles.arrows_name(number, scale)
        replace_data(layer, vectors)
        layer.length = scale
        layer.features = {"length": lengths}
        layer.edge_color = "length"
        layer.edge_contrast_limits = (low, high)

    def _on_layer_removed(self, event: Any) -> None:
        """Forget a run whose last result layer the user deleted; it would only hold memory."""
        for number, record in list(self._runs.items()):
            roles = [role for role, layer in record.layers.items() if layer is event.value]
            for role in roles:
                del record.layers[role]
            if roles and not record.layers:
                del self._runs[number]
                self.events.changed()


def make_layer(spec: LayerSpec) -> Layer:
    """Make the layer; cheap, since its arrays and limits are there."""
    kwargs = dict(spec.kwargs)
    if spec.kind == "vectors" and len(spec.data) == 0:  # nothing to colour by length
        for key in ("features", "edge_color", "edge_contrast_limits"):
            kwargs.pop(key, None)
    if isinstance(kwargs.get("edge_colormap"), tuple):
        kwargs["edge_colormap"] = Colormap(kwargs["edge_colormap"], name="mmreg arrows")
    return Layer.create(np.asarray(spec.data), kwargs, spec.kind)
