"""Post-registration of a fused image of any size.

Ours: the paper takes one pass over the whole image. Here a pyramid of halves begins where the
longer side is at most `COARSEST`; each coarser field is where the next finer search begins, and
large levels are done in tiles that overlap as far as the network looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.coordinates import flow_to_displacement
from napari_mmreg.imaging.normalise import fill_invalid
from napari_mmreg.models.fusionregister.network import (
    MULTIPLE,
    Answer,
    FusionRegister,
    probability,
)
from napari_mmreg.models.fusionregister.retention import Attention
from napari_mmreg.nn.sampling import gaussian_blur, pixel_grid, sample, upsample_flow

if TYPE_CHECKING:
    from napari_mmreg.run import Run

Image = NDArray[np.float32]
Part = tuple[slice, slice]

COARSEST = 512
"""Longer side, in pixels, up to which an image is seen as a whole, and its attention is settled."""

TILE = 1024
"""Side of the tiles of larger ones, in pixels."""

HALVING = 0.8
"""Sigma of the blur before every second pixel is taken, in pixels."""

STEP = 24
"""Tiles begin at multiples of this: of the network's strides, and of its windows of 3 x 3."""

NOTICED = 1.0
"""Known displacement, in px at 256-px scale, up to which the correction fades in (ours)."""

MARGIN = 6 * STEP
"""How far tiles overlap on every side, in pixels: what the network's filters reach, with little
weight beyond."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A corrected fused image.

    Attributes
    ----------
    fused : ndarray of float32, shape (H, W)
        Corrected luminance in [0, 1].
    displacement : ndarray of float32, shape (H, W, 2)
        By how much the registered image is still displaced: ``registered`` at ``p +
        displacement[p]`` belongs to ``fixed`` at p. *Convention*: (row, col), in pixels.
    fused_displacement : ndarray of float32, shape (H, W, 2)
        By how much the fused image was moved: the expected displacement ``(2 M - 1) phi``.
    misregistered : ndarray of float32, shape (H, W)
        Probability that a pixel was displaced by more than 2 px at 256-px scale, before.
    """

    fused: Image
    displacement: Image
    fused_displacement: Image
    misregistered: Image


def correct(
    network: FusionRegister,
    fixed: Image,
    registered: Image,
    fused: Image,
    valid: NDArray[np.bool_],
    run: Run,
    displacement: Image | None = None,
    tile: int = TILE,
) -> Correction:
    """Register what is misaligned in a fused image.

    Parameters
    ----------
    network : FusionRegister
        With its weights.
    fixed, registered, fused : ndarray of float32, shape (H, W)
        Luminances in [0, 1]: both sources as they were fused, and the fused image of any method.
    valid : ndarray of bool, shape (H, W)
        Where the registered image has data. Elsewhere the fused image is left as it is.
    run : Run
    displacement : ndarray of float32, shape (H, W, 2), optional
        What the registered image is known to be displaced by, see `Correction`; the network
        looks for it by default. Where it is small the fused image is left as it is.
    tile : int
        Side of the tiles of large images, in pixels.

    Raises
    ------
    InputError
        If the shapes differ.
    Cancelled
        If the run was cancelled.
    """
    shapes = {image.shape for image in (fixed, registered, fused, valid)}
    if len(shapes) != 1:
        raise InputError(
            f"The images must lie on one grid; their shapes are {sorted(shapes)}. Pass the "
            "registered image on the fixed grid, and what was fused from both."
        )
    network.to(run.device).eval()
    if not valid.any():
        nothing = np.zeros((*fused.shape, 2), np.float32)
        return Correction(fused.copy(), nothing, nothing.copy(), np.zeros_like(fused))
    arrays = (fixed, fill_invalid(registered, valid), fused, valid.astype(np.float32))
    levels = _levels([_tensor(array, run.device) for array in arrays])
    done = np.cumsum([level[0].numel() for level in levels]) / sum(x[0].numel() for x in levels)
    size = (fixed.shape[0], fixed.shape[1])
    held: list[Tensor | None] = [None] * len(levels)
    if displacement is not None:
        whole = _tensor(displacement, run.device)[0].permute(0, 3, 1, 2).flip(1)
        steps = [2**k for k in reversed(range(len(levels)))]
        held = [whole[..., ::step, ::step] / step for step in steps]
    with torch.inference_mode():
        found = _ask(network, levels[0], held[0], hold=displacement is not None)
        attention, likely = found.attention, found.likely
        run.step(float(done[0]))
        for inputs, known_flow, share in zip(levels[1:], held[1:], done[1:], strict=True):
            start = known_flow
            if start is None:
                start = upsample_flow(found.flow, _size(inputs))
            hold = known_flow is not None
            found = _tiled(network, inputs, start, attention, tile, run, hold=hold)
            run.step(float(share))
        grid = pixel_grid(*size, likely)[None] / 2 ** (len(levels) - 1)
        known = levels[-1][3] > 0.5
        changed = known.float()
        if displacement is not None:
            length = found.flow.norm(dim=1, keepdim=True) * (256 / max(size))
            changed = changed * (length / NOTICED).clamp(max=1)
        image = torch.lerp(levels[-1][2], found.fused, changed)
        moved = torch.where(known, found.moved, torch.zeros_like(found.moved))
        return Correction(
            image[0, 0].cpu().numpy(),
            flow_to_displacement(found.flow),
            flow_to_displacement(moved),
            sample(likely, grid)[0, 0].cpu().numpy(),
        )


