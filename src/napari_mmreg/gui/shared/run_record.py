"""One finished run in a viewer: what it can show, and the layers that it has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import REGISTERED, RISKS, Bundle, risk_layers
from napari_mmreg.gui.shared.kinds import KINDS, Kind, offered
from napari_mmreg.gui.shared.layer_spec import LayerSpec
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.motion import ARROWS, MOVING_ROLES, Part, arrows


@dataclass(eq=False)
class RunRecord:
    """A finished run and its layers, by role.

    Attributes
    ----------
    bundle : Bundle
    layers : dict of str to napari layer
        Those that were made and not deleted.
    name : str
        The user's name for it; '' for its own.
    kept : bool
        Whether it stays visible next to the run that is shown.
    seen : set of str
        The roles that were visible when it was hidden.
    part : {"whole", "beyond"}
        The part of the motion that its layers show.
    arrows : int
        About how many across the longer side; 0 for what the run was set to.
    tolerance : float
        Of its map of risk, in fixed pixels; 0 for the default.
    """

    bundle: Bundle
    layers: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    kept: bool = False
    seen: set[str] = field(default_factory=set)
    part: Part = "whole"
    arrows: int = 0
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        self.arrows = self.arrows or self.bundle.snapshot.settings.arrows
        self.tolerance = self.tolerance or self.bundle.result.default_tolerance

    @property
    def number(self) -> int:
        """The number in front of its layers' names."""
        return self.bundle.snapshot.run

    @property
    def title(self) -> str:
        """Return the name of the run in the docks; the model is the one whose answer it is."""
        if self.name:
            return strings.NAMED_RUN.format(run=self.number, name=self.name)
        snapshot = self.bundle.snapshot
        fixed = snapshot.fixed.name
        if snapshot.whole is not None:
            fixed = strings.REGION_TITLE.format(name=fixed)
        title = strings.RUN_TITLE.format(
            run=self.number,
            moving=snapshot.moving.name,
            fixed=fixed,
            model=self.bundle.result.answer_of,
        )
        if "refined_tiles" in self.bundle.result.provenance:
            title += strings.RUN_TILES
        if snapshot.slice is not None:
            title += strings.RUN_SLICE.format(slice=snapshot.slice.name)
        return title

    @property
    def order(self) -> list[str]:
        """The roles of all that it can show, bottom first."""
        return [spec.role for spec in self.bundle.layers]

    def spec(self, role: str) -> LayerSpec | None:
        """Return what a layer is made from, with motion, arrows and tolerance of the moment."""
        if role in RISKS and role in self.order:
            return risk_layers(self.bundle.snapshot, self.bundle.result, self.tolerance)[role]
        motion = self.bundle.motions.get(self.part)
        if motion is None or role not in MOVING_ROLES:
            return next((spec for spec in self.bundle.layers if spec.role == role), None)
        if role == ARROWS:
            return arrows(self.bundle.snapshot, motion, self.arrows)
        return motion.layers[role]

    @property
    def roles(self) -> set[str]:
        """The roles that it shows or can show."""
        return {*self.order, *self.layers}

    @property
    def offers(self) -> list[Kind]:
        """The kinds of layers that it can show."""
        return offered(self.roles)

    @property
    def visible_roles(self) -> set[str]:
        """The roles of its layers that are visible."""
        return {role for role, layer in self.layers.items() if layer.visible}

    def missing(self, kind: Kind) -> list[LayerSpec]:
        """Return what is to be made before a kind of its layers can be seen, bottom first.

        Nothing while one of them is there: the user may have deleted the others.
        """
        if kind.offered_by(self.layers):
            return []
        found = [self.spec(role) for role in self.order if role in kind.roles]
        return [spec for spec in found if spec is not None]

    def hide(self) -> None:
        """Hide its layers, and remember which were visible."""
        self.seen = self.visible_roles or self.seen
        for layer in self.layers.values():
            layer.visible = False

    def restore(self, wanted: Collection[str] | None = None) -> None:
        """Show its layers again.

        Parameters
        ----------
        wanted : collection of str, optional
            The kinds to show, as they were seen last; all that was seen last by default.
        """
        seen = self.seen or {REGISTERED}
        for kind in KINDS:
            shown = seen.intersection(kind.roles)
            if wanted is not None:
                shown = (shown or self._first(kind)) if kind.name in wanted else set()
            self._show(kind, shown)

    def set_visible(self, kind: Kind, *, visible: bool) -> None:
        """Show the layers of a kind as they first were, or hide them."""
        self._show(kind, self._first(kind) if visible else set())

    def _first(self, kind: Kind) -> set[str]:
        """Return which roles of a kind are visible at first."""
        return {
            spec.role
            for spec in self.bundle.layers
            if spec.role in kind.roles and spec.kwargs.get("visible", True)
        }

    def _show(self, kind: Kind, roles: Collection[str]) -> None:
        for role in kind.roles:
            if role in self.layers:
                self.layers[role].visible = role in roles

    def note_in_layers(self) -> None:
        """Write the name into the layers' metadata: there the next dock finds it."""
        for layer in self.layers.values():
            layer.metadata[METADATA_KEY].update(run_name=self.name, kept=self.kept)
