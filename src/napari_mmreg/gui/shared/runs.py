"""The runs of a viewer: one is shown at a time, its layers made when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.utils.events import EmitterGroup, Event

from napari_mmreg.gui.shared import bundle as bundles
from napari_mmreg.gui.shared import run_layers
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.compat import bare_viewer
from napari_mmreg.gui.shared.fused import with_layers
from napari_mmreg.gui.shared.kinds import BY_NAME, FUSED, REGISTERED, kinds_of
from napari_mmreg.gui.shared.layer_spec import LayerSpec
from napari_mmreg.gui.shared.matches import link_matches
from napari_mmreg.gui.shared.memory import recall, remember
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.motion import Part
from napari_mmreg.gui.shared.run_record import RunRecord

if TYPE_CHECKING:
    from napari.layers import Layer

_shared: WeakKeyDictionary[Any, RunBook] = WeakKeyDictionary()
"""The book that a viewer's docks share, by the events of its layer list; see `RunBook.of`."""

_bundles: WeakKeyDictionary[Layer, Bundle] = WeakKeyDictionary()
"""What a layer was made from, for as long as it lives: runs outlive the docks with their layers."""


class RunBook:
    """All runs of one viewer, newest last; those whose layers are there already come back.

    Parameters
    ----------
    viewer : napari.components.ViewerModel

    Attributes
    ----------
    shown : RunRecord or None
        The run that is looked at; the layers of all others are hidden, but for the kept ones.
    wanted : set of str
        Names of the kinds of layers that are shown of it, see `kinds.KINDS`.
    part : {"whole", "beyond"}
        Which part of the motion its arrows and colours show.
    events : EmitterGroup
        ``changed`` when there are other runs, names or kinds on offer; ``shown`` when another run
        or other layers are shown.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._runs: dict[int, RunRecord] = {}
        self._users = 1
        self._working = self._aside = False
        self.shown: RunRecord | None = None
        self.wanted: set[str] = set(recall("shown kinds", [REGISTERED])) & set(BY_NAME)
        self.part: Part = "beyond" if recall("motion", "whole") == "beyond" else "whole"
        self.events = EmitterGroup(source=self, changed=Event, shown=Event)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        self._adopt()

    @classmethod
    def of(cls, viewer: Any) -> RunBook:
        """Return the book that all docks of a viewer share; every user must `close` it.

        napari gives every dock a proxy of its own around the viewer: what is inside counts.
        """
        viewer = bare_viewer(viewer)
        key = viewer.layers.events
        book = _shared.get(key)
        if book is None:
            book = _shared[key] = cls(viewer)
        else:
            book._users += 1
        return book

    def close(self) -> None:
        """Let go of the book; the last user lets go of the viewer, and the layers stay."""
        self._users -= 1
        if self._users:
            return
        key = self._viewer.layers.events
        if _shared.get(key) is self:
            del _shared[key]
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        for record in self._runs.values():
            for layer in record.layers.values():
                layer.events.visible.disconnect(self._on_eye)
        self._runs.clear()
        self.shown = None

    @property
    def runs(self) -> list[RunRecord]:
        """Runs that still have layers, oldest first."""
        return [self._runs[number] for number in sorted(self._runs)]

    @property
    def seen(self) -> set[str]:
        """Names of the kinds of layers that are seen of the shown run."""
        return set() if self.shown is None else kinds_of(self.shown.visible_roles)

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

    # Coming and going

    def add(self, bundle: Bundle, name: str = "") -> Iterator[Layer]:
        """Add a run and show it alone, one layer at a time, so that the GUI breathes between."""
        record = RunRecord(bundle, name=name, part=self.part)
        self._runs[record.number] = record
        with self._own_work():
            self._hide_others(record)
        self.shown = record
        self.wanted.add(REGISTERED)
        if BY_NAME[FUSED].offered_by(record.order):
            self.wanted.add(FUSED)  # whoever has images fused wants to see them
        yield from self._make_wanted(record)
        self.events.changed()
        self.events.shown()

    def add_layers(
        self, number: int, specs: Sequence[LayerSpec], instead: Iterable[str]
    ) -> Iterator[Layer]:
        """Add fused images to a run, instead of the layers of some roles, and show them."""
        record = self._runs.get(number)
        if record is None:
            return
        for role in instead:
            # Out of the record first: a run that has no other layer left must not be forgotten.
            former = record.layers.pop(role, None)
            if former is not None and former in self._viewer.layers:
                self._viewer.layers.remove(former)
        record.bundle = with_layers(record.bundle, specs)
        for layer in record.layers.values():
            _bundles[layer] = record.bundle
        self.wanted.add(FUSED)
        if record is not self.shown:
            self.show(number)
        yield from self._make_wanted(record)
        self.events.changed()
        self.events.shown()

    def remove(self, number: int) -> None:
        """Remove every layer of a run, nobody else's, and show the newest of the others."""
        record = self._runs.pop(number, None)
        if record is None:
            return
        with self._viewer.layers.batched_update():  # napari frees and draws once, not per layer
            for layer in record.layers.values():
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
        self._forgotten(record)
        if self.shown is not None:
            self._make_now(self.shown)
            self.events.shown()

    def rename(self, number: int, name: str) -> None:
        """Give a run a name of the user's; '' gives its own back."""
        record = self._runs.get(number)
        if record is not None and record.name != name.strip():
            record.name = name.strip()
            record.note_in_layers()
            self.events.changed()

    def keep(self, number: int, *, kept: bool) -> None:
        """Let a run stay visible next to the one that is shown, or not."""
        record = self._runs.get(number)
        if record is None or record.kept == kept:
            return
        record.kept = kept
        record.note_in_layers()
        if record is not self.shown:
            with self._own_work():
                if kept:
                    record.restore()
                else:
                    record.hide()
        self.events.changed()
        self.events.shown()

    # Showing

    def show(self, number: int) -> None:
        """Show a run with the wanted kinds of layers, and hide the others but for the kept ones."""
        record = self._runs.get(number)
        if record is None or record is self.shown:
            return
        self.shown = record
        with self._own_work():
            self._hide_others(record)
            record.restore(self.wanted)
        self._make_now(record)
        self.events.shown()

    def put_aside(self, *, aside: bool) -> None:
        """Hide the layers of all runs for a while, or show again those that were seen."""
        self._aside = aside
        with self._own_work():
            for record in self._runs.values():
                if aside:
                    record.hide()
                elif record is self.shown:
                    record.restore(self.wanted)
                elif record.kept:
                    record.restore()

    def toggle(self, kind: str, *, on: bool) -> None:
        """Show or hide a kind of layers of the shown run; they are made the first time."""
        (self.wanted.add if on else self.wanted.discard)(kind)
        remember("shown kinds", sorted(self.wanted))
        record = self.shown
        if record is None:
            return
        with self._own_work():
            record.set_visible(BY_NAME[kind], visible=on)
        if on:
            self._make_now(record)
        self.events.shown()

    def set_part(self, part: Part) -> None:
        """Let arrows, colours and amount show the whole motion, or what bends."""
        self.part = part
        remember("motion", part)
        if self.shown is not None:
            run_layers.show_part(self.shown, part)
        self.events.shown()

    def set_arrows(self, number: int, across: int) -> None:
        """Sample a run's arrows anew."""
        record = self._runs.get(number)
        if record is not None:
            run_layers.sample_arrows(record, across)

    def set_tolerance(self, number: int, tolerance: float) -> None:
        """Let a run's map of risk say how likely it is off by more than this, in fixed pixels."""
        record = self._runs.get(number)
        if record is not None:
            run_layers.set_tolerance(record, tolerance)

    def _make_now(self, record: RunRecord) -> None:
        """Make all wanted layers at once; what the user selected stays selected."""
        for _layer in keeping_selection(self._viewer, self._make_wanted(record)):
            pass

    def _make_wanted(self, record: RunRecord) -> Iterator[Layer]:
        """Make the wanted layers that a run offers and has not, each at its place."""
        run_layers.show_part(record, self.part)
        for kind in [kind for kind in record.offers if kind.name in self.wanted]:
            specs = record.missing(kind)
            for spec in specs:
                layer = run_layers.make_layer(spec, record.bundle.snapshot.slice)
                layer.metadata[METADATA_KEY].update(run_name=record.name, kept=record.kept)
                record.layers[spec.role] = layer
                _bundles[layer] = record.bundle
                layer.events.visible.connect(self._on_eye)
                place = run_layers.place_in(self._viewer.layers, record, spec.role)
                self._viewer.layers.insert(place, layer)
                yield layer
            if specs and kind.name == "matches":
                link_matches(self._viewer, record.layers)
        if record is not self.shown and not record.kept:  # another one was chosen meanwhile
            with self._own_work():
                record.hide()

    def _hide_others(self, record: RunRecord) -> None:
        for other in self._runs.values():
            if other is not record and not other.kept:
                other.hide()

    @contextmanager
    def _own_work(self) -> Iterator[None]:
        """Take no notice of what is shown and hidden meanwhile."""
        former, self._working = self._working, True
        try:
            yield
        finally:
            self._working = former

    def _on_eye(self) -> None:
        """Follow the eyes in napari's layer list: what the user shows there is wanted."""
        record = self.shown
        if self._working or self._aside or record is None:
            return
        offered = kinds_of(record.roles)
        wanted = (self.wanted - offered) | kinds_of(record.visible_roles)
        if wanted != self.wanted:
            self.wanted = wanted
            remember("shown kinds", sorted(wanted))
            self.events.shown()

    # Following the viewer

    def _adopt(self) -> None:
        """Take up the runs of layers that are there, from a dock that was closed."""
        for layer in self._viewer.layers:
            own = layer.metadata.get(METADATA_KEY, {})
            bundle, role = _bundles.get(layer), own.get("role")
            if bundle is None or role == bundles.COMPARE:
                continue
            record = self._runs.setdefault(
                bundle.snapshot.run,
                RunRecord(bundle, name=own.get("run_name", ""), kept=bool(own.get("kept"))),
            )
            record.layers[role] = layer
            layer.events.visible.connect(self._on_eye)
        visible = [record for record in self._runs.values() if record.visible_roles]
        if self._runs:
            self.shown = max(visible or self._runs.values(), key=lambda record: record.number)
            self.wanted = kinds_of(self.shown.visible_roles) or {REGISTERED}

    def _on_layer_removed(self, event: Any) -> None:
        """Forget a run whose last result layer the user deleted; it would only hold memory."""
        for number, record in list(self._runs.items()):
            roles = [role for role, layer in record.layers.items() if layer is event.value]
            for role in roles:
                del record.layers[role]
            if roles and not record.layers:
                del self._runs[number]
                self._forgotten(record)
            elif roles:
                self._on_eye()

    def _forgotten(self, record: RunRecord) -> None:
        """Show another run instead of one that is gone."""
        if self.shown is record:
            self.shown = self._runs[max(self._runs)] if self._runs else None
            if self.shown is not None:
                with self._own_work():  # what is missing is not made while others are removed
                    self.shown.restore(self.wanted)
        self.events.changed()
        self.events.shown()


def made_by_run(layer: Any) -> bool:
    """Whether a run made the layer, also while the run is coming or going."""
    return layer in _bundles


def keeping_selection(viewer: Any, arriving: Iterator[Layer]) -> Iterator[Layer]:
    """Add layers one by one; the user's selection stays, minus layers deleted meanwhile."""
    selected = set(viewer.layers.selection)
    yield from arriving
    viewer.layers.selection = {layer for layer in selected if layer in viewer.layers}
