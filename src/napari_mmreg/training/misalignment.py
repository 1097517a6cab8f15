"""Synthetic misalignment with exact ground truth, batched, on any device.

A misalignment is ``F(p) = M (p + u(p))``: fixed pixel to moving pixel, `M` a homography, `u` an
elastic field that is bilinear between the pixels of a dense lattice. So the flow is known
exactly at every pixel, and the moving image is rendered through the inverse of `F`, which is
solved to a thousandth of a pixel: nothing is ever inverted by a nearest-neighbour search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.sampling import pixel_grid, sample
from napari_mmreg.training.filters import blur_each

if TYPE_CHECKING:
    from napari_mmreg.training.tiers import Tier

# The elastic lattice covers the frame and this share of its side beyond each border.
_MARGIN = 0.25
# Largest Jacobian norm of the elastic part: below 1 the map has an inverse, and the fixed-point
# iteration that finds it contracts by this factor each time.
_STEEPEST = 0.7
_ITERATIONS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Misalignment:
    """A batch of maps from fixed pixels to moving pixels.

    Attributes
    ----------
    matrix : Tensor of shape (B, 3, 3)
        The global part `M`, homogeneous.
    field : Tensor of shape (B, 2, H + 2 my, W + 2 mx), or None
        The elastic part `u` on the frame and its margins, in px; None: there is none.
    shape : tuple of int
        H, W of the frame, fixed and moving alike.

    Notes
    -----
    *Convention*: points and vectors are (x, y) in pixels, pixel centres at integers, fixed to
    moving (pull). `matrix` acts on columns ``(x, y, 1)``.
    """

    matrix: Tensor
    field: Tensor | None
    shape: tuple[int, int]

    def forward(self, points: Tensor) -> Tensor:
        """Map fixed (B, h, w, 2) to moving points."""
        return apply_matrix(self.matrix, points + self._elastic(points))

    def inverse(self, points: Tensor) -> Tensor:
        """Map moving (B, h, w, 2) to fixed points: ``forward(inverse(q)) == q``."""
        target = apply_matrix(torch.linalg.inv(self.matrix), points)
        if self.field is None:
            return target
        bent = self.field.flatten(1).abs().amax(1).nonzero().flatten()
        if not len(bent):
            return target
        elastic = Misalignment(self.matrix[bent], self.field[bent], self.shape)
        return target.index_copy(0, bent, elastic._solve(target[bent]))

    def _solve(self, target: Tensor) -> Tensor:
        """Find x with x + u(x) = target by the fixed-point iteration."""
        found = target
        for turn in range(_ITERATIONS):
            previous, found = found, target - self._elastic(found)
            if turn % 3 == 2 and float((found - previous).abs().max()) < 3e-4:
                break
        return found

    def flow(self) -> Tensor:
        """Return the true flow, (B, 2, H, W): channel 0 is x, channel 1 is y, in px."""
        grid = pixel_grid(*self.shape, self.matrix).expand(self.matrix.shape[0], -1, -1, -1)
        return (self.forward(grid) - grid).permute(0, 3, 1, 2).contiguous()

    def _elastic(self, points: Tensor) -> Tensor:
        if self.field is None:
            return torch.zeros_like(points)
        my, mx = margins(self.shape)
        shifted = points + points.new_tensor([mx, my])
        return sample(self.field, shifted).permute(0, 2, 3, 1)


def margins(shape: tuple[int, int]) -> tuple[int, int]:
    """Return how far the elastic lattice reaches beyond the frame: rows, columns."""
    return round(shape[0] * _MARGIN), round(shape[1] * _MARGIN)


def apply_matrix(matrix: Tensor, points: Tensor) -> Tensor:
    """Map (B, h, w, 2) points by (B, 3, 3) homogeneous matrices; *Convention*: (x, y)."""
    x, y = points.unbind(-1)
    m = matrix[:, :, :, None, None]
    mapped = [m[:, i, 0] * x + m[:, i, 1] * y + m[:, i, 2] for i in range(3)]
    depth = mapped[2].clamp_min(1e-6)
    return torch.stack([mapped[0] / depth, mapped[1] / depth], dim=-1)


def inside(points: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a (B, 1, h, w) bool: which (B, h, w, 2) points lie in a frame of H x W pixels."""
    limit = points.new_tensor([shape[1] - 1.0, shape[0] - 1.0])
    # Half a thousandth of a pixel of rounding is not "outside".
    within = (points >= -5e-4) & (points <= limit + 5e-4)
    return within.all(dim=-1).unsqueeze(1)


