"""Appearance randomisation: what one image might look like to another sensor.

Every operation works at once on all samples of the batch that it is switched on for, with its
own random strength per sample. Random numbers come from a CPU generator, dense noise from a
fixed bank on the device, so that a seed gives the same images on every device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.sampling import gaussian_blur
from napari_mmreg.training.filters import blur_each


@dataclass(frozen=True, slots=True)
class AppearanceConfig:
    """Shares of samples that an operation touches, and its largest strength.

    The shares are per image: fixed and moving are drawn independently. With `strength` 0
    nothing is changed, with 1 everything is as described.
    """

    strength: float = 1.0
    gamma_share: float = 0.5
    gamma: float = 0.7  # |log gamma|
    curve_share: float = 0.35
    curve_monotone: float = 0.6  # of the curves
    invert_share: float = 0.2
    thermal_share: float = 0.2
    local_share: float = 0.2
    blur_share: float = 0.3
    blur: float = 1.6  # sigma in px
    speckle_share: float = 0.15
    speckle: float = 0.4
    noise_share: float = 0.4
    noise: float = 0.06
    vignette_share: float = 0.25
    vignette: float = 0.5
    occlusion_share: float = 0.1
    occlusion: float = 0.3  # of a side
    contrast_share: float = 0.3
    # On mono-modal samples one image gets a strong change of sensor at least this often.
    mono_share: float = 0.9


class NoiseBank:
    """Fixed Gaussian noise maps on a device; a draw takes some, shifted, mirrored and signed."""

    def __init__(self, size: int = 384, maps: int = 24, device: torch.device | str = "cpu") -> None:
        generator = torch.Generator().manual_seed(20)
        self.maps = torch.randn(maps, size, size, generator=generator).to(device)

    def draw(
        self, batch: int, channels: int, shape: tuple[int, int], generator: torch.Generator
    ) -> Tensor:
        """Return (batch, channels, H, W) standard normal noise."""
        count, size = self.maps.shape[0], self.maps.shape[-1]
        chosen = torch.randint(count, (batch * channels,), generator=generator)
        sign = torch.randint(2, (batch * channels, 1, 1), generator=generator) * 2 - 1
        top, left, flip = (int(v) for v in torch.randint(size, (3,), generator=generator))
        rows, cols = shape
        repeat = (math.ceil(rows / size), math.ceil(cols / size))
        maps = self.maps[chosen.to(self.maps.device)].roll((top, left), (1, 2))
        maps = maps.repeat(1, *repeat)[:, :rows, :cols] * sign.to(self.maps)
        if flip % 2:
            maps = maps.flip(2)
        return maps.view(batch, channels, rows, cols)


def stretch(image: Tensor, mask: Tensor | None = None, tail: float = 0.01) -> Tensor:
    """Scale each image to [0, 1] between its `tail` and 1 - `tail` quantiles inside the mask.

    Quantiles are taken over all channels on every third pixel, images of one value become 0.
    """
    coarse = image[..., ::3, ::3]
    flat = coarse.flatten(1)
    if mask is not None:
        known = mask[..., ::3, ::3].expand_as(coarse).flatten(1)
        flat = torch.where(known, flat, torch.full_like(flat, float("nan")))
    ordered = flat.sort(dim=1).values  # NaN sorts last
    count = (~ordered.isnan()).sum(1, keepdim=True).clamp_min(1)
    low = ordered.gather(1, ((count - 1) * tail).long())
    high = ordered.gather(1, ((count - 1) * (1 - tail)).round().long())
    low = low.nan_to_num(0.0).view(-1, 1, 1, 1)
    high = high.nan_to_num(1.0).view(-1, 1, 1, 1)
    return ((image - low) / (high - low).clamp_min(1e-3)).clamp(0.0, 1.0)


def tone_curve(image: Tensor, knots: Tensor) -> Tensor:
    """Map grey values in [0, 1] through piecewise linear curves.

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W)
    knots : Tensor of shape (B, K)
        The curve's values at K places equally spaced over [0, 1].
    """
    last = knots.shape[1] - 1
    place = image.clamp(0.0, 1.0) * last
    left = place.floor().clamp_max(last - 1)
    share = place - left
    index = left.long().flatten(1)
    start = knots.gather(1, index).view_as(image)
    stop = knots.gather(1, index + 1).view_as(image)
    return start + (stop - start) * share


def thermal_map(image: Tensor, frequency: Tensor, phase: Tensor) -> Tensor:
    """Give grey values the many-to-one look of thermal images: cos(w (v - 1/2) + phase).

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W), in [0, 1]
    frequency, phase : Tensor of shape (B,)
        In radians per unit of grey value, and radians.

    References
    ----------
    Tuzcuoglu, O. et al. (2024), XoFTR: Cross-modal feature matching transformer, CVPRW; the
    idea of the cosine and its range of frequencies.
    """
    angle = frequency.view(-1, 1, 1, 1) * (image - 0.5) + phase.view(-1, 1, 1, 1)
    return 0.5 + 0.5 * torch.cos(angle)


def local_contrast(image: Tensor, sigma: float = 9.0) -> Tensor:
    """Divide out the local mean and spread, as local equalisation does; result in [0, 1]."""
    rows, cols = image.shape[-2:]
    small = F.avg_pool2d(image, 4, ceil_mode=True, count_include_pad=False)
    square = F.avg_pool2d(image.square(), 4, ceil_mode=True, count_include_pad=False)
    mean = gaussian_blur(small, sigma / 4)
    spread = (gaussian_blur(square, sigma / 4) - mean.square()).clamp_min(0.0).sqrt()
    size = {"size": (rows, cols), "mode": "bilinear", "align_corners": False}
    mean, spread = (F.interpolate(v, **size) for v in (mean, spread))  # type: ignore[arg-type]
    return (0.5 + (image - mean) / (4.0 * spread + 0.08)).clamp(0.0, 1.0)


class Appearance:
    """Draws how a batch of images is seen; `tone` and `degrade` use one and the same draw.

    Parameters
    ----------
    batch : int
        Number of images.
    config : AppearanceConfig
    generator : torch.Generator
        On the CPU.
    mono : Tensor of bool, shape (B,), optional
        Images that need a strong change of sensor (see `AppearanceConfig.mono_share`).
    device : torch device
    """

    def __init__(
        self,
        batch: int,
        config: AppearanceConfig,
        generator: torch.Generator,
        mono: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        def rand(*extra: int) -> Tensor:
            return torch.rand(batch, *extra, generator=generator)

        def switch(share: float) -> Tensor:
            return rand() < share * config.strength

        change = switch(config.mono_share) & (mono if mono is not None else torch.tensor(False))
        which = torch.randint(3, (batch,), generator=generator)
        self._on = {
            "gamma": switch(config.gamma_share),
            "curve": switch(config.curve_share) | (change & (which == 0)),
            "invert": switch(config.invert_share) ^ (change & (which == 1)),
            "thermal": switch(config.thermal_share) | (change & (which == 2)),
            "local": switch(config.local_share),
            "blur": switch(config.blur_share),
            "speckle": switch(config.speckle_share),
            "noise": switch(config.noise_share),
            "vignette": switch(config.vignette_share),
            "occlusion": switch(config.occlusion_share),
            "contrast": switch(config.contrast_share),
        }
        self._gamma = torch.exp((2 * rand() - 1) * config.gamma * config.strength)
        self._knots = _draw_knots(rand, config.curve_monotone)
        self._frequency = math.pi * (0.8 + 1.2 * rand())
        self._phase = 2 * math.pi * rand()
        self._blur = 0.4 + (config.blur - 0.4) * rand()
        self._speckle = config.speckle * (0.3 + 0.7 * rand())
        self._noise = config.noise * rand()
        self._grain = rand() < 0.4
        self._vignette = config.vignette * rand()
        self._centre = 2 * rand(2) - 1
        self._box = torch.cat([rand(2), config.occlusion * (0.2 + 0.8 * rand(2)), rand(1)], 1)
        self._contrast = torch.stack([0.35 + 0.65 * rand(), rand()], 1)
        self._generator = generator
        self._device = torch.device(device)

    def _apply(
        self, name: str, image: Tensor, change: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Change the samples that an operation is switched on for; `change` gets their numbers."""
        chosen = self._on[name].nonzero().flatten().to(self._device)
        if not len(chosen):
            return image
        return image.index_copy(0, chosen, change(image[chosen], chosen))

    def _of(self, values: Tensor, chosen: Tensor) -> Tensor:
        return values.to(self._device)[chosen].view(-1, 1, 1, 1)

    def tone(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply what depends on grey values only; (B, C, H, W) in and out, in [0, 1]."""
        image = stretch(image, mask)
        image = self._apply(
            "gamma", image, lambda v, i: v.clamp_min(1e-4) ** self._of(self._gamma, i)
        )
        image = self._apply("curve", image, lambda v, i: tone_curve(v, self._knots.to(v)[i]))
        image = self._apply("thermal", image, self._warm)
        image = self._apply("invert", image, lambda v, _: 1.0 - v)
        image = self._apply("local", image, lambda v, _: local_contrast(v))
        return stretch(image, mask, 0.005)

    def degrade(self, image: Tensor, bank: NoiseBank) -> Tensor:
        """Apply what a sensor's optics and electronics add; (B, C, H, W), in [0, 1]."""
        image = self._apply("blur", image, self._soften)
        image = self._apply("vignette", image, self._shade)
        image = self._apply("speckle", image, lambda v, i: self._grainy(v, i, bank))
        image = self._apply("noise", image, lambda v, i: self._noisy(v, i, bank))
        image = self._apply("occlusion", image, self._occlude).clamp(0.0, 1.0)
        return self._apply("contrast", image, self._flatten)

    def _warm(self, image: Tensor, chosen: Tensor) -> Tensor:
        frequency, phase = (v.to(image)[chosen] for v in (self._frequency, self._phase))
        return thermal_map(gaussian_blur(image, 0.8), frequency, phase)

    def _soften(self, image: Tensor, chosen: Tensor) -> Tensor:
        sigma = self._blur.to(image)[chosen]
        return blur_each(image, sigma, sigma, largest=2.0)

    def _grainy(self, image: Tensor, chosen: Tensor, bank: NoiseBank) -> Tensor:
        noise = bank.draw(len(image), 1, _shape(image), self._generator)
        factor = torch.exp(self._of(self._speckle, chosen) * 2.0 * gaussian_blur(noise, 0.6))
        # Room above for bright speckle, so that bright areas are not clipped to white.
        return stretch((image + 0.04) * factor, None, 0.005)

    def _noisy(self, image: Tensor, chosen: Tensor, bank: NoiseBank) -> Tensor:
        noise = bank.draw(len(image), image.shape[1], _shape(image), self._generator)
        coarse = gaussian_blur(noise, 1.0) * 3.0
        noise = torch.where(self._of(self._grain, chosen), coarse, noise)
        return image + self._of(self._noise, chosen) * noise

    def _flatten(self, image: Tensor, chosen: Tensor) -> Tensor:
        gain = self._of(self._contrast[:, 0], chosen)
        return image * gain + (1 - gain) * self._of(self._contrast[:, 1], chosen)

    def _axes(self, image: Tensor) -> tuple[Tensor, Tensor]:
        rows, cols = image.shape[-2:]
        y = torch.linspace(-1, 1, rows, device=image.device).view(1, 1, rows, 1)
        x = torch.linspace(-1, 1, cols, device=image.device).view(1, 1, 1, cols)
        return x, y

    def _shade(self, image: Tensor, chosen: Tensor) -> Tensor:
        x, y = self._axes(image)
        radius = (x - self._of(self._centre[:, 0], chosen)).square()
        radius = radius + (y - self._of(self._centre[:, 1], chosen)).square()
        return image * (1.0 - self._of(self._vignette, chosen) * (radius / 2.0).clamp_max(1.0))

    def _occlude(self, image: Tensor, chosen: Tensor) -> Tensor:
        x, y = self._axes(image)
        left, top, width, height, value = (self._of(v, chosen) for v in self._box.unbind(1))
        hidden = ((x - (2 * left - 1)).abs() < width) & ((y - (2 * top - 1)).abs() < height)
        return torch.where(hidden, value, image)


def _shape(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def _draw_knots(draw: Callable[..., Tensor], monotone: float) -> Tensor:
    """Draw curves of 6 knots: monotone ones from sorted values, the others from any."""
    values = draw(6)
    rising = torch.cat([torch.zeros_like(values[:, :1]), values[:, :4].sort(1).values], 1)
    rising = torch.cat([rising, torch.ones_like(values[:, :1])], 1)
    return torch.where(draw(1) < monotone, rising, values)
