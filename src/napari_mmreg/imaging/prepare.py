"""From any two images to a `Pair` on one common working grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform, Transform, inside, pixel_grid
from napari_mmreg.imaging.checks import check_image, check_mask, check_spacing, check_strip
from napari_mmreg.imaging.field_of_view import apertures, black_border, without_border
from napari_mmreg.imaging.frame_fixed import find_frame_fixed, without_defects
from napari_mmreg.imaging.grid import initial_transform, working_grid
from napari_mmreg.imaging.normalise import PERCENTILES, fill_invalid, normalise
from napari_mmreg.imaging.pair import Pair
from napari_mmreg.imaging.reduce import Reduced, reduce_area

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_mmreg.run import Run

BUDGET = 512 * 512
"""Pixels of the working grid, unless said otherwise."""


def prepare_pair(
    fixed: ArrayLike,
    moving: ArrayLike,
    *,
    initial: Transform | ArrayLike | None = None,
    fixed_mask: ArrayLike | None = None,
    moving_mask: ArrayLike | None = None,
    fixed_spacing: float | Sequence[float] = (1.0, 1.0),
    moving_spacing: float | Sequence[float] | None = None,
    modalities: tuple[str | None, str | None] = (None, None),
    budget: int = BUDGET,
    detect_borders: bool = True,
    run: Run | None = None,
) -> Pair:
    """Bring two images onto one working grid with square pixels.

    Parameters
    ----------
    fixed, moving : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        Any real dtype; NaN and infinite values, and pixels with alpha 0, count as no data.
        They are reduced a block at a time, never converted as a whole.
    initial : Transform or array_like of shape (3, 3), optional
        Where to start: fixed to moving pixels, ``(row, col)``. By default the frames'
        centres coincide; see `imaging.grid.initial_transform`.
    fixed_mask, moving_mask : array_like of bool or int, shape (H, W), optional
        True where the image may be used.
    fixed_spacing, moving_spacing : float or (float, float)
        Size of a pixel along rows and columns, both in one physical unit. Without
        `moving_spacing` the moving pixels have the shape of the fixed ones and unknown size.
    modalities : (str or None, str or None)
        What the sensors are, handed through to the model.
    budget : int
        Pixels the working grid may have. Larger images are shrunk by averaging areas.
    detect_borders : bool
        Whether what lies outside a warped frame or a round aperture counts as no data; see
        `imaging.field_of_view`.
    run : Run, optional
        Cancels between blocks.

    Returns
    -------
    Pair
        The fixed frame, grown by at most half its size on each side where the moving frame
        reaches beyond it. Two images of equal size and spacing within the budget are not
        resampled: only their grey values are scaled, and both matrices are the identity.

    Raises
    ------
    InputError
        If something cannot be used; the message says what to do.
    """
    fixed_image, moving_image = check_image(fixed, "fixed"), check_image(moving, "moving")
    fixed_valid = check_mask(fixed_mask, fixed_image.shape, "fixed")
    moving_valid = check_mask(moving_mask, moving_image.shape, "moving")
    spacing = check_spacing(fixed_spacing, "fixed")
    other = None if moving_spacing is None else check_spacing(moving_spacing, "moving")
    check_strip(fixed_image.shape, spacing, "fixed")
    check_strip(moving_image.shape, other or spacing, "moving")
    start = initial_transform(fixed_image.shape, moving_image.shape, initial, spacing, other)
    shape, fixed_from_grid = working_grid(
        fixed_image.shape, moving_image.shape, start, spacing, budget
    )
    moving_from_grid = start.compose(fixed_from_grid)
    check = None if run is None else run.check
    overlay = None
    if detect_borders:
        common = find_frame_fixed(fixed_image, moving_image)
        fixed_image = without_defects(fixed_image, common.defects)
        moving_image = without_defects(moving_image, common.defects)
        overlay = common.overlay if common.overlay.any() else None
    how = (detect_borders, overlay, check)
    grey_fixed, use_fixed, no_fixed = _on_grid(
        fixed_image, fixed_valid, fixed_from_grid, shape, "fixed", *how
    )
    grey_moving, use_moving, no_moving = _on_grid(
        moving_image, moving_valid, moving_from_grid, shape, "moving", *how
    )
    return Pair(
        fixed=grey_fixed,
        moving=grey_moving,
        fixed_mask=use_fixed,
        moving_mask=use_moving,
        fixed_from_grid=fixed_from_grid,
        moving_from_grid=moving_from_grid,
        fixed_modality=modalities[0],
        moving_modality=modalities[1],
        fixed_excluded=no_fixed,
        moving_excluded=no_moving,
    )


def _on_grid(
    image: NDArray[Any],
    mask: NDArray[Any] | None,
    image_from_grid: Transform,
    shape: tuple[int, int],
    name: str,
    detect_borders: bool,
    overlay: NDArray[np.bool_] | None,
    check: Callable[[], None] | None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Sample an image on the working grid: grey values, the mask, and what detection left out."""
    place = _Place.of(image_from_grid, image.shape[:2], shape)
    if not place.found.any():
        raise InputError(
            "The initial transform puts the two images side by side: they do not overlap. It "
            "must map fixed pixels to moving pixels, (row, col); try without it, or its inverse."
        )
    crop, factors, found = place.crop, place.factors, place.found
    reduced = reduce_area(image[crop], None if mask is None else mask[crop], factors, name, check)

    valid, excluded = reduced.mask, None
    if detect_borders:
        outside = _outside(reduced)
        if overlay is not None:
            drawn = reduce_area(overlay[crop].astype(np.uint8), None, factors, name, check)
            outside = outside | (drawn.grey > 0)
        left = valid & ~outside
        if left.any() and np.ptp(reduced.grey[left]) > 0 and outside.any():
            valid, excluded = left, outside
    if not valid.any():
        raise InputError(
            f"No pixel of the {name} image is valid where the two images meet. Check its mask, "
            "its alpha channel and the initial transform."
        )
    grey = fill_invalid(reduced.grey, valid)

    usable = found
    if not valid.all():
        usable = found & (place.sample(valid.astype(np.float32)) >= 0.5)
    if excluded is not None:
        excluded = found & (place.sample(excluded.astype(np.float32)) >= 0.5)
    sampled = normalise(place.sample(grey), usable, name)
    if place.where is not None:  # else it is filled already
        sampled = fill_invalid(sampled, usable)
    return sampled, usable, excluded


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where a grid's pixels lie in an image: `where` in its crop, reduced by the factors.

    `where` is (h, w, 2); None if the grid is the image's own.
    """

    found: NDArray[np.bool_]
    factors: tuple[float, float]
    crop: tuple[slice, slice]
    where: NDArray[np.float64] | None

    @classmethod
    def of(cls, image_from_grid: Transform, image: tuple[int, int], grid: tuple[int, int]) -> Self:
        """Map a grid of some shape into an image of some shape."""
        matrix = image_from_grid if isinstance(image_from_grid, MatrixTransform) else None
        if matrix is not None and matrix.is_identity and image == grid:
            return cls(np.ones(grid, dtype=np.bool_), (1.0, 1.0), np.s_[:, :], None)
        positions = image_from_grid.map(pixel_grid(slice(0, grid[0]), slice(0, grid[1])))
        found = inside(positions, image)
        if not found.any():
            return cls(found, (1.0, 1.0), np.s_[:0, :0], None)
        uniform = matrix is not None and matrix.is_affine
        factors = _pixels_per_step(positions[:2, :2] if uniform else positions)
        reach = positions[found]
        margin = np.ceil(factors) + 1
        low = np.maximum(np.floor(reach.min(axis=0) - margin), 0).astype(np.intp)
        high = np.ceil(reach.max(axis=0) + margin + 1).astype(np.intp)
        crop = (slice(low[0], high[0]), slice(low[1], high[1]))
        where = (positions - low + 0.5) / factors - 0.5
        return cls(found, (float(factors[0]), float(factors[1])), crop, where)

    def sample(self, grey: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sample the reduced crop on the grid."""
        return grey if self.where is None else _sample(grey, self.where)