def draw_misalignment(
    tiers: Sequence[Tier],
    shape: tuple[int, int],
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> Misalignment:
    """Draw one misalignment per entry of `tiers`.

    Parameters
    ----------
    tiers : sequence of Tier, length B
        The ranges of each sample.
    shape : tuple of int
        H, W of the frame.
    generator : torch.Generator
        On the CPU whatever the device, so that every device gets the same numbers.
    device : torch device
        Where the result lives.
    """
    matrix = draw_matrices(tiers, shape, generator)
    field = None
    if any(tier.elastic[1] > 0 for tier in tiers):
        field = draw_elastic(tiers, shape, generator, device)
    return Misalignment(matrix.float().to(device), field, shape)


def _uniform(low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(low.shape, generator=generator, dtype=low.dtype)


def draw_matrices(
    tiers: Sequence[Tier], shape: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Draw the global parts, (B, 3, 3) float64: translate, rotate and scale, perspective."""

    def spread(values: list[float]) -> Tensor:
        high = torch.tensor(values, dtype=torch.float64)
        return _uniform(-high, high, generator)

    rows, cols = shape
    angle = spread([math.radians(t.rotation) for t in tiers])
    shear = spread([t.shear for t in tiers])
    shift_x = spread([t.translation * cols for t in tiers])
    shift_y = spread([t.translation * rows for t in tiers])
    tilt_x = spread([t.perspective for t in tiers])
    tilt_y = spread([t.perspective for t in tiers])
    low = torch.tensor([t.scale[0] for t in tiers], dtype=torch.float64)
    high = torch.tensor([t.scale[1] for t in tiers], dtype=torch.float64)
    scale_x = _uniform(low, high, generator)
    scale_y = _uniform(low, high, generator)
    per_axis = torch.tensor([t.per_axis for t in tiers])
    scale_y = torch.where(per_axis, scale_y, scale_x)

    def assemble(entries: list[list[Tensor | float]]) -> Tensor:
        one = torch.ones_like(angle)
        return torch.stack([torch.stack([one * e for e in row], -1) for row in entries], -2)

    cos, sin = torch.cos(angle), torch.sin(angle)
    rotate = assemble([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    stretch = assemble([[scale_x, scale_x * shear, 0.0], [0.0, scale_y, 0.0], [0.0, 0.0, 1.0]])
    shift = assemble([[1.0, 0.0, shift_x], [0.0, 1.0, shift_y], [0.0, 0.0, 1.0]])
    tilt = assemble([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [tilt_x, tilt_y, 1.0]])
    centre = torch.eye(3, dtype=torch.float64)
    centre[0, 2], centre[1, 2] = (cols - 1) / 2, (rows - 1) / 2
    unit = torch.tensor(
        [[2 / (cols - 1), 0, -1], [0, 2 / (rows - 1), -1], [0, 0, 1]], dtype=torch.float64
    )
    around = centre @ shift @ rotate @ stretch @ torch.linalg.inv(centre)
    matrices: Tensor = around @ torch.linalg.inv(unit) @ tilt @ unit
    return matrices


def draw_elastic(
    tiers: Sequence[Tier],
    shape: tuple[int, int],
    generator: torch.Generator,
    device: torch.device | str,
) -> Tensor:
    """Draw the elastic parts, (B, 2, H + 2 my, W + 2 mx), in px of the frame.

    White noise on a lattice of 4 px (at 256 scale) is smoothed by a Gaussian of its own for
    every sample, brought to full resolution by bicubic interpolation, and scaled so that its
    largest vector inside the frame is what the tier asks for, less where it would fold.
    """
    batch, (rows, cols) = len(tiers), shape
    my, mx = margins(shape)
    lattice = round(64 * (1 + 2 * _MARGIN))
    noise = torch.randn(batch, 2, lattice, lattice, generator=generator)
    low = torch.tensor([t.elastic[0] for t in tiers])
    largest = _uniform(low, torch.tensor([t.elastic[1] for t in tiers]), generator)
    low = torch.tensor([t.sigma[0] for t in tiers])
    sigma = _uniform(low, torch.tensor([t.sigma[1] for t in tiers]), generator) / 4.0

    sigma = sigma.to(device)
    smooth = blur_each(noise.to(device), sigma, sigma, largest=5.0, padding="reflect")
    field = F.interpolate(
        smooth, size=(rows + 2 * my, cols + 2 * mx), mode="bicubic", align_corners=True
    )
    frame = field[..., my : my + rows, mx : mx + cols]
    length = frame.square().sum(1).sqrt().flatten(1).amax(1).clamp_min(1e-12)
    per_axis = field.new_tensor([cols / 256.0, rows / 256.0]).view(1, 2, 1, 1)
    field = field * (largest.to(device) / length).view(-1, 1, 1, 1) * per_axis
    gentle = (_STEEPEST / _steepness(field).clamp_min(1e-12)).clamp_max(1.0)
    return field * gentle.view(-1, 1, 1, 1)


def _steepness(field: Tensor) -> Tensor:
    """Return the largest Frobenius norm of each field's Jacobian, (B,)."""
    dx = (field[..., :-1, 1:] - field[..., :-1, :-1]).square().sum(1)
    dy = (field[..., 1:, :-1] - field[..., :-1, :-1]).square().sum(1)
    return (dx + dy).flatten(1).amax(1).sqrt()
