"""`apply`: any data of one of the two images through a transform, to the other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.lazy import resample_lazily, resample_pyramid
from napari_mmreg.geometry.marks import MARKS
from napari_mmreg.geometry.stacks import channels_are_last, resample_levels, resample_stack
from napari_mmreg.geometry.transform import Transform
from napari_mmreg.geometry.warp import fill_value
from napari_mmreg.run import CancelCheck, Progress, Run

if TYPE_CHECKING:
    from napari_mmreg.geometry.frame import Frame

Kind = Literal["image", "labels", "points", "shapes", "vectors", "tracks", "surface"]
Side = Literal["fixed", "moving"]
Missing = Literal["nan", "drop"]

IMAGES = ("image", "labels")


def apply(
    data: ArrayLike | Sequence[Any],
    transform: Transform,
    kind: Kind = "image",
    *,
    to: Side = "fixed",
    shape: tuple[int, ...] | None = None,
    channel_axis: int | None = None,
    order: int | None = None,
    fill: float | None = None,
    nodata: float | None = None,
    missing: Missing = "nan",
    lazily: bool = False,
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
) -> Any:
    """Carry data of one image to the other one: images, labels, points, shapes, and so on.

    Parameters
    ----------
    data : array_like, or list or tuple of arrays
        What `kind` says, in pixels of the moving image (with ``to="moving"``: of the fixed one).

        - ``"image"``: (..., H, W) or (..., H, W, C) of any dtype: an image, or a stack of which
          every plane is carried. A list of arrays is a multiscale image, from fine to coarse.
        - ``"labels"``: the same of integers or booleans; no new values appear.
        - ``"points"``: (n, D), the last two columns ``(row, col)``.
        - ``"shapes"``: a list of (n_i, D), the vertices of each shape.
        - ``"vectors"``: (n, 2, D), start and difference; both ends are carried.
        - ``"tracks"``: (n, D), the track's number, time, ..., row, col.
        - ``"surface"``: ``(vertices, faces)`` or ``(vertices, faces, values)``; vertices (n, D).
    transform : Transform
        Fixed to moving pixels.
    kind : str
        Named as napari names its layers.
    to : {"fixed", "moving"}
        Which image the data shall lie on.
    shape : tuple of int, optional
        For images: rows and columns of the grid, which is that of the image named by `to`. By
        default the size of the image that the transform was made for.
    channel_axis : int, optional
        For images: which axis holds the channels. By default the last one if it is short.
    order : {0, 1, 3}, optional
        For images: nearest neighbour, linear or cubic. By default nearest where the image looks
        like labels, else linear; always nearest for ``"labels"``.
    fill : number, optional
        For images: the value where there is no data; by default `nodata`, else NaN in floating
        point and 0 in others.
    nodata : number, optional
        For images: the value of pixels without data, which is never interpolated.
    missing : {"nan", "drop"}
        For the others: coordinates for which the transform has no answer, as outside of the
        field of a dense one, become NaN, or what has one of them is left out. Of a surface that
        is the vertex and its faces.
    lazily : bool
        For images: return dask arrays whose tiles are computed when they are looked at, from the
        part of the image that they need; of a multiscale image a list of them, as napari shows
        it, each from the level that is as fine. Images may be dask, zarr and similar arrays.
    progress, cancel : callable, optional
        As in `napari_mmreg.register`.

    Returns
    -------
    ndarray, dask array, list or tuple
        As `data`: images in their dtype, on a grid of `shape`; coordinates as float64, in pixels
        of the image named by `to`.

    Raises
    ------
    InputError
        If something cannot be used as given, or the image is not the one the transform was made
        for at any size; the message says what to do.
    TransformError
        If the transform has no inverse and one is needed.
    MissingExtraError
        If `lazily` is asked for without dask.
    Cancelled
        If `cancel` said so.

    Notes
    -----
    *Convention*: ``(row, col)``, pixel centres at integers. A transform maps fixed to moving:
    images come to the fixed grid by `Transform.map`, and coordinates by `Transform.inverse`.
    """
    if to not in ("fixed", "moving"):
        raise InputError(f"Data is carried to 'fixed' or to 'moving', not to {to!r}.")
    if missing not in ("nan", "drop"):
        raise InputError(f"What is missing can become 'nan', or 'drop' leaves it out; {missing!r}?")
    run = Run.begin("cpu", 0, progress, cancel)
    if kind not in IMAGES:
        if kind not in MARKS:
            known = ", ".join([*IMAGES, *MARKS])
            raise InputError(f"There is no kind of data {kind!r}; it is one of {known}.")
        push = transform.inverse() if to == "fixed" else transform
        carried = MARKS[kind].carry(data, push, run)
        result = carried.data
        if missing == "drop" and carried.lost:
            result = MARKS[kind].drop(result, carried.kept)
        run.report("", 1.0)
        return result
    several = isinstance(data, list | tuple) and any(np.ndim(level) >= 2 for level in data)
    levels: list[Any] = [_array(level) for level in data] if several else [_array(data)]  # type: ignore[union-attr]
    if kind == "labels":
        order = 0
        if levels[0].dtype.kind not in "biu":
            raise InputError(f"Labels are integers or booleans, not {levels[0].dtype}.")
    source, target = transform.moving_frame, transform.fixed_frame
    if to == "moving":
        source, target = target, source
    last = channels_are_last(levels[0].shape, channel_axis, source)
    grid = _grid(shape, target)
    plane = tuple(levels[0].shape[-3:-1] if last else levels[0].shape[-2:])
    sizes = (grid, plane) if to == "fixed" else (plane, grid)
    fitting = transform.for_shapes(*sizes)
    pull = fitting if to == "fixed" else fitting.inverse()
    if fill is None:
        fill = fill_value(levels[0].dtype, nodata) if kind == "image" else 0
    options: dict[str, Any] = {"order": order, "fill": fill, "nodata": nodata}
    options["channels_last"] = last
    if lazily:
        finest = resample_lazily(levels[0], pull, grid, **options)
        chunked = [level.to_dask() for level in resample_pyramid(levels, finest)]
        return chunked if several else chunked[0]
    if several:
        resampled: Any = resample_levels(levels, pull, grid, run=run, **options)
    else:
        resampled = resample_stack(levels[0], pull, grid, run=run, **options)
    run.report("", 1.0)
    return resampled


def _array(image: Any) -> Any:
    """Return what has a shape and a dtype as it is, perhaps lazy; else an array of it."""
    if hasattr(image, "shape") and hasattr(image, "dtype") and hasattr(image, "__getitem__"):
        return image
    try:
        return np.asarray(image)
    except Exception as error:  # ragged lists, and what objects raise that are asked
        raise InputError(
            f"The image is a {type(image).__name__} that is no array ({error}). Pass a numpy array."
        ) from error


def _grid(shape: tuple[int, ...] | None, frame: Frame | None) -> tuple[int, ...]:
    if shape is not None:
        return tuple(shape)
    if frame is None:
        raise InputError(
            "The transform does not know the size of the image that it leads to; pass shape, its "
            "rows and columns."
        )
    return frame.shape
