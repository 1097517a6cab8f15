"""From a candidate to the result that is handed back: the images' own pixels, maps, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import (
    Frame,
    MatrixTransform,
    Transform,
    fill_value,
    looks_like_labels,
    pixel_grid,
)
from napari_mmreg.geometry.warp import TILE, resample_tiles
from napari_mmreg.imaging import change_grid, grid_to_image
from napari_mmreg.registration.matches import agree, matches_to_images
from napari_mmreg.registration.renderings import mix_rendering
from napari_mmreg.registration.result import RegistrationResult, map_to_fixed

if TYPE_CHECKING:
    from napari_mmreg.imaging import Pair
    from napari_mmreg.registration.candidate import Candidate
    from napari_mmreg.registration.certify import Certificate
    from napari_mmreg.run import Run

BAND_WIDTH = 8192
"""Pixels of a row that keep all threads busy."""

_HANDED_BACK = "The images are left as they were before registration."

_NEAREST = (
    "The moving image looks like labels or a mask and was resampled by nearest neighbour, so that "
    "no new values appear; order=1 interpolates."
)

_KEPT = "The transform is kept as it is: it was not found by a model."


def assemble(
    images: tuple[NDArray[Any], NDArray[Any]],
    grids: tuple[Pair, Pair],
    candidate: Candidate,
    run: Run,
    *,
    model: str,
    provenance: dict[str, Any],
    frames: tuple[Frame, Frame],
    nodata: float | None = None,
    order: int | None = None,
    notes: tuple[str, ...] = (),
    given: Transform | None = None,
) -> RegistrationResult:
    """Make the result of a candidate.

    Parameters
    ----------
    images : (ndarray, ndarray)
        Fixed and moving image, as given.
    grids : (Pair, Pair)
        The coarse one, on which the model predicted, and the fine one of the candidate.
    candidate : Candidate
    run : Run
    model : str
        Name of the model that was asked.
    provenance : dict
        Serialisable as JSON.
    frames : (Frame, Frame)
        The two images as a transform that was found remembers them; a given one stays as it is.
    nodata : number, optional
        What means no data in the moving image.
    order : {0, 1, 3}, optional
        Of interpolation; by default nearest for label images and masks, linear for others.
    notes : tuple of str
        Sentences that follow the certificate's reasons.
    given : Transform, optional
        Fixed to moving pixels: a transform that is handed back whatever the certificate says.
        By default it is the candidate's, or the initial one if that failed.

    Returns
    -------
    RegistrationResult

    Raises
    ------
    Cancelled
        If the run was cancelled.
    """
    fixed, moving = images
    coarse, fine = grids
    shapes = (fixed.shape[0], fixed.shape[1]), (moving.shape[0], moving.shape[1])
    certificate, found = candidate.certificate, candidate.transform
    failed = certificate.status == "failed"
    dropped = failed and given is None
    initial = grid_to_image(fine, MatrixTransform.identity())
    on_images = grid_to_image(fine, found) if given is None else given
    transform = initial if dropped else on_images
    if given is None:
        transform = transform.with_frames(*frames)
    metrics = measure_result(certificate, fine, dropped=dropped)
    offered, matches, rerendered = candidate.prediction, None, None
    if order is None:
        order = 0 if looks_like_labels(moving) else 1
        notes = notes if order else (*notes, _NEAREST)
    registered = resample(moving, transform, shapes[0], run, order=order, nodata=nodata)
    if not dropped and offered.matches is not None:
        matches = matches_to_images(coarse, offered.matches, *shapes)
        if agree(matches, transform, shapes[1]):
            metrics["matches"] = float(len(matches))
        else:
            matches = None
    if not dropped and offered.rendering is not None:
        on_coarse = change_grid(found, fine, coarse)
        rerendered = mix_rendering(coarse, on_coarse, offered.rendering, shapes[0])
    return RegistrationResult(
        transform=transform,
        initial=initial,
        registered=registered,
        status="doubtful" if failed and not dropped else certificate.status,
        reasons=(
            *certificate.reasons,
            *notes,
            *((_HANDED_BACK if dropped else _KEPT,) if failed else ()),
        ),
        model=model,
        answer_of=candidate.model,
        fixed_shape=shapes[0],
        moving_shape=shapes[1],
        metrics=metrics,
        fixed_from_grid=fine.fixed_from_grid,
        fixed_from_model_grid=coarse.fixed_from_grid,
        grid_fixed_excluded=_some(fine.fixed_excluded),
        grid_moving_excluded=_some(fine.moving_excluded),
        grid_errors=certificate.errors_before if dropped else certificate.errors,
        grid_errors_before=certificate.errors_before,
        whole_error=None if dropped else certificate.whole,
        attempted=on_images if dropped else None,
        matches=matches,
        localisation=None
        if offered.localisation is None
        else map_to_fixed(offered.localisation, coarse.fixed_from_grid, shapes[0]),
        rerendered=rerendered,
        timings=run.timings,
        provenance=provenance,
        nodata=nodata,
    )


def _some(area: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    return area if area is not None and area.any() else None


def resample(
    image: NDArray[Any],
    transform: Transform,
    shape: tuple[int, int],
    run: Run,
    *,
    order: int = 1,
    nodata: float | None = None,
) -> NDArray[Any]:
    """Do what `Transform.resample` does, with progress and cancel; outside, see `fill_value`.

    Tiles are computed on threads; progress is reported from this one, between bands of rows.
    """
    height, width = shape
    band = TILE * max(1, BAND_WIDTH // width)
    result = np.empty((*shape, *image.shape[2:]), image.dtype)
    for start in range(0, height, band):
        run.step(start / height)
        stop = min(start + band, height)

        def positions(rows: slice, cols: slice, start: int = start) -> NDArray[np.float64]:
            run.check()
            return transform.map(pixel_grid(slice(rows.start + start, rows.stop + start), cols))

        result[start:stop] = resample_tiles(
            image,
            (stop - start, width),
            positions,
            order=order,
            fill=fill_value(image.dtype, nodata),
            nodata=nodata,
        )
    return result


def measure_result(certificate: Certificate, pair: Pair, *, dropped: bool) -> dict[str, float]:
    """Describe the transform that is handed back; see `RegistrationResult.metrics`.

    Parameters
    ----------
    certificate : Certificate
        Of a transform of the pair's grid.
    pair : Pair
    dropped : bool
        Whether the initial transform is handed back instead.
    """
    after = (certificate.similarity_after, certificate.folding, certificate.overlap)
    step = np.diag(pair.fixed_from_grid.matrix)[:2]
    moved = np.linalg.norm(certificate.displacement * step, axis=-1)[pair.fixed_mask]
    moved = moved[np.isfinite(moved)]
    if dropped:
        both = pair.fixed_mask & pair.moving_mask
        smaller = min(pair.fixed_mask.sum(), pair.moving_mask.sum())
        after = (certificate.similarity_before, 0.0, both.sum() / smaller)
        moved = np.zeros(1)
    return {
        "similarity_before": float(certificate.similarity_before),
        "similarity_after": float(after[0]),
        "folding_percent": 100.0 * float(after[1]),
        "overlap_percent": 100.0 * float(after[2]),
        "displacement_median_px": float(np.median(moved)) if moved.size else float("nan"),
        "displacement_max_px": float(moved.max()) if moved.size else float("nan"),
    }
