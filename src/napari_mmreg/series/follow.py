"""Planes one after the other: each starts where the one before ended, the motion is smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.series.engine import better
from napari_mmreg.series.motion import affine_part, corrected, smooth_motion
from napari_mmreg.series.plane_result import PlaneResult

if TYPE_CHECKING:
    from collections.abc import Callable

OUTLIER_REASON = (
    "Its own result lay {away:.1f} px (fixed pixels) from what its neighbours say; it was filled "
    "in between them."
)
FILLED_REASON = "It was filled in between its neighbours."


def start_after(earlier: Sequence[PlaneResult], shape: tuple[int, int]) -> MatrixTransform | None:
    """Return where the next plane starts: the affine part of the last one that holds.

    What bends is found anew in each plane: handed on, it would pile up.
    """
    for plane in reversed(earlier):
        if plane.status != "failed":
            matrix = affine_part(plane.transform, shape)
            return None if matrix is None else MatrixTransform(matrix)
    return None


def follow_plane(
    attempt: Callable[[Transform | None], PlaneResult], start: Transform | None
) -> PlaneResult:
    """Register a plane from where the one before ended; if that does not hold, from the start too.

    `attempt` registers it from a transform, or from where the series starts. The better one is
    taken, so that a series that has lost its way finds it again.
    """
    plane = attempt(start)
    if start is None or plane.status == "ok":
        return plane
    return better(plane, attempt(None))


def smooth_planes(
    planes: Sequence[PlaneResult], shape: tuple[int, int], window: int
) -> tuple[PlaneResult, ...]:
    """Smooth the motion of a series, and fill in the planes that failed or lie far off.

    See `motion.smooth_motion`. A filled plane bends as its nearest neighbour does; its status is
    ``"doubtful"`` and its source ``"interpolated"``.
    """
    own = [
        None if plane.status == "failed" else affine_part(plane.transform, shape)
        for plane in planes
    ]
    if all(matrix is None for matrix in own):
        return tuple(planes)
    motion = smooth_motion(own, shape, window)
    kept = [n for n in range(len(planes)) if motion.kept[n]]
    result = []
    for n, plane in enumerate(planes):
        matrix = own[n]
        if motion.kept[n] and matrix is not None:
            metrics = {
                **plane.metrics,
                "smoothed_px": float(motion.moved[n]),
                "surprise_px": float(motion.away[n]),
            }
            transform = plane.transform
            if motion.moved[n] > 0:
                transform = corrected(transform, matrix, motion.matrices[n])
            result.append(replace(plane, transform=transform, metrics=metrics))
            continue
        nearest = min(kept, key=lambda k, n=n: abs(k - n))  # type: ignore[misc]
        base = own[nearest]
        assert base is not None  # noqa: S101  # what is kept is known
        reasons = (FILLED_REASON, *plane.reasons)
        metrics = dict(plane.metrics)
        if matrix is not None:
            away = float(motion.away[n])
            reasons = (OUTLIER_REASON.format(away=away), *plane.reasons)
            metrics["surprise_px"] = away
        result.append(
            replace(
                plane,
                status="doubtful",
                source="interpolated",
                reasons=reasons,
                transform=corrected(planes[nearest].transform, base, motion.matrices[n]),
                metrics=metrics,
            )
        )
    return tuple(result)
