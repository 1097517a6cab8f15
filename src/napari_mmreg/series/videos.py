"""A registered series as a video, and beside or over the fixed one: a frame at a time."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import Transform
from napari_mmreg.imaging.compose import compose, to_rgb, to_shown
from napari_mmreg.io.video import write_video

if TYPE_CHECKING:
    from napari_mmreg.run import Run
    from napari_mmreg.series.planes import Planes
    from napari_mmreg.series.result import SeriesResult

Compare = Literal["overlay", "side"]

REGISTERED, COMPARED = "registered.mp4", "compare.mp4"


def write_videos(
    result: SeriesResult,
    folder: Path,
    fps: float,
    run: Run,
    fixed: Planes | None = None,
    compare: Compare | None = None,
) -> None:
    """Write ``registered.mp4``, and ``compare.mp4`` if asked for; memory holds one frame.

    Parameters
    ----------
    result : SeriesResult
        Of a moving stack of uint8 frames along one axis.
    folder : Path
    fps : float
    run : Run
        Progress and cancel.
    fixed : Planes, optional
        What is compared with.
    compare : {"overlay", "side"}, optional
        Fixed in green and registered in magenta, grey where they match; or fixed, registered side
        by side.
    """
    with ExitStack() as stack:
        write = stack.enter_context(write_video(folder / REGISTERED, fps))
        beside = None
        if compare is not None and fixed is not None:
            beside = stack.enter_context(write_video(folder / COMPARED, fps))
        valid: tuple[Transform, NDArray[np.bool_]] | None = None
        for plane, frame in zip(result.planes, result.registered.images(run), strict=True):
            write(frame)
            if beside is None or fixed is None or compare is None:
                continue
            if valid is None or valid[0] is not plane.transform:
                inside = plane.transform.valid(result.fixed_shape, result.moving_shape)
                valid = plane.transform, inside
            beside(_compared(fixed.plane(plane.index), frame, valid[1], compare))


def _compared(
    fixed: NDArray[Any], frame: NDArray[Any], valid: NDArray[np.bool_], how: Compare
) -> NDArray[np.uint8]:
    # One range for all frames, or their brightness would flicker.
    high = float(np.iinfo(fixed.dtype).max) if fixed.dtype.kind in "iu" else 1.0
    shown = to_shown(fixed, (0.0, high))
    if how == "side":
        return np.concatenate([to_rgb(shown), to_rgb(frame)], axis=1)
    other = to_shown(frame, (0.0, 255.0), valid)
    return np.asarray(compose(shown, other, "overlay", 0.5), dtype=np.uint8)
