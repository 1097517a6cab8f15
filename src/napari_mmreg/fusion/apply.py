"""Fusing two images of any kind and size with any method."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.fusion.protocol import Fusion
from napari_mmreg.fusion.registry import DEFAULT, load_fusion
from napari_mmreg.fusion.sources import Part, Source, measure_source
from napari_mmreg.imaging import check_image
from napari_mmreg.imaging.checks import as_array
from napari_mmreg.imaging.normalise import fill_invalid
from napari_mmreg.nn.device import choose_device, memory_advice
from napari_mmreg.run import CancelCheck, Progress, Run

TILE = 2048
"""Side of the tiles in which large images are fused, in pixels; a multiple of every stride."""

SEAM = 24
"""Where the moving image ends, the fused one goes over into the fixed one within so many px."""


def fuse(
    fixed: ArrayLike,
    moving_registered: ArrayLike,
    method: str = DEFAULT,
    valid: ArrayLike | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
) -> NDArray[Any]:
    """Make one image that shows what either of two registered images shows.

    Both are scaled by percentiles of their own values. What is fused is luminance; the colour
    is the fixed image's if it has any, else the moving one's.

    Parameters
    ----------
    fixed : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        Grey, RGB or RGBA of any real dtype, at least 16 x 16 pixels. NaN, infinite values and
        pixels with alpha 0 count as no data.
    moving_registered : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        The moving image on the fixed grid, for instance ``result.registered``.
    method : str
        A name that `napari_mmreg.fusion.list_fusions` knows.
    valid : array_like of bool, shape (H, W), optional
        Where `moving_registered` has data, for instance ``result.valid``. Elsewhere the fixed
        image stands alone; within `SEAM` pixels inside, one goes over into the other.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; networks compute there.
    progress : callable, optional
        ``progress(stage, fraction)``; the fraction never falls and ends at 1.
    cancel : callable, optional
        ``cancel()`` returning True stops with `Cancelled`.

    Returns
    -------
    ndarray of shape (H, W), or (H, W, 3) where either image has colour
        uint8 in [0, 255] if both images are uint8, else float32 in [0, 1]: grey values of two
        sensors have no common unit. Where only the moving image has data it stands alone; where
        neither has, 0.

    Raises
    ------
    InputError
        If something cannot be used as given; the message says what to do.
    ModelError
        If the method is unknown, or its weights are missing or damaged.
    DeviceError
        If the device is absent, or memory does not suffice.
    Cancelled
        If `cancel` said so.

    Notes
    -----
    Large images are fused in tiles that overlap as far as the method reaches: there are no
    seams, and beyond the images and the result memory depends on the tile only.
    """
    images, mask = check_pair(fixed, moving_registered, valid)
    shape = images[0].shape[:2]
    fusion = load_fusion(method)
    run = Run(
        device=choose_device(device) if fusion.info.needs_weights else "cpu",
        progress=progress or (lambda stage, fraction: None),  # noqa: ARG005
        cancel=cancel or (lambda: False),
    )
    # Nothing loads torch for a method that does not need it.
    advice = memory_advice(run.device) if fusion.info.needs_weights else nullcontext()
    with advice, run.stage("Fusing", 0.0, 1.0):
        sources = (
            measure_source(images[0], None, "fixed", run.check),
            measure_source(images[1], mask, "moving", run.check),
        )
        colour = next((source for source in sources if source.coloured), None)
        eight_bit = all(image.dtype == np.uint8 for image in images)
        fused = np.empty(
            shape if colour is None else (*shape, 3), np.uint8 if eight_bit else np.float32
        )
        _show_middle(fusion, sources, (shape[0], shape[1]), run)
        parts = list(_tiles((shape[0], shape[1]), fusion))
        for number, (core, around) in enumerate(parts, start=1):
            tile = _fuse_part(fusion, sources, colour, around, run)
            inner = tuple(
                slice(c.start - a.start, c.stop - a.start)
                for c, a in zip(core, around, strict=True)
            )
            fused[core] = np.rint(255 * tile[inner]) if eight_bit else tile[inner]
            run.step(number / len(parts))
    return fused


def check_pair(
    fixed: ArrayLike, moving_registered: ArrayLike, valid: ArrayLike | None
) -> tuple[tuple[NDArray[Any], NDArray[Any]], NDArray[np.bool_] | None]:
    """Return both images and the mask as arrays.

    Raises
    ------
    InputError
        If one cannot be used, or they do not lie on one grid.
    """
    images = check_image(fixed, "fixed"), check_image(moving_registered, "moving")
    shape = images[0].shape[:2]
    if images[1].shape[:2] != shape:
        raise InputError(
            f"The fixed image has {shape[0]} x {shape[1]} pixels, the registered one "
            f"{images[1].shape[0]} x {images[1].shape[1]}. Bring the moving image onto the fixed "
            "grid first: pass result.registered, or transform.resample(moving, fixed.shape[:2])."
        )
    return images, _check_valid(valid, shape)


def _check_valid(valid: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return the mask; unlike that of a registration it may be empty."""
    if valid is None:
        return None
    mask = as_array(valid, "The mask `valid`")
    if mask.dtype.kind not in "biu" or mask.shape != tuple(shape):
        raise InputError(
            f"The mask `valid` has the dtype {mask.dtype} and the shape {mask.shape}. Pass "
            f"booleans of the shape {tuple(shape)}, for instance result.valid."
        )
    return mask.astype(np.bool_, copy=False)


