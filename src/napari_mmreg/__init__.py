"""Multimodal image registration for napari, and without a window.

The public names, listed in ``__init__.pyi``, load on first use, so that ``import napari_mmreg``
costs next to nothing: neither torch nor napari is imported.
"""

from __future__ import annotations

from importlib.metadata import version

import lazy_loader

__version__ = version("napari-mmreg")

__getattr__, __lazy_dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __dir__() -> list[str]:
    return [*__lazy_dir__(), "__version__"]
