"""Which part of a picture a training sample shows, and what lies beyond its borders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_mmreg.nn.sampling import pixel_grid, sample
from napari_mmreg.training.filters import blur_each
from napari_mmreg.training.misalignment import Misalignment, apply_matrix, inside


@dataclass(frozen=True, slots=True)
class ViewConfig:
    """How frames are laid over pictures.

    Attributes
    ----------
    cut_share : float
        Share of samples whose moving image ends where the fixed frame ends, as when a picture
        is warped on its own canvas; in the others it shows real content beyond the frame.
    whole_share : float
        Among the cut ones, the share whose frame is the whole picture.
    smallest : float
        Smallest part of what fits that a frame covers, per axis.
    rotated_share, rotation : float
        Share of samples whose fixed frame is itself rotated, and by how many degrees at most.
    flips : bool
        Mirror pictures, both images alike.
    enlarge : float
        Picture pixels per frame pixel are at least 1 / enlarge; beyond it frames leave the
        picture.
    """

    cut_share: float = 0.5
    whole_share: float = 0.4
    smallest: float = 0.65
    rotated_share: float = 0.3
    rotation: float = 15.0
    flips: bool = True
    enlarge: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A batch of affine maps from frame pixels to picture pixels.

    Attributes
    ----------
    matrix : Tensor of shape (B, 3, 3)
        *Convention*: acts on (x, y, 1), pixel centres at integers.
    cut : Tensor of bool, shape (B,)
        The moving image ends at the fixed frame.
    step : Tensor of shape (B, 2)
        Picture pixels per frame pixel along x and y of the picture.
    """

    matrix: Tensor
    cut: Tensor
    step: Tensor

    def to(self, device: torch.device | str) -> View:
        """Return the view on a device."""
        return View(self.matrix.to(device), self.cut.to(device), self.step.to(device))


def whole_view(sizes: Tensor, shape: tuple[int, int], part: float = 1.0) -> View:
    """Lay frames over the middle of pictures, each axis stretched to fit.

    Parameters
    ----------
    sizes : Tensor of shape (B, 2)
        Width and height of each picture.
    shape : tuple of int
        H, W of the frame.
    part : float
        Share of each axis that the frame covers; 1: the frame is the whole picture and the
        moving image is cut there.
    """
    rows, cols = shape
    span = (sizes.double() - 1).clamp_min(1)
    step = part * span / torch.tensor([cols - 1.0, rows - 1.0], dtype=torch.float64)
    matrix = torch.zeros(len(sizes), 3, 3, dtype=torch.float64)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, 2, 2] = step[:, 0], step[:, 1], 1.0
    matrix[:, :2, 2] = 0.5 * (1.0 - part) * span
    cut = torch.full((len(sizes),), part >= 1.0)
    return View(matrix.float(), cut, step.float())


