"""The registration models behind one protocol, and the registry that lists them."""

from __future__ import annotations

from napari_mmreg.models.protocol import Model, ModelInfo, Prediction
from napari_mmreg.models.registry import (
    DEFAULT,
    get_info,
    list_models,
    load_model,
    register_model,
)

__all__ = [
    "DEFAULT",
    "Model",
    "ModelInfo",
    "Prediction",
    "get_info",
    "list_models",
    "load_model",
    "register_model",
]
