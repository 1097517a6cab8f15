"""Contact sheets: what the network sees, and what it should answer, as one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mmreg.nn.sampling import warp

if TYPE_CHECKING:
    from napari_mmreg.training.batches import TrainingBatch

_GAP = 4


def grey_tile(image: Tensor) -> NDArray[np.uint8]:
    """Turn (C, H, W) in [0, 1] into uint8 (H, W, 3)."""
    values = (image.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    picture: NDArray[np.uint8] = values.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
    return picture


def overlay_tile(fixed: Tensor, moving: Tensor, valid: Tensor | None = None) -> NDArray[np.uint8]:
    """Show fixed in red and moving in cyan; where both agree the image is grey."""
    one, two = (v.detach().float().cpu().mean(0) for v in (fixed, moving))
    if valid is not None:
        two = torch.where(valid.cpu()[0], two, torch.zeros_like(two))
    return grey_tile(torch.stack([one, two, two]))


def flow_tile(flow: Tensor, largest: float | None = None) -> NDArray[np.uint8]:
    """Colour a flow (2, H, W): hue is its direction (red: to the right), brightness its length.

    Parameters
    ----------
    flow : Tensor of shape (2, H, W)
        *Convention*: channel 0 is x, channel 1 is y, in px.
    largest : float, optional
        The length shown at full brightness; by default the largest one.
    """
    from skimage.color import hsv2rgb

    x, y = flow.detach().float().cpu().numpy()
    length = np.hypot(x, y)
    top = float(length.max()) if largest is None else largest
    hue = (np.arctan2(y, x) / (2 * np.pi)) % 1.0
    hsv = np.stack([hue, np.ones_like(hue), np.clip(length / max(top, 1e-6), 0, 1)], axis=-1)
    picture: NDArray[np.uint8] = np.rint(hsv2rgb(hsv) * 255).astype(np.uint8)
    return picture


def mask_tile(valid: Tensor, fixed_mask: Tensor, moving_mask: Tensor) -> NDArray[np.uint8]:
    """Show where both images show the same content (red), fixed data (green), moving (blue)."""
    return grey_tile(torch.cat([valid, fixed_mask, moving_mask]).float())


def batch_rows(batch: TrainingBatch) -> list[list[NDArray[np.uint8]]]:
    """Return a row of tiles per pair.

    Columns: fixed, moving, both as they are, both aligned by the true flow, the aligned image
    with its own tones, flow, masks.
    """
    aligned = warp(batch.moving, batch.flow)
    return [
        [
            grey_tile(batch.fixed[i]),
            grey_tile(batch.moving[i]),
            overlay_tile(batch.fixed[i], batch.moving[i]),
            overlay_tile(batch.fixed[i], aligned[i], batch.valid[i]),
            grey_tile(batch.aligned[i]),
            flow_tile(batch.flow[i]),
            mask_tile(batch.valid[i], batch.fixed_mask[i], batch.moving_mask[i]),
        ]
        for i in range(len(batch.fixed))
    ]


def assemble(rows: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Lay tiles out in rows on white; tiles may differ in size."""
    height = [max(t.shape[0] for t in row) for row in rows]
    columns = max(len(row) for row in rows)
    width = [max((r[k].shape[1] for r in rows if k < len(r)), default=0) for k in range(columns)]
    sheet = np.full((sum(height) + _GAP * len(rows), sum(width) + _GAP * columns, 3), 255, np.uint8)
    top = 0
    for row, tall in zip(rows, height, strict=True):
        left = 0
        for tile, wide in zip(row, width, strict=False):
            sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
            left += wide + _GAP
        top += tall + _GAP
    return sheet


def write_sheet(rows: Sequence[Sequence[NDArray[np.uint8]]], path: str | Path) -> Path:
    """Write rows of tiles as one image and return its path."""
    import imageio.v3 as iio

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, assemble(rows))
    return path
