"""The kinds of layers that a run offers: what one button of the dock shows and hides."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from napari_mmreg.gui.shared import bundle as roles
from napari_mmreg.gui.shared import matches, motion
from napari_mmreg.gui.shared.fused import FILES as FUSED_ROLES

REGISTERED, FUSED = "registered", "fused"


@dataclass(frozen=True)
class Kind:
    """Layers of a run that are shown and hidden together.

    Attributes
    ----------
    name : str
        Its key in `strings.KINDS`, where its label is, and in what is remembered.
    roles : tuple of str
        The roles of its layers, see `LayerSpec.role`.
    """

    name: str
    roles: tuple[str, ...]

    def offered_by(self, known: Collection[str]) -> bool:
        """Whether any of its layers is among roles."""
        return any(role in known for role in self.roles)


KINDS = (
    Kind(REGISTERED, (roles.REGISTERED,)),
    Kind("arrows", (motion.ARROWS,)),
    Kind("colour", (motion.FLOW,)),
    Kind("amount", (motion.MAGNITUDE,)),
    Kind("grid", (motion.GRID,)),
    Kind("risk", roles.RISKS),
    Kind("before", (roles.RISK_BEFORE,)),
    Kind("localised", (roles.LOCALISATION,)),
    Kind("matches", (matches.LINES, matches.FIXED, matches.MOVING)),
    Kind(FUSED, tuple(FUSED_ROLES)),
    Kind("rendered", (roles.RERENDERED,)),
    Kind("excluded", (roles.FIXED_EXCLUDED, roles.MOVING_EXCLUDED)),
)
"""In the order of the dock's buttons."""

BY_NAME = {kind.name: kind for kind in KINDS}


def offered(known: Collection[str]) -> list[Kind]:
    """Return the kinds that have a layer among roles."""
    return [kind for kind in KINDS if kind.offered_by(known)]


def kinds_of(known: Iterable[str]) -> set[str]:
    """Return the names of the kinds that roles belong to."""
    wanted = set(known)
    return {kind.name for kind in KINDS if kind.offered_by(wanted)}