def draw_view(
    sizes: Tensor,
    misalignment_matrix: Tensor,
    shape: tuple[int, int],
    config: ViewConfig,
    generator: torch.Generator,
) -> View:
    """Draw where the frames lie, so that as much of them as possible shows real content.

    Parameters
    ----------
    sizes : Tensor of shape (B, 2)
        Width and height of each picture.
    misalignment_matrix : Tensor of shape (B, 3, 3)
        Fixed to moving pixels; the area that the moving image shows is kept in the picture
        too, unless it is cut.
    shape : tuple of int
        H, W of the frame.
    generator : torch.Generator
        On the CPU; so is the result.
    """
    batch, (rows, cols) = len(sizes), shape

    def rand(*extra: int) -> Tensor:
        return torch.rand(batch, *extra, generator=generator, dtype=torch.float64)

    cut = rand() < config.cut_share
    whole = cut & (rand() < config.whole_share)
    angle = torch.where(rand() < config.rotated_share, 2 * rand() - 1, torch.zeros(batch))
    angle = torch.where(whole, torch.zeros_like(angle), angle) * math.radians(config.rotation)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    mirror = torch.where(rand(2) < (0.5 if config.flips else 0.0), -1.0, 1.0).double()
    turn = mirror[:, :, None] * turn

    # Corners of what must be seen, in frame pixels turned and mirrored.
    corners = torch.tensor(
        [[0.0, 0.0], [cols - 1.0, 0.0], [0.0, rows - 1.0], [cols - 1.0, rows - 1.0]],
        dtype=torch.float64,
    ).expand(batch, 4, 2)
    back = torch.linalg.inv(misalignment_matrix.double().cpu())
    moved = apply_matrix(back, corners.unsqueeze(1)).squeeze(1)
    moved = torch.where(cut[:, None, None], corners, moved)
    seen = torch.cat([corners, moved], 1) @ turn.transpose(1, 2)
    low, high = seen.amin(1), seen.amax(1)
    extent = (high - low).clamp_min(1.0)

    span = (sizes.double() - 1).clamp_min(1)
    fit = span / extent
    # Between a frame stretched to the picture's shape and one with square pixels.
    stretched = rand(1)
    square = fit.amin(1, keepdim=True).expand(-1, 2)
    part = config.smallest + (1 - config.smallest) * rand(1)
    step = part * fit.pow(stretched) * square.pow(1 - stretched)
    step = torch.where(whole[:, None], fit, step.clamp_min(1.0 / config.enlarge))
    slack = span - step * extent
    start = torch.where(slack > 0, slack * rand(2), slack / 2)

    matrix = torch.zeros(batch, 3, 3, dtype=torch.float64)
    matrix[:, :2, :2] = step[:, :, None] * turn
    matrix[:, :2, 2] = start - step * low
    matrix[:, 2, 2] = 1.0
    return View(matrix.float(), cut, step.float())


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a misalignment and a view show, before appearance.

    Attributes
    ----------
    fixed, moving, aligned : Tensor of shape (B, C, H, W)
        `aligned` is the moving picture in the fixed frame, rendered directly (not warped).
        Beyond the pictures the nearest pixel is repeated.
    fixed_mask, moving_mask : Tensor of bool, shape (B, 1, H, W)
        Where the images have data.
    valid : Tensor of bool, shape (B, 1, H, W)
        Fixed pixels that both images show.
    inverse_flow : Tensor of shape (B, 2, H, W)
        The exact flow the other way: moving pixels to fixed pixels, (x, y) in px.
    inverse_valid : Tensor of bool, shape (B, 1, H, W)
        Moving pixels that both images show.
    """

    fixed: Tensor
    moving: Tensor
    aligned: Tensor
    fixed_mask: Tensor
    moving_mask: Tensor
    valid: Tensor
    inverse_flow: Tensor
    inverse_valid: Tensor


def render(
    fixed: Tensor,
    moving: Tensor,
    mask: Tensor,
    limited: Tensor,
    sizes: Tensor,
    view: View,
    misalignment: Misalignment,
) -> Scene:
    """Render both images, each with a single interpolation from its picture.

    Parameters
    ----------
    fixed, moving : Tensor of shape (B, C, h, w)
        The aligned pictures, padded to a common size at the right and the bottom.
    mask : Tensor of shape (B, 1, h, w)
        Where both pictures have data.
    limited : Tensor of bool, shape (B, 2)
        Whether `mask` is a limit of the fixed and of the moving picture.
    sizes : Tensor of shape (B, 2)
        Width and height of each picture.
    view, misalignment : View, Misalignment
        Frame to picture; fixed to moving.
    """
    shape = misalignment.shape
    batch = fixed.shape[0]
    fixed, moving = _antialias(fixed, view.step), _antialias(moving, view.step)
    frame = pixel_grid(*shape, fixed).expand(batch, -1, -1, -1)
    origin = misalignment.inverse(frame)
    here = apply_matrix(view.matrix, frame)
    there = apply_matrix(view.matrix, origin)
    cut = view.cut.view(-1, 1, 1, 1)
    limit = (sizes.to(fixed) - 1).view(-1, 1, 1, 2)
    in_here, in_there = _in_picture(here, limit), _in_picture(there, limit)
    # The nearest valid pixel continues a cut image: clamp in the frame, then in the picture.
    clamped = origin.clamp_min(0).minimum(origin.new_tensor([shape[1] - 1.0, shape[0] - 1.0]))
    there = torch.where(cut, apply_matrix(view.matrix, clamped), there)
    here, there = here.clamp_min(0).minimum(limit), there.clamp_min(0).minimum(limit)

    covered_here = sample(mask, here) > 0.999
    free = ~limited.view(-1, 2, 1, 1)
    fixed_mask = in_here & (covered_here | free[:, :1])
    moving_mask = in_there & ((sample(mask, there) > 0.999) | free[:, 1:])
    within = inside(origin, shape)
    moving_mask &= ~cut | within
    valid = in_here & covered_here & inside(misalignment.forward(frame), shape)
    return Scene(
        sample(fixed, here),
        sample(moving, there),
        sample(moving, here),
        fixed_mask,
        moving_mask,
        valid,
        (origin - frame).permute(0, 3, 1, 2).contiguous(),
        moving_mask & within & (sample(mask, there) > 0.999),
    )


def _in_picture(points: Tensor, limit: Tensor) -> Tensor:
    return ((points >= -1e-2) & (points <= limit + 1e-2)).all(-1).unsqueeze(1)


def _antialias(pictures: Tensor, step: Tensor) -> Tensor:
    """Blur each picture as much as shrinking it by `step` (B, 2), x and y, asks for."""
    sigma = 0.45 * (step.square() - 1.0).clamp_min(0.0).sqrt()
    largest = min(float(sigma.max()), 4.0)
    if largest < 0.3:
        return pictures
    return blur_each(pictures, sigma[:, 0], sigma[:, 1], largest=largest)
