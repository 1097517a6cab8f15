"""What ``mmreg apply`` decides before it carries an image, whole or in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import warn
from napari_mmreg.cli.transforms import read_transform
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.geometry import Transform


def check_target(shape: Any) -> tuple[int, int] | None:
    """Return the rows and columns asked for; raise `InputError` for none."""
    if shape is None:
        return None
    if min(shape) < 1:
        raise InputError(f"{shape[0]} x {shape[1]} is no size; pass rows and columns, at least 1.")
    return int(shape[0]), int(shape[1])


def find_pull(
    arguments: argparse.Namespace, target: tuple[int, int] | None, image_shape: tuple[int, ...]
) -> tuple[Transform, tuple[int, int]]:
    """Return the map from the pixels to be written to those that were read, and their number."""
    to_fixed = arguments.to == "fixed"
    source = (image_shape[0], image_shape[1])
    fixed_shape = target if to_fixed else source
    transform = read_transform(arguments.transform, arguments, fixed_shape=fixed_shape)
    frame = transform.fixed_frame if to_fixed else transform.moving_frame
    if target is None and frame is None:
        arguments.complain(
            "one of the arguments --like --shape is required: the transform does not know the size "
            f"of its {arguments.to} image"
        )
    shape = target or frame.shape  # type: ignore[union-attr]  # argparse has exited
    if arguments.as_is:
        fitting = transform.with_frames(None, None)
    else:
        fitting = fit_sizes(transform, *((shape, source) if to_fixed else (source, shape)))
    return (fitting if to_fixed else fitting.inverse()), shape


def fit_sizes(
    transform: Transform, fixed_shape: tuple[int, int], moving_shape: tuple[int, int]
) -> Transform:
    """Return the transform for images of these sizes, and say if it had to be scaled."""
    try:
        fitting = transform.for_shapes(fixed_shape, moving_shape)
    except InputError as error:
        raise InputError(f"{error} --as-is takes its pixels as they are.") from error
    if fitting is not transform:
        warn("the transform was made for these images at another size and was scaled to them")
    return fitting


def choose_order(arguments: argparse.Namespace, *, labels: bool) -> int:
    """Return the interpolation asked for, or the fitting one, and say if that is unusual."""
    if arguments.order is not None:
        return int(arguments.order)
    if labels:
        warn(
            f"{arguments.data.name} looks like a label image or a mask and is resampled by nearest "
            "neighbour, so that no new values appear; --order 1 interpolates"
        )
    return 0 if labels else 1
