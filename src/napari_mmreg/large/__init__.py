"""Finer registration of large images, in tiles. Torch is loaded by the first run."""

from __future__ import annotations

from napari_mmreg.large.refine import refine_tiles

__all__ = ["refine_tiles"]
