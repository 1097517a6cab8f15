"""Which layers can be registered, and which two a user most likely means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.layers import Image, Labels, Shapes

from napari_mmreg.gui.shared.bundle import LIMIT, REGISTERED
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.snapshot import modality_of

# Detailed, optical pictures make the better fixed image; smaller is more likely fixed.
_FIXED_RANK = {"visible": 0, "he": 0, "ihc": 1, "retina": 1, "map": 2, "mri": 2, "em": 2}
_MIDDLE = 5


def images(layers: Sequence[Any]) -> list[Any]:
    """Return the layers that can be fixed or moving: no maps or overlays that a run made."""
    return [
        layer
        for layer in layers
        if type(layer) is Image and (not _run_role(layer) or _run_role(layer) == REGISTERED)
    ]


def masks(layers: Sequence[Any]) -> list[Any]:
    """Return the layers that can be masks; the outline of a map of risk is none."""
    return [layer for layer in layers if isinstance(layer, Labels) and _run_role(layer) != LIMIT]


def regions(layers: Sequence[Any]) -> list[Any]:
    """Return the layers that can say which region is registered."""
    return [layer for layer in layers if isinstance(layer, Shapes)]


def guess_pair(layers: Sequence[Any]) -> tuple[Any, Any]:
    """Return the likely (fixed, moving) among `layers`, oldest first; None where there is none.

    Of the two newest images of the user's: what a sample says, else the more detailed kind of
    picture is fixed, else the older one.
    """
    own = [layer for layer in images(layers) if not _run_role(layer)]
    if len(own) < 2:
        return (own[0] if own else None), None
    first, second = own[-2:]
    roles = [layer.metadata.get(METADATA_KEY, {}).get("role") for layer in (first, second)]
    if roles == ["fixed", "moving"]:
        return first, second
    if roles == ["moving", "fixed"]:
        return second, first
    ranks = [_FIXED_RANK.get(modality_of(layer), _MIDDLE) for layer in (first, second)]
    return (second, first) if ranks[1] < ranks[0] else (first, second)


def _run_role(layer: Any) -> str | None:
    """Return which result of a run a layer is; None for the user's own layers."""
    own = layer.metadata.get(METADATA_KEY, {})
    return str(own["role"]) if "run" in own and "role" in own else None
