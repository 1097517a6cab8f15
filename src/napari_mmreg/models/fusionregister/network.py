"""FusionRegister: correct a fused image where its sources were misaligned.

Bian et al.: FusionRegister: Every Infrared and Visible Image Fusion Deserves Registration
(CVPR 2026, arXiv:2603.07667). Localisation finds a field phi and a gate M at every scale, location
registration warps the fused image by them, and the modality retention block adds a bias.

The paper's blend ``M W(phi) + (1 - M) W(-phi)`` is the same under ``(M, phi) -> (1 - M, -phi)``:
M is a direction, not a probability, and phi has no sign of its own. Ours: phi is taught the true
displacement of the moving image against the fixed one, so that it is a registration and M says how
far the fused content goes along: with phi where it comes from the moving image (M = 1), not at all
where it comes from the fixed one (M = 1/2). The fused content moves by the expected displacement
``(2 M - 1) phi``. Where the pair was misregistered is the answer of a head of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.localisation import Localisation, MatchingLocalisation
from napari_mmreg.models.fusionregister.paper import PaperLocalisation
from napari_mmreg.models.fusionregister.retention import Attention, RetentionBlock
from napari_mmreg.models.fusionregister.warping import corrected, fused_flow
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.sampling import check_sides, fill_outside, warp

MULTIPLE = 8
"""Sides of the images are multiples of this."""


@dataclass(slots=True)
class Answer:
    """What a forward pass makes.

    Attributes
    ----------
    flow : Tensor of shape (B, 2, H, W)
        phi, fixed to moving, (x, y) in pixels: ``moving(p + flow(p))`` belongs to ``fixed(p)``.
    gate : Tensor of shape (B, 1, H, W)
        M, in [0, 1].
    warped : Tensor of shape (B, 1, H, W)
        The fused image, warped.
    fused : Tensor of shape (B, 1, H, W)
        The corrected fused image: warped, and with the bias. Clamped to [0, 1] unless training.
    misregistered : Tensor of shape (B, 1, H / 4, W / 4)
        Log-odds that the pair was displaced by more than 2 px at 256-px scale.
    log_scale : Tensor of shape (B, 1, H / 4, W / 4)
        Logarithm of the expected length of the error of `flow`, in pixels.
    localisation : Localisation
    attention : pair of Attention, or None
        What the retention block took from the image as a whole.
    """

    flow: Tensor
    gate: Tensor
    warped: Tensor
    fused: Tensor
    misregistered: Tensor
    log_scale: Tensor
    localisation: Localisation
    attention: tuple[Attention, Attention] | None

    @property
    def fused_flow(self) -> Tensor:
        """By how much the fused image moves, (B, 2, H, W): (2 M - 1) phi."""
        return fused_flow(self.flow, self.gate)


def detail_extractor(channels: int) -> nn.Sequential:
    """Return convolutions from an image to features at full resolution."""
    return nn.Sequential(conv(1, channels), nn.GELU(), conv(channels, channels), nn.GELU())


class FusionRegister(nn.Module):
    """Localisation, location registration and modality retention.

    Parameters
    ----------
    config : FusionRegisterConfig, optional
    """

    def __init__(self, config: FusionRegisterConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FusionRegisterConfig()
        paper = config.localisation == "paper"
        self.localisation: nn.Module = (
            PaperLocalisation(config) if paper else MatchingLocalisation(config)
        )
        if config.retention:
            # The paper's localisation describes images at full resolution itself.
            names = () if paper else ("fixed", "moving", "fused")
            self.details = nn.ModuleDict({name: detail_extractor(config.detail) for name in names})
            self.retention = RetentionBlock(config.detail, config.windows)

    def localise(
        self,
        fixed: Tensor,
        moving: Tensor,
        fused: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
        start: Tensor | None = None,
        *,
        hold: bool = False,
    ) -> Localisation:
        """Find field and gate alone; arguments as of `forward`.

        Raises
        ------
        ValueError
            If a side is not a multiple of 8.
        """
        check_sides(fixed, MULTIPLE)
        found: Localisation = self.localisation(
            fixed, moving, fused, (fixed_mask, moving_mask), start, hold=hold
        )
        return found

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fused: Tensor,
        fixed_mask: Tensor | None = None,
        moving_mask: Tensor | None = None,
        start: Tensor | None = None,
        attention: tuple[Attention, Attention] | None = None,
        *,
        hold: bool = False,
    ) -> Answer:
        """Correct a batch of fused images.

        Parameters
        ----------
        fixed, moving, fused : Tensor of shape (B, 1, H, W)
            Luminances in [0, 1]; sides are multiples of 8.
        fixed_mask, moving_mask : Tensor of shape (B, 1, H, W), optional
            Where the images have data.
        start : Tensor of shape (B, 2, H, W), optional
            Where the search begins, (x, y) in pixels, if that is known to be nearly right.
        attention : pair of Attention, optional
            That of the whole image, for its tiles.
        hold : bool
            The field stays as it starts: what is known is not looked for.
        """
        found = self.localise(fixed, moving, fused, fixed_mask, moving_mask, start, hold=hold)
        warped = corrected(fused, found.flow, found.gate, self.config.warping)
        result, used = warped, None
        if self.config.retention:
            features = found.detail or self._details(
                fill_outside(fixed, fixed_mask), fill_outside(moving, moving_mask), warped, found
            )
            bias, used = self.retention(*features, attention)
            result = warped + bias
        if not self.training:
            result = result.clamp(0, 1)
        return Answer(
            found.flow,
            found.gate,
            warped,
            result,
            found.misregistered,
            found.log_scale,
            found,
            used,
        )

    def _details(
        self, fixed: Tensor, moving: Tensor, warped: Tensor, found: Localisation
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return features at full resolution: fused and corrected, fixed, moving and warped."""
        # Warping one image is cheaper than warping its features, and shows the same.
        registered = warp(moving, found.flow)
        return (
            self.details["fused"](warped),
            self.details["fixed"](fixed),
            self.details["moving"](registered),
        )


def probability(misregistered: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return log-odds at stride 4 as a probability (B, 1, H, W)."""
    return _enlarge(misregistered, shape).sigmoid()


def expected_error(log_scale: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the expected length of the error in pixels, (B, 1, H, W)."""
    return _enlarge(log_scale, shape).exp()


def _enlarge(values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.nn.functional.interpolate(values, size=shape, mode="bilinear")
