"""Multimodal image registration for napari, and without a window.

The public names, listed in ``__init__.pyi``, load on first use, so that ``import napari_mmreg``
costs next to nothing: neither torch nor napari is imported.
"""

from __future__ import annotations

import lazy_loader

_load, _list, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __getattr__(name: str) -> object:
    if name != "__version__":
        return _load(name)
    # Read when asked for: it parses a file.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-mmreg")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"


def __dir__() -> list[str]:
    return [*_list(), "__version__"]
