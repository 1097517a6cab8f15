"""The paper's localisation: U-shaped convolutions at strides 1 and 2, without any correlation.

Bian et al., FusionRegister (CVPR 2026), section 3, sizes as in the released code at the width that
gives the published number of parameters; after MIMO-UNet (Cho et al., ICCV 2021). As in the text,
and unlike the code, source features join in where field and gate are read. Images are luminances
here. It is built and tested, not trained: learning a field from stacked features takes the paper's
5000 epochs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_mmreg.models.fusionregister.config import FusionRegisterConfig
from napari_mmreg.models.fusionregister.localisation import Judge, Localisation, Masks
from napari_mmreg.models.fusionregister.warping import corrected
from napari_mmreg.nn.conv import conv
from napari_mmreg.nn.sampling import doubled, fill_outside, upsample_flow, warp


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a depthwise-separable convolution."""
    return nn.Sequential(
        conv(inputs, inputs, stride=stride, groups=inputs, bias=False),
        conv(inputs, outputs, 1, bias=False),
    )


class PlainBlock(nn.Module):
    """Convolution, ReLU, convolution and skip; no normalisation, no bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels, bias=False), nn.ReLU(), conv(channels, channels, bias=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        mixed: Tensor = features + self.body(features)
        return mixed


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(PlainBlock(channels) for _ in range(count)))


class Reader(nn.Module):
    """Field and gate of one scale, from features of the fused image and of both sources."""

    def __init__(self, channels: int, sources: int) -> None:
        super().__init__()
        self.join = conv(channels + sources, channels, 1)
        self.field = separable(channels, 2)
        self.gate = separable(channels, 1)
        nn.init.normal_(self.field[-1].weight, std=1e-3)  # type: ignore[arg-type]

    def forward(self, features: Tensor, sources: Tensor) -> tuple[Tensor, Tensor]:
        """Return the field (B, 2, h, w), in cells, and the gate's logit (B, 1, h, w)."""
        seen = F.relu(self.join(torch.cat([features, sources], 1)))
        return self.field(seen), self.gate(seen)


class PaperLocalisation(nn.Module):
    """Localisation as the paper has it.

    Parameters
    ----------
    config : FusionRegisterConfig
    """

    def __init__(self, config: FusionRegisterConfig) -> None:
        super().__init__()
        self.warping = config.warping
        width, count = config.width, config.blocks
        double = 2 * width
        self.enter = nn.Sequential(separable(1, width), _blocks(width, count))
        self.down = separable(width, double, stride=2)
        self.shallow = nn.Sequential(
            conv(1, width), nn.ReLU(), conv(width, width, 1), nn.ReLU(), conv(width, double - 1, 1)
        )
        self.join_shallow = conv(double, double, 1)
        self.attend = conv(double, double, bias=False)
        self.at_half = _blocks(double, count)
        self.merge_whole = nn.Sequential(conv(3 * width, width), nn.ReLU(), conv(width, width, 1))
        self.merge_half = nn.Sequential(conv(3 * width, double), nn.ReLU(), conv(double, double, 1))
        self.sources = nn.ModuleDict(
            {
                name: nn.Sequential(separable(1, width), _blocks(width, count))
                for name in ("fixed", "moving")
            }
        )
        self.decode_half = _blocks(double, count)
        self.read_half = Reader(double, double)
        self.up = nn.Sequential(separable(2 * double, double), conv(double, 4 * width, bias=False))
        self.join_whole = conv(2 * width, width, 1)
        self.decode_whole = _blocks(width, count)
        self.read_whole = Reader(width, double)
        self.judge = Judge(double)

    def forward(
        self,
        fixed: Tensor,
        moving: Tensor,
        fused: Tensor,
        masks: Masks,
        start: Tensor | None,
        *,
        hold: bool = False,
    ) -> Localisation:
        """Localise; the moving image is warped by `start` (B, 2, H, W) first.

        With `hold` the field is `start`, and only the gate is looked for.
        """
        size = (fixed.shape[-2], fixed.shape[-1])
        moving = fill_outside(moving, masks[1])
        if start is not None:
            moving = warp(moving, start)
        one = self.sources["fixed"](fill_outside(fixed, masks[0]))
        other = self.sources["moving"](moving)
        sources = torch.cat([one, other], 1)
        whole, half = self._encode(fused)
        decoded = self.decode_half(half)
        field, gate = self.read_half(decoded, sources[..., ::2, ::2])
        mixed = corrected(decoded, field, gate.sigmoid(), self.warping)
        raised = F.pixel_shuffle(self.up(torch.cat([decoded, mixed], 1)), 2)
        features = self.decode_whole(self.join_whole(torch.cat([raised, whole], 1)))
        more, logit = self.read_whole(features, sources)
        rest = torch.zeros_like(more) if hold else more + upsample_flow(field, size)
        flow = rest if start is None else rest + start
        gate = logit.sigmoid()
        detail = (corrected(features, flow, gate, self.warping), one, warp(other, rest))
        log_scale, misregistered = self.judge(decoded[..., ::2, ::2], flow)
        return Localisation(flow, gate, log_scale, misregistered, {}, {1: flow}, None, detail)

    def _encode(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """Return features of the fused image at strides 1 and 2, each knowing the other."""
        small = fused[..., ::2, ::2]
        whole = self.enter(fused)
        half = self.down(whole)
        shallow = self.join_shallow(torch.cat([self.shallow(small), small], 1))
        half = self.at_half(half + self.attend(half * shallow))
        raised = doubled(half, whole.shape[-2:])
        return (
            self.merge_whole(torch.cat([whole, raised], 1)),
            self.merge_half(torch.cat([half, whole[..., ::2, ::2]], 1)),
        )
