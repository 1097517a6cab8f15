"""What a FusionRegister is built of: the small size, the paper's, and its ablations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_mmreg.nn.config import NetworkConfig

Warping = Literal["expected", "both", "one"]


@dataclass(frozen=True, slots=True)
class FusionRegisterConfig(NetworkConfig):
    """Constructor arguments of `FusionRegister`; JSON types only. The defaults are the small size.

    Attributes
    ----------
    localisation : {"matching", "paper"}
        Field and gate from local correlations of learned source features beside the fused image
        (ours), or the paper's U-shaped convolutions without any correlation.
    widths : tuple of three int
        Channels of the encoders at strides 2, 4 and 8 (matching).
    matched : tuple of three int
        Source channels that are compared at these strides (matching).
    fused : int
        Channels of the fused image's features at each stride (matching).
    hidden : int
        Channels inside the steps of the field (matching).
    strides, radii : tuple of int
        Scales from coarse to fine, of 8, 4 and 2, and the reach of their correlations in cells
        (matching): the paper's ablation of the number of layers.
    width, blocks : int
        Channels at stride 1, half of those at stride 2, and residual blocks (paper).
    detail : int
        Channels at full resolution in the modality retention block.
    windows : tuple of int
        Sides of the windows of its gMLPs, in pixels.
    warping : {"expected", "both", "one"}
        How the gate uses the field, see `napari_mmreg.models.fusionregister.warping`.
    retention : bool
        With the modality retention block.
    """

    localisation: Literal["matching", "paper"] = "matching"
    widths: tuple[int, ...] = (24, 40, 64)
    matched: tuple[int, ...] = (16, 32, 32)
    fused: int = 12
    hidden: int = 24
    strides: tuple[int, ...] = (8, 4, 2)
    radii: tuple[int, ...] = (3, 2, 2)
    width: int = 32
    blocks: int = 12
    detail: int = 8
    windows: tuple[int, ...] = (1, 3)
    warping: Warping = "expected"
    retention: bool = True

    @classmethod
    def paper(cls) -> FusionRegisterConfig:
        """Return the paper's size, published as 2.94 M parameters."""
        return cls(localisation="paper", detail=32, warping="both")
