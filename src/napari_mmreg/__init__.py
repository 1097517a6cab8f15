"""Multimodal image registration for napari, and without a window.

The public names load on first use, so that ``import napari_mmreg`` costs nothing: neither
torch nor napari is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mmreg.evaluation import evaluate as evaluate
    from napari_mmreg.evaluation import landmark_error as landmark_error
    from napari_mmreg.evaluation import load_segmenter as load_segmenter
    from napari_mmreg.fusion import fuse as fuse
    from napari_mmreg.geometry import Transform as Transform
    from napari_mmreg.models import list_models as list_models
    from napari_mmreg.registration import RegistrationResult as RegistrationResult
    from napari_mmreg.registration import correct_scan as correct_scan
    from napari_mmreg.registration.register import register as register

__version__ = "0.1.0"

_PUBLIC = {
    "RegistrationResult": "napari_mmreg.registration",
    "Transform": "napari_mmreg.geometry",
    "correct_scan": "napari_mmreg.registration",
    "evaluate": "napari_mmreg.evaluation",
    "correct_fusion": "napari_mmreg.registration",
    "fuse": "napari_mmreg.fusion",
    "landmark_error": "napari_mmreg.evaluation",
    "load_segmenter": "napari_mmreg.evaluation",
    "list_models": "napari_mmreg.models",
    "register": "napari_mmreg.registration",
}

__all__ = [
    "RegistrationResult",
    "Transform",
    "__version__",
    "correct_fusion",
    "correct_scan",
    "evaluate",
    "fuse",
    "landmark_error",
    "list_models",
    "load_segmenter",
    "register",
]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
