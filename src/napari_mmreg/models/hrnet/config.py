"""What an HRNet is built of, with the switches of the paper's ablations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_mmreg.nn.config import NetworkConfig

STRIDES = (2, 4, 8, 16, 32)
"""Pixels per cell of the five feature scales, finest first (ours: the paper gives none).

Full resolution would take three quarters of the time and add little: a registration is smooth.
"""


@dataclass(frozen=True, slots=True)
class HRNetConfig(NetworkConfig):
    """Constructor arguments of `HRNet`; JSON types only.

    The paper gives neither widths nor the details of the gate, the projection and the heads:
    all values here are ours.

    Attributes
    ----------
    widths : tuple of five int
        Feature channels per scale, finest first.
    rank : float
        Dimension of the projected features, as a part of the width.
    hidden : int
        Channels inside the heads that predict increments.
    blocks : tuple of five int
        Residual convolutions per scale of the backbone, finest first.
    radii : tuple of four int
        Reach of the local correlations per scale in cells, finest first.
    core : {"ssd", "selective_scan"}
        Scan of the residual state-space blocks: state space duality, or the paper's.
    scan_from : int
        Smallest stride whose heads use state-space blocks; finer ones use convolutions alone.
    modality_norm, disentangle, gate, project : bool
        The paper's ablations: batch normalisation per modality, shared and private features,
        gating by private features (needs them), projection on data-adaptive bases.
    rigid : {"correlation", "pooled", "none"}
        Global step from all-pairs correlation (ours), or pooled features and a linear layer
        (the paper's), or none.
    nonrigid : bool
        Predict the four increments.
    accumulate : {"compose", "add"}
        How increments join the flow; the paper adds, which is exact for translations only.
    """

    widths: tuple[int, ...] = (24, 40, 64, 72, 72)
    blocks: tuple[int, ...] = (1, 1, 2, 2, 1)
    rank: float = 0.75
    hidden: int = 24
    radii: tuple[int, ...] = (2, 3, 3, 2)
    core: Literal["ssd", "selective_scan"] = "ssd"
    scan_from: int = 8
    modality_norm: bool = True
    disentangle: bool = True
    gate: bool = True
    project: bool = True
    rigid: Literal["correlation", "pooled", "none"] = "correlation"
    nonrigid: bool = True
    accumulate: Literal["compose", "add"] = "compose"

    def ranks(self) -> tuple[int, ...]:
        """Return the channels of the shared features per scale, finest first."""
        return tuple(max(4, round(w * self.rank)) if self.project else w for w in self.widths)
