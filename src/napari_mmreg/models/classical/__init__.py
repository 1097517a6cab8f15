"""The classical engine: registration without trained weights."""

from __future__ import annotations

from napari_mmreg.models.classical.model import ClassicalModel as ClassicalModel

__all__ = ["ClassicalModel"]
