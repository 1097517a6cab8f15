"""Which fusion methods there are; nothing heavy is imported before `load_fusion`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from napari_mmreg.errors import InputError, ModelError
from napari_mmreg.fusion.protocol import Fusion, FusionInfo

DEFAULT = "laplacian"
"""Needs no weights, and is deterministic."""


@dataclass(frozen=True, slots=True)
class _Entry:
    info: FusionInfo
    factory: str | Callable[[], Fusion]


_FUSIONS: dict[str, _Entry] = {}


def register_fusion(info: FusionInfo, factory: str | Callable[[], Fusion]) -> None:
    """Add a fusion method to the registry.

    Parameters
    ----------
    info : FusionInfo
        Its description; ``info.name`` must be new.
    factory : str or callable
        What makes it, called without arguments. A string ``"module:name"`` is only imported
        when the method is loaded.

    Raises
    ------
    InputError
        If the name is taken.
    """
    if info.name in _FUSIONS:
        raise InputError(
            f"There is already a fusion method called {info.name!r}. Choose another name."
        )
    _FUSIONS[info.name] = _Entry(info, factory)


def list_fusions() -> list[FusionInfo]:
    """Return a description of every fusion method, in the order in which they are offered."""
    return [entry.info for entry in _FUSIONS.values()]


def get_fusion_info(name: str) -> FusionInfo:
    """Return a fusion method's description.

    Raises
    ------
    ModelError
        If there is no such method; the message lists those there are.
    """
    return _entry(name).info


def load_fusion(name: str) -> Fusion:
    """Make a fusion method ready to use.

    Raises
    ------
    ModelError
        If there is no such method, or its weights are missing or damaged.
    """
    factory = _entry(name).factory
    if isinstance(factory, str):
        module, _, attribute = factory.partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    fusion: Fusion = factory()
    return fusion


def _entry(name: str) -> _Entry:
    if name not in _FUSIONS:
        raise ModelError(
            f"There is no fusion method called {name!r}. Choose one of: {', '.join(_FUSIONS)}."
        )
    return _FUSIONS[name]


register_fusion(
    FusionInfo(
        name="laplacian",
        title="Laplacian pyramid",
        purpose="The stronger detail of either image at every scale; needs no training.",
        licence="BSD-3-Clause",
        reference="Burt and Adelson, IEEE Trans. Communications 31(4), 1983",
        needs_weights=False,
    ),
    "napari_mmreg.fusion.laplacian:LaplacianFusion",
)
register_fusion(
    FusionInfo(
        name="cnn",
        title="Small network",
        purpose="A small trained network; softer and brighter, closer to the images, less detail.",
        licence="BSD-3-Clause",
        reference="shape after MMDRFuse, Deng et al., ACM Multimedia 2024",
    ),
    "napari_mmreg.fusion.cnn:CNNFusion",
)
register_fusion(
    FusionInfo(
        name="f2m",
        title="RFNet's F2M",
        purpose="What RFNet fuses with: the fixed image first, with the stronger edges of either.",
        licence="BSD-3-Clause",
        reference="Xu et al., RFNet, CVPR 2022",
    ),
    "napari_mmreg.fusion.f2m:F2MFusion",
)
