"""Which fusion methods there are; nothing heavy is imported before `load_fusion`."""

from __future__ import annotations

from collections.abc import Callable

from napari_mmreg.fusion.protocol import Fusion, FusionInfo
from napari_mmreg.registry import Registry

DEFAULT = "laplacian"
"""Needs no weights, and is deterministic."""

_FUSIONS: Registry[FusionInfo, Fusion] = Registry("fusion method")


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
    _FUSIONS.add(info, factory)


def list_fusions() -> list[FusionInfo]:
    """Return a description of every fusion method, in the order in which they are offered."""
    return _FUSIONS.infos()


def get_fusion_info(name: str) -> FusionInfo:
    """Return a fusion method's description.

    Raises
    ------
    ModelError
        If there is no such method; the message lists those there are.
    """
    return _FUSIONS.info(name)


def load_fusion(name: str) -> Fusion:
    """Make a fusion method ready to use.

    Raises
    ------
    ModelError
        If there is no such method, or its weights are missing or damaged.
    """
    return _FUSIONS.load(name)


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
