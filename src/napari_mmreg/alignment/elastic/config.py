"""Size of the elastic stage's network."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mmreg.nn.config import NetworkConfig


@dataclass(frozen=True, slots=True)
class ElasticConfig(NetworkConfig):
    """Constructor arguments of `ElasticNetwork`; JSON types only.

    Attributes
    ----------
    widths : tuple of four int
        Channels of the encoder at strides 2, 4, 8 and 16.
    matched : int
        Channels that are correlated, at stride 4.
    context : int
        Channels, at strides 2 and 4, that confidences are read from.
    followed : int
        Channels, at strides 2 and 4, whose gradients are followed.
    hidden : int
        Channels inside the matcher.
    radius : int
        Reach of a correlation in cells of stride 4.
    looks : int
        Correlations, each around the field that the one before has led to.
    steps : tuple of two int
        Gauss-Newton steps at strides 2 and 4.
    spacing : tuple of two float
        Distance of the control points in pixels, at strides 2 and 4.
    """

    widths: tuple[int, ...] = (16, 32, 48, 64)
    matched: int = 16
    context: int = 8
    followed: int = 8
    hidden: int = 48
    radius: int = 3
    looks: int = 2
    steps: tuple[int, ...] = (3, 2)
    spacing: tuple[float, ...] = (14.0, 20.0)
