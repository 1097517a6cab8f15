"""What a SAS-Net is built of: the small size, and the paper's."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mmreg.nn.config import NetworkConfig


@dataclass(frozen=True, slots=True)
class SASNetConfig(NetworkConfig):
    """Constructor arguments of `SASNet`; JSON types only. The defaults are the small size.

    The paper gives 3.35 M parameters and neither widths nor depths: those here are ours.

    Attributes
    ----------
    widths : tuple of three int
        Channels of the scene encoder at strides 2, 4 and 8.
    blocks : tuple of two int
        Its residual blocks at strides 4 and 8.
    appearance : tuple of three int
        Channels of the appearance encoder at strides 2, 4 and 8.
    code : int
        Length of the appearance code.
    render_blocks : int
        Residual blocks of the renderer.
    rendered : int
        Channels of the renderer at stride 2.
    mixed : int
        Channels beside the image that an appearance known from registration is mixed of.
    matched : int
        Scene channels that are compared at stride 4.
    hidden : int
        Channels inside the steps of the geometric head.
    radii : tuple of int
        Reach of each step's correlations, in cells of stride 4.
    structure : bool
        The scene encoder sees channels blind to the sign of the contrast beside the image
        (ours): instance normalisation removes gain and offset, not inversion.
    """

    widths: tuple[int, ...] = (24, 48, 80)
    blocks: tuple[int, ...] = (1, 2)
    appearance: tuple[int, ...] = (16, 32, 48)
    code: int = 48
    render_blocks: int = 1
    rendered: int = 24
    mixed: int = 16
    matched: int = 32
    hidden: int = 24
    radii: tuple[int, ...] = (3, 2)
    structure: bool = True

    @classmethod
    def paper(cls) -> SASNetConfig:
        """Return the size of the paper's network, 3.35 M parameters with the geometric head."""
        return cls(
            widths=(64, 128, 198),
            blocks=(1, 2),
            appearance=(32, 64, 128),
            code=256,
            render_blocks=1,
            rendered=32,
            matched=48,
            hidden=32,
        )
