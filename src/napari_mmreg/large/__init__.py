"""Finer registration of large images, in tiles. Torch is loaded by the first run."""

from __future__ import annotations

from napari_mmreg.large.refine import LEAST, planned_rounds, refine_tiles, with_tiles

__all__ = ["LEAST", "planned_rounds", "refine_tiles", "with_tiles"]
