"""``mmreg apply``: bring another image, or labels, through a transform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli.console import say, warn
from napari_mmreg.cli.images import add_choice_arguments, read_side
from napari_mmreg.cli.transforms import add_matrix_argument, read_transform
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.geometry import Transform


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg apply``."""
    parser.add_argument(
        "transform",
        type=Path,
        help=".npz, elastix's parameters, a 3x3 matrix, or ITK's .tfm, .h5 with the itk extra",
    )
    parser.add_argument("image", type=Path, help="image in the moving image's pixels")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    grid = parser.add_mutually_exclusive_group(required=True)
    grid.add_argument(
        "--like",
        type=Path,
        metavar="FIXED",
        help="take the fixed image's size, and its georeference",
    )
    grid.add_argument("--shape", type=int, nargs=2, metavar=("ROWS", "COLS"))
    parser.add_argument(
        "--order",
        type=int,
        choices=(0, 1, 3),
        help="interpolation: 0 nearest, 1 linear, 3 cubic (default: 0 for label images and masks, "
        "else 1)",
    )
    parser.add_argument(
        "--as-is",
        action="store_true",
        help="use the transform's pixels as they are, even for images that it was not made for",
    )
    add_matrix_argument(parser)
    add_choice_arguments(parser, short=("moving",))
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(arguments: argparse.Namespace) -> int:
    """Read, resample, write."""
    if arguments.output.exists() and not arguments.force:
        raise InputError(f"{arguments.output} already exists. Replace it with --force.")
    from napari_mmreg.geometry import fill_value, looks_like_labels
    from napari_mmreg.io import common_nodata, write_image

    like = read_side(arguments, "fixed", arguments.like, colours=False) if arguments.like else None
    rows, cols = arguments.shape or like.image.shape[:2]  # type: ignore[union-attr]  # one is given
    if min(rows, cols) < 1:
        raise InputError(f"{rows} x {cols} is no size; pass rows and columns, at least 1.")
    shape = (rows, cols)
    picture = read_side(arguments, "moving", arguments.image, colours=False)
    image = picture.image
    transform = read_transform(arguments.transform, arguments, fixed_shape=shape)
    transform = _fitting(transform, shape, image.shape, as_is=arguments.as_is)
    nodata = picture.nodata if like is None else common_nodata(like, picture)
    order = arguments.order
    if order is None:
        order = 0 if looks_like_labels(image) else 1
        if order == 0:
            warn(
                f"{arguments.image.name} looks like a label image or a mask and is resampled by "
                "nearest neighbour, so that no new values appear; --order 1 interpolates"
            )
    fill = fill_value(image.dtype, nodata)
    resampled = transform.resample(image, shape, order, fill, nodata=nodata, channel_axis=2)
    georeference = None if like is None else like.georeference
    write_image(arguments.output, resampled, georeference=georeference, nodata=nodata)
    share = 100 * transform.valid(shape, image.shape).mean()
    say(f"Wrote {arguments.output}, {rows} x {cols} pixels, {share:.1f} % with data")
    return 0


def _fitting(
    transform: Transform,
    shape: tuple[int, int],
    moving_shape: tuple[int, ...],
    *,
    as_is: bool,
) -> Transform:
    """Return the transform for images of these sizes, and say if it had to be scaled."""
    if as_is:
        return transform.with_frames(None, None)
    try:
        fitting = transform.for_shapes(shape, moving_shape)
    except InputError as error:
        raise InputError(f"{error} --as-is takes its pixels as they are.") from error
    if fitting is not transform:
        warn("the transform was made for these images at another size and was scaled to them")
    return fitting
