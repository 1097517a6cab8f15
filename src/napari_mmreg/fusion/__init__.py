"""One image out of two: fusion methods behind one protocol, and `fuse`, which applies them."""

from __future__ import annotations

from napari_mmreg.fusion.apply import fuse
from napari_mmreg.fusion.protocol import Fusion, FusionInfo
from napari_mmreg.fusion.registry import (
    DEFAULT,
    get_fusion_info,
    list_fusions,
    load_fusion,
    register_fusion,
)

__all__ = [
    "DEFAULT",
    "Fusion",
    "FusionInfo",
    "fuse",
    "get_fusion_info",
    "list_fusions",
    "load_fusion",
    "register_fusion",
]