@dataclass(slots=True)
class _Found:
    """What the network said about a level, or a tile of it, without padding."""

    fused: Tensor
    flow: Tensor
    moved: Tensor
    likely: Tensor
    attention: tuple[Attention, Attention] | None


def _levels(full: list[Tensor]) -> list[list[Tensor]]:
    """Return the pyramid, coarsest first; pixel i of a level is at 2 i of the finer one."""
    levels = [full]
    while max(_size(levels[0])) > COARSEST:
        *images, mask = levels[0]
        halves = [gaussian_blur(image, HALVING, step=2) for image in images]
        levels.insert(0, [*halves, mask[..., ::2, ::2]])
    return levels


def _size(inputs: list[Tensor]) -> tuple[int, int]:
    return inputs[0].shape[-2], inputs[0].shape[-1]


def _ask(
    network: FusionRegister,
    inputs: list[Tensor],
    start: Tensor | None,
    attention: tuple[Attention, Attention] | None = None,
    *,
    hold: bool = False,
) -> _Found:
    """Ask the network about images that are padded to sides it takes."""
    rows, cols = _size(inputs)
    margin = (0, -cols % MULTIPLE, 0, -rows % MULTIPLE)
    fixed, moving, fused = (F.pad(image, margin, mode="replicate") for image in inputs[:3])
    if start is not None:
        start = F.pad(start, margin, mode="replicate")
    here, there = F.pad(torch.ones_like(inputs[3]), margin), F.pad(inputs[3], margin)
    answer: Answer = network(fixed, moving, fused, here, there, start, attention, hold=hold)
    likely = probability(answer.misregistered, (rows + margin[3], cols + margin[1]))
    parts = (answer.fused, answer.flow, answer.fused_flow, likely)
    fused, flow, moved, likely = (part[..., :rows, :cols] for part in parts)
    return _Found(fused, flow, moved, likely, answer.attention)


def _tiled(
    network: FusionRegister,
    inputs: list[Tensor],
    start: Tensor,
    attention: tuple[Attention, Attention] | None,
    tile: int,
    run: Run,
    *,
    hold: bool,
) -> _Found:
    """Ask the network about a large level, tile by tile."""
    like = inputs[0]
    found = _Found(
        torch.empty_like(like),
        torch.empty_like(start),
        torch.empty_like(start),
        torch.empty_like(like),
        attention,
    )
    for core, around in _tiles(_size(inputs), tile):
        run.check()
        part = _ask(
            network,
            [image[(..., *around)] for image in inputs],
            start[(..., *around)],
            attention,
            hold=hold,
        )
        inner = tuple(
            slice(c.start - a.start, c.stop - a.start) for c, a in zip(core, around, strict=True)
        )
        for name in ("fused", "flow", "moved", "likely"):
            getattr(found, name)[(..., *core)] = getattr(part, name)[(..., *inner)]
    return found


def _tiles(size: tuple[int, int], tile: int) -> Iterator[tuple[Part, Part]]:
    """Yield every tile, and the tile with its margins."""
    side = max(tile // STEP, 1) * STEP
    for row in range(0, size[0], side):
        for col in range(0, size[1], side):
            core = tuple(slice(a, min(a + side, n)) for a, n in zip((row, col), size, strict=True))
            yield (
                (core[0], core[1]),
                tuple(  # type: ignore[misc]
                    slice(max(0, c.start - MARGIN), min(c.stop + MARGIN, n))
                    for c, n in zip(core, size, strict=True)
                ),
            )


def _tensor(image: NDArray[np.float32], device: str) -> Tensor:
    return torch.from_numpy(image.astype(np.float32, copy=True))[None, None].to(device)
