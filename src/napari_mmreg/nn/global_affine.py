"""The global step: all-pairs matches of shared features, and the affine that most obey (ours)."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_mmreg.nn.matching import robust_affine, soft_matches
from napari_mmreg.nn.norm import unit_channels
from napari_mmreg.nn.sampling import warp


def matched_affine(
    fixed: Tensor, moving: Tensor, temperature: Tensor | float, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the affine (B, 2, 3) between two feature grids in cells, and the matches' weights."""
    rows, cols = fixed.shape[-2:]
    with torch.autocast(fixed.device.type, enabled=False):
        unit = [unit_channels(f.float()) for f in (fixed, moving)]
        places, weights = soft_matches(unit[0], unit[1], temperature)
        if mask is not None:
            weights = weights * mask.flatten(1)
        y, x = torch.meshgrid(
            torch.arange(rows, device=fixed.device, dtype=torch.float32),
            torch.arange(cols, device=fixed.device, dtype=torch.float32),
            indexing="ij",
        )
        points = torch.stack([x, y], -1).view(1, -1, 2).expand_as(places)
        return robust_affine(points, places, weights), weights.view(-1, 1, rows, cols)


def cell_affine_to_pixels(affine: Tensor, stride: int) -> Tensor:
    """Bring an affine between cells to pixels: cell (j, i) is at pixel stride * (j, i)."""
    return torch.cat([affine[..., :2], affine[..., 2:] * stride], -1)


def affine_flow(affine: Tensor, rows: int, cols: int, stride: int) -> Tensor:
    """Return the flow (B, 2, rows, cols), in cells, of a pixel affine on a grid of cells."""
    y = torch.arange(rows, device=affine.device, dtype=affine.dtype) * stride
    x = torch.arange(cols, device=affine.device, dtype=affine.dtype) * stride
    grid = torch.stack([x[None].expand(rows, cols), y[:, None].expand(rows, cols)], 0)
    mapped = torch.einsum("bij,jhw->bihw", affine[..., :2], grid) + affine[..., 2, None, None]
    return (mapped - grid) / stride


def frame_affine(change: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn regressed parameters into an affine; zeros are the identity.

    Parameters
    ----------
    change : Tensor of shape (B, 2, 3)
        What is added to the linear part, which acts about the frame's centre, and the shift in
        half frames.
    size : (int, int)
        Rows and columns of the frame.

    Returns
    -------
    Tensor of shape (B, 2, 3)
        On (x, y, 1) in pixels.
    """
    half = change.new_tensor([(size[1] - 1) / 2, (size[0] - 1) / 2])
    linear = torch.eye(2, device=change.device) + change[..., :2]
    shift = half + half * change[..., 2] - linear @ half
    return torch.cat([linear, shift[..., None]], -1)


def overlap(flow: Tensor, masks: tuple[Tensor | None, Tensor | None], stride: int) -> Tensor:
    """Return (B, 1, h, w): 1 where a fixed cell and its place by a flow in cells have data."""
    known = []
    for mask in masks:
        if mask is None:
            known.append(flow.new_ones(len(flow), 1, *flow.shape[-2:]))
        else:
            known.append(mask[..., ::stride, ::stride].to(flow))
    return known[0] * warp(known[1], flow, padding="zeros")