def _tiles(shape: tuple[int, int], fusion: Fusion) -> Iterator[tuple[Part, Part]]:
    """Yield every tile, and the tile with what its pixels depend on."""
    # Pixels without data depend on the nearest one with data, as far away again.
    needed = max(2 * fusion.reach, fusion.reach + SEAM)
    margin = -(-needed // fusion.stride) * fusion.stride
    for row in range(0, shape[0], TILE):
        for col in range(0, shape[1], TILE):
            starts, stops = (row, col), (min(row + TILE, shape[0]), min(col + TILE, shape[1]))
            core = slice(row, stops[0]), slice(col, stops[1])
            around = tuple(
                slice(max(0, start - margin), min(stop + margin, size))
                for start, stop, size in zip(starts, stops, shape, strict=True)
            )
            yield core, (around[0], around[1])


def _show_middle(
    fusion: Fusion, sources: tuple[Source, Source], shape: tuple[int, int], run: Run
) -> None:
    """Let the method see the part in the middle, at most as large as a tile."""
    starts = [max(0, (size - TILE) // 2) for size in shape]
    part = slice(starts[0], starts[0] + TILE), slice(starts[1], starts[1] + TILE)
    (fixed, fixed_known), (moving, moving_known) = (s.luminance(part) for s in sources)
    if fixed_known.any() and moving_known.any():
        fusion.prepare(fill_invalid(fixed, fixed_known), fill_invalid(moving, moving_known), run)


def _fuse_part(
    fusion: Fusion,
    sources: tuple[Source, Source],
    colour: Source | None,
    part: Part,
    run: Run,
) -> NDArray[np.float32]:
    """Return a part of the fused image in [0, 1], float32, grey or RGB."""
    (fixed, fixed_known), (moving, moving_known) = (s.luminance(part) for s in sources)
    fused = np.where(fixed_known, fixed, np.where(moving_known, moving, np.float32(0)))
    weight = _seam_weight(moving_known)
    both = fixed_known & moving_known
    if both.any():
        filled = fill_invalid(fixed, fixed_known), fill_invalid(moving, moving_known)
        run.check()
        answer = np.clip(fusion.fuse(*filled, both, run), 0, 1)
        fused = np.where(both, fused + weight * (answer - fused), fused)
    if colour is None:
        return fused
    run.check()
    own = colour.colour(part)
    own *= (fixed_known if colour is sources[0] else weight)[..., None]
    coloured: NDArray[np.float32] = np.clip(fused[..., None] + own, 0, 1)
    return coloured


def _seam_weight(known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a weight that rises smoothly from 0 where `known` ends to 1 within `SEAM` px."""
    if known.all():
        return np.ones(known.shape, np.float32)
    distance = ndimage.distance_transform_edt(known).astype(np.float32)
    unit = np.minimum(distance / SEAM, 1)
    weight: NDArray[np.float32] = unit * unit * (3 - 2 * unit)
    return weight
