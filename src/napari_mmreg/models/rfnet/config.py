"""What an RFNet is built of, with the switches of the paper's ablations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_mmreg.nn.config import NetworkConfig


@dataclass(frozen=True, slots=True)
class RFNetConfig(NetworkConfig):
    """Constructor arguments of `RFNet`; JSON types only.

    The paper leaves all sizes to a supplement that is not public: they are ours.

    Attributes
    ----------
    translator : tuple of two int
        Channels of TransNet at strides 2 and 4.
    style : int
        Length of the code that says what a sensor's images look like.
    widths : tuple of three int
        Channels of AffineNet's encoder at strides 2, 4 and 8.
    fusion : tuple of two int
        Channels of F2M's first layers and of the features that it fuses.
    fine : int
        Channels of F2M's deformation block.
    reach : float
        Largest displacement of the deformation block along x and along y, in pixels.
    translate, deformable : bool
        The paper's ablations: AffineNet sees translated images, and samples where its features
        tell it to.
    structure : bool
        AffineNet sees contrast-normalised channels of the originals beside the translated
        images (ours); the paper's sees the latter alone.
    head : {"correlation", "regression"}
        The affine from matched features (ours), or from pooled ones and a linear layer (the
        paper's).
    """

    translator: tuple[int, ...] = (16, 32)
    style: int = 24
    widths: tuple[int, ...] = (24, 40, 72)
    fusion: tuple[int, ...] = (12, 24)
    fine: int = 32
    reach: float = 8.0
    translate: bool = True
    deformable: bool = True
    structure: bool = True
    head: Literal["correlation", "regression"] = "correlation"
