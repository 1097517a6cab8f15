"""Fusion methods as frozen functions of tensors: what a post-registration is trained behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from napari_mmreg.errors import ModelError
from napari_mmreg.fusion.cnn import CNNFusion
from napari_mmreg.fusion.f2m import F2MFusion
from napari_mmreg.models.fusionregister.prior import Fuse
from napari_mmreg.nn.laplacian import laplacian_fusion


def _cnn() -> tuple[nn.Module, Fuse]:
    network = CNNFusion().network
    return network, network


def _f2m() -> tuple[nn.Module, Fuse]:
    network = F2MFusion().network
    return network, network.fuse


_FROZEN: dict[str, Callable[[], tuple[nn.Module, Fuse]]] = {"cnn": _cnn, "f2m": _f2m}

BACKBONES = ("laplacian", *_FROZEN)
"""The fusion methods that there are as functions of batches."""


@lru_cache
def frozen_backbone(name: str, device: str = "cpu") -> Fuse:
    """Return a fusion method that makes no gradients, with its shipped weights.

    Parameters
    ----------
    name : str
        One of `BACKBONES`.
    device : str

    Raises
    ------
    ModelError
        If there is none of that name, or its weights are missing.
    """
    if name not in BACKBONES:
        raise ModelError(f"There is no backbone {name!r}; there are: {', '.join(BACKBONES)}.")
    fuse: Fuse = laplacian_fusion
    if name in _FROZEN:
        network, fuse = _FROZEN[name]()
        network.to(device).eval().requires_grad_(False)

    def frozen(fixed: Tensor, moving: Tensor) -> Tensor:
        with torch.no_grad():
            return fuse(fixed.detach(), moving.detach())

    return frozen
