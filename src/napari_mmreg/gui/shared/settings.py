"""Defaults that the user sets in napari's Preferences."""

from __future__ import annotations

from dataclasses import dataclass

PLUGIN = "napari-mmreg"


@dataclass(frozen=True)
class Defaults:
    """What a fresh dock starts with; see ``configurations`` in napari.yaml."""

    device: str = "auto"
    threads: int = 0
    arrows: int = 32
    fusion: str = "none"


def read_defaults() -> Defaults:
    """Return the Preferences, or our own defaults where napari does not know the plugin."""
    from napari.settings import get_plugin_settings

    try:
        run = get_plugin_settings(PLUGIN).run
        return Defaults(
            device=str(run.device),
            threads=int(run.threads),
            arrows=int(run.arrows),
            fusion=str(run.fusion),
        )
    except (KeyError, AttributeError):
        return Defaults()
