"""Registration of images that need not fit into memory: found on small copies, kept in full.

Ours: the copies are averages of at most `imaging.shrink.SHRUNK` pixels, which is more than the
grids on which models predict and refine, so that nothing is lost that smaller images keep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_mmreg.geometry import (
    MatrixTransform,
    Transform,
    fill_value,
    is_lazy,
    looks_like_labels,
    resample_lazily,
)
from napari_mmreg.geometry.lazy import Plane
from napari_mmreg.imaging import initial_transform
from napari_mmreg.imaging.checks import check_image, check_mask, check_spacing
from napari_mmreg.imaging.shrink import Shrunk, is_multiscale, levels_of, shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.registration.options import PairOptions
    from napari_mmreg.registration.result import RegistrationResult
    from napari_mmreg.run import Run

RegisterPair = Callable[
    [tuple["NDArray[Any]", "NDArray[Any]"], "PairOptions"], "RegistrationResult"
]


def needs_shrinking(image: Any) -> bool:
    """Return whether an image is not in memory (dask, zarr, HDF5), or a list of levels."""
    return is_lazy(image) or is_multiscale(image)


def register_shrunk(
    fixed: Any, moving: Any, options: PairOptions, run: Run, register_pair: RegisterPair
) -> RegistrationResult:
    """Register two images by small copies of them.

    Parameters
    ----------
    fixed, moving : array_like or sequence of array_like
        (H, W), (H, W, 3) or (H, W, 4), of any kind; or levels from fine to coarse.
    options : PairOptions
        In pixels of the full resolution.
    run : Run
    register_pair : callable
        Registers two arrays in memory.

    Returns
    -------
    RegistrationResult
        Of the full resolution. `registered` is a dask array that is computed when it is looked
        at; what a model shows beside its transform is left out.

    Raises
    ------
    InputError, Cancelled
        As `register`.
    MissingExtraError
        If dask is not installed.
    """
    levels = levels_of(fixed, "fixed"), levels_of(moving, "moving")
    with run.stage("Reading", 0.0, 0.3):
        copies = _shrink_both(levels, options, run)
    small = _on_copies(options, *copies)
    with run.part(0.3, 1.0):
        images = check_image(copies[0].image, "fixed"), check_image(copies[1].image, "moving")
        found = register_pair(images, small)
    return _in_full(found, levels, copies, options)


def _shrink_both(
    levels: tuple[list[Any], list[Any]], options: PairOptions, run: Run
) -> tuple[Shrunk, Shrunk]:
    made = []
    for number, (each, nodata) in enumerate(zip(levels, options.nodata, strict=True)):
        labels = looks_like_labels(Plane(each[0]))  # type: ignore[arg-type]  # sliced like one
        with run.part(number / 2, (number + 1) / 2):
            made.append(shrink(each, nearest=labels, nodata=nodata, step=run.step))
    return made[0], made[1]


def _on_copies(options: PairOptions, fixed: Shrunk, moving: Shrunk) -> PairOptions:
    """Return the options in pixels of the copies."""
    spacing, other = check_spacing(options.fixed_spacing, "fixed"), options.moving_spacing
    if other is not None:
        other = check_spacing(other, "moving")
    start = initial_transform(fixed.shape, moving.shape, options.initial, spacing, other)
    start = start.with_frames(None, None).compose(fixed.full_from_small)
    return replace(
        options,
        initial=moving.full_from_small.inverse().compose(start),
        fixed_mask=_thin_mask(options.fixed_mask, fixed, "fixed"),
        moving_mask=_thin_mask(options.moving_mask, moving, "moving"),
        fixed_spacing=_scaled(spacing, fixed.scale),
        moving_spacing=None if other is None else _scaled(other, moving.scale),
    )


def _scaled(spacing: tuple[float, float], scale: tuple[float, float]) -> tuple[float, float]:
    return spacing[0] * scale[0], spacing[1] * scale[1]


def _thin_mask(mask: Any, copy: Shrunk, name: str) -> NDArray[np.bool_] | None:
    """Return a mask on the pixels of a copy, the one nearest to the middle of each counting."""
    checked = check_mask(mask, copy.shape, name)
    if checked is None:
        return None
    rows, cols = copy.image.shape[:2]
    middles = [
        np.clip(np.rint((np.arange(size) + 0.5) * step - 0.5), 0, last - 1).astype(np.intp)
        for size, step, last in zip((rows, cols), copy.scale, copy.shape, strict=True)
    ]
    return np.asarray(checked[np.ix_(*middles)] != 0)


def _in_full(
    found: RegistrationResult,
    levels: tuple[list[Any], list[Any]],
    copies: tuple[Shrunk, Shrunk],
    options: PairOptions,
) -> RegistrationResult:
    """Return the result of two copies as one of the images themselves."""
    fixed, moving = copies
    small_from_fixed = fixed.full_from_small.inverse()

    def full(transform: Transform) -> Transform:
        bare = transform.with_frames(None, None)
        return moving.full_from_small.compose(bare).compose(small_from_fixed)

    frames = options.frames(levels[0][0], levels[1][0])
    transform = full(found.transform).with_frames(*frames)
    nodata = options.nodata[1]
    registered = resample_lazily(
        levels[1][0],
        transform.with_frames(None, None),
        fixed.shape,
        channels_last=len(levels[1][0].shape) == 3,
        order=options.order,
        fill=fill_value(np.dtype(levels[1][0].dtype), nodata),
        nodata=nodata,
    )
    step = float(np.sqrt(np.prod(fixed.scale)))
    metrics = {
        name: value * (step if name.endswith("_px") else 1.0)
        for name, value in found.metrics.items()
    }
    provenance = dict(found.provenance)
    provenance["inputs"] = {
        name: {"shape": list(each[0].shape), "dtype": str(each[0].dtype)}
        for name, each in zip(("fixed", "moving"), levels, strict=True)
    }
    provenance["estimated_on"] = {
        name: {"shape": list(copy.image.shape), "px_per_copy_px": list(copy.scale)}
        for name, copy in zip(("fixed", "moving"), copies, strict=True)
    }

    def on_fixed(grid: MatrixTransform) -> MatrixTransform:
        return cast("MatrixTransform", fixed.full_from_small.compose(grid))

    return replace(
        found,
        transform=transform,
        initial=full(found.initial),
        registered=registered.to_dask(),
        fixed_shape=fixed.shape,
        moving_shape=moving.shape,
        metrics=metrics,
        fixed_from_grid=on_fixed(found.fixed_from_grid),
        fixed_from_model_grid=on_fixed(found.fixed_from_model_grid),
        attempted=None if found.attempted is None else full(found.attempted),
        matches=_full_matches(found.matches, fixed, moving),
        localisation=None,
        rerendered=None,
        provenance=provenance,
    )


def _full_matches(
    matches: NDArray[np.float32] | None, fixed: Shrunk, moving: Shrunk
) -> NDArray[np.float32] | None:
    if matches is None:
        return None
    scaled = matches.copy()
    scaled[:, :2] = fixed.full_from_small.map(matches[:, :2])
    scaled[:, 2:4] = moving.full_from_small.map(matches[:, 2:4])
    return scaled