def _outside(reduced: Reduced) -> NDArray[np.bool_]:
    """Where an image shows nothing: outside an aperture or a warped frame."""
    if not reduced.mask.any():
        return np.zeros_like(reduced.mask)
    grey = fill_invalid(reduced.grey, reduced.mask)
    found = list(apertures(grey))
    inside = next((area for area, certain in found if certain), None)
    if inside is None:
        border = black_border(reduced.zero, reduced.partly_zero)
        if border.any() or _has_noisy_border(grey):
            return border  # in noisy black it is found where levels are built
    if inside is None and found:
        inside = found[0][0]
    return np.zeros_like(reduced.mask) if inside is None else ~inside


def _has_noisy_border(grey: NDArray[np.float32]) -> bool:
    low, high = (float(value) for value in np.percentile(grey, PERCENTILES))
    if low == high:
        return False
    unit = np.clip((grey - low) / (high - low), 0.0, 1.0).astype(np.float32)
    everywhere = np.ones(unit.shape, dtype=np.bool_)
    return without_border(unit, everywhere) is not everywhere


def _sample(grey: NDArray[np.float32], where: NDArray[np.float64]) -> NDArray[np.float32]:
    """Sample (H, W) linearly at (h, w, 2); places without a position take the corner's value."""
    where = np.nan_to_num(np.moveaxis(where, -1, 0), nan=0.0)
    whole = np.rint(where)
    if np.abs(where - whole).max() < 1e-6:  # a plain paste: keep the values exactly
        last = np.array(grey.shape)[:, None, None] - 1
        read: NDArray[np.float32] = grey[tuple(np.clip(whole, 0, last).astype(np.intp))]
        return read
    sampled: NDArray[np.float32] = ndimage.map_coordinates(grey, where, order=1, mode="nearest")
    return sampled


def _pixels_per_step(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many image pixels one grid step covers along rows and columns, at least 1.

    The median over the grid, since a homography has no one scale.
    """
    down = np.diff(positions, axis=0)[:, :-1]
    right = np.diff(positions, axis=1)[:-1]
    lengths = np.nanmedian(np.hypot(down, right), axis=(0, 1))
    factors: NDArray[np.float64] = np.where(lengths > 1 + 1e-6, lengths, 1.0)
    return factors
