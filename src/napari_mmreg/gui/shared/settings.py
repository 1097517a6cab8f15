"""Defaults that the user sets in napari's Preferences."""

from __future__ import annotations

from dataclasses import dataclass, fields

from napari_mmreg.models.budgets import BALANCED
from napari_mmreg.models.registry import AUTO

PLUGIN = "napari-mmreg"


@dataclass(frozen=True)
class Defaults:
    """What a fresh dock starts with; see ``configurations`` in napari.yaml."""

    model: str = AUTO
    budget: str = BALANCED
    device: str = "auto"
    refine: bool = True
    threads: int = 0
    comparison: str = "overlay"
    arrows: int = 32
    fusion: str = "none"
    preview: bool = True


def read_defaults() -> Defaults:
    """Return the Preferences, or our own defaults where napari does not know the plugin."""
    from napari.settings import get_plugin_settings

    try:
        run = get_plugin_settings(PLUGIN).run
        return Defaults(**{f.name: getattr(run, f.name) for f in fields(Defaults)})
    except (KeyError, AttributeError):
        return Defaults()
