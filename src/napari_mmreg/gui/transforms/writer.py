"""napari's writers: *Save Selected Layer(s)* writes the registration that layers carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_mmreg.gui.shared.carried import common_transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.types import FullLayerData


def write_layer(path: str, _: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the transform that one layer carries; return the path.

    Raises
    ------
    RegistrationError
        If it carries none, or it cannot be written there; napari shows the sentence.
    """
    common_transform([attributes.get("metadata") or {}]).save(path)
    return [path]


def write_layers(path: str, layers: Sequence[FullLayerData]) -> list[str]:
    """Write the one transform that layers carry; see `write_layer`."""
    common_transform([attributes.get("metadata") or {} for _, attributes, _ in layers]).save(path)
    return [path]
