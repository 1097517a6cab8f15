"""``mmreg apply``: bring images, stacks, labels, points or shapes through a transform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.carrying import check_target, choose_order, find_pull, fit_sizes
from napari_mmreg.cli.console import interruptible, progress_bar, say, warn
from napari_mmreg.cli.images import add_choice_arguments, read_side
from napari_mmreg.cli.parts import apply_in_parts, is_for_parts
from napari_mmreg.cli.transforms import add_matrix_argument, read_transform
from napari_mmreg.errors import InputError
from napari_mmreg.run import Run

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.geometry import Transform
    from napari_mmreg.io import Picture, Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg apply``."""
    parser.add_argument(
        "transform",
        type=Path,
        help=".npz, elastix's parameters, a 3x3 matrix, or ITK's .tfm, .h5 with the itk extra",
    )
    parser.add_argument(
        "data",
        type=Path,
        help="in the moving image's pixels: an image or label image, of which all pages and "
        "channels are taken, OME-Zarr, napari's points or shapes (.csv), or GeoJSON",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="images: .tif, .png, .jpg, .npy, or .ome.tif and .ome.zarr, which are written tile by "
        "tile, with levels",
    )
    parser.add_argument(
        "--to",
        choices=("fixed", "moving"),
        default="fixed",
        help="with 'moving', the data is in the fixed image's pixels and goes the other way "
        "(default: fixed)",
    )
    grid = parser.add_mutually_exclusive_group()
    grid.add_argument(
        "--like",
        type=Path,
        metavar="IMAGE",
        help="for images: take the size of this one, the fixed image (with --to moving: the moving "
        "one), and its georeference; by default the size that the transform knows",
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
    parser.set_defaults(complain=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Read, carry, write."""
    from napari_mmreg.io import MARK_SUFFIXES, holds_stack

    if arguments.output.exists() and not arguments.force:
        raise InputError(f"{arguments.output} already exists. Replace it with --force.")
    marks = arguments.data.suffix.lower() in MARK_SUFFIXES
    on_parts = arguments.like is not None and arguments.like.is_dir()
    if not marks and (on_parts or is_for_parts(arguments.data, arguments.output)):
        apply_in_parts(arguments)
        return 0
    like = read_side(arguments, "fixed", arguments.like, colours=False) if arguments.like else None
    target = check_target(arguments.shape or (None if like is None else like.image.shape[:2]))
    if marks:
        _apply_to_marks(arguments, target)
    elif arguments.moving_page is None and arguments.moving_channel is None:
        several = holds_stack(arguments.data)
        (_apply_to_stack if several else _apply_to_image)(arguments, like, target)
    else:
        _apply_to_image(arguments, like, target)
    return 0


def _apply_to_image(
    arguments: argparse.Namespace, like: Picture | None, target: tuple[int, int] | None
) -> None:
    from napari_mmreg.geometry import fill_value, looks_like_labels
    from napari_mmreg.geometry.stacks import resample_planes
    from napari_mmreg.io import common_nodata, write_image

    picture = read_side(arguments, "moving", arguments.data, colours=False)
    image = picture.image
    pull, shape = find_pull(arguments, target, image.shape)
    nodata = picture.nodata if like is None else common_nodata(like, picture)
    order = choose_order(arguments, labels=looks_like_labels(image))
    fill = fill_value(image.dtype, nodata)
    resampled = next(resample_planes([image], pull, shape, order=order, fill=fill, nodata=nodata))
    georeference = None if like is None else like.georeference
    write_image(arguments.output, resampled, georeference=georeference, nodata=nodata)
    _say_written(arguments, pull, shape, image.shape)


def _apply_to_stack(
    arguments: argparse.Namespace, like: Picture | None, target: tuple[int, int] | None
) -> None:
    from napari_mmreg.geometry import fill_value
    from napari_mmreg.geometry.stacks import resample_planes, stack_order
    from napari_mmreg.io import read_stack, write_stack

    stack = read_stack(arguments.data)
    for note in stack.picture.notes:
        warn(note)
    pages = stack.pages
    pull, shape = find_pull(arguments, target, pages.shape[1:])
    nodata = _common_nodata(stack, like)
    order = choose_order(arguments, labels=stack_order(list(pages)) == 0)
    fill = fill_value(pages.dtype, nodata)
    with progress_bar() as progress, interruptible() as cancel:
        planes = resample_planes(
            pages,
            pull,
            shape,
            number=len(pages),
            order=order,
            fill=fill,
            nodata=nodata,
            run=Run.begin("cpu", 0, progress, cancel),
        )
        georeference = None if like is None else like.georeference
        write_stack(
            arguments.output, planes, stack, shape, georeference=georeference, nodata=nodata
        )
    _say_written(arguments, pull, shape, pages.shape[1:], f"{len(pages)} pages of ")


def _common_nodata(stack: Stack, like: Picture | None) -> float | None:
    from dataclasses import replace

    from napari_mmreg.io import common_nodata

    if like is None or stack.picture.nodata is not None:
        return stack.picture.nodata
    rows = stack.pages.reshape(-1, *stack.pages.shape[2:])
    return common_nodata(like, replace(stack.picture, image=rows))


def _apply_to_marks(arguments: argparse.Namespace, target: tuple[int, int] | None) -> None:
    from napari_mmreg.geometry.marks import MARKS
    from napari_mmreg.io import read_marks

    marks = read_marks(arguments.data)
    transform = read_transform(arguments.transform, arguments, fixed_shape=target)
    if arguments.as_is:
        transform = transform.with_frames(None, None)
    frames = [transform.fixed_frame, transform.moving_frame]
    if target is not None and None not in frames:
        sizes = [frame.shape for frame in frames if frame is not None]
        sizes[arguments.to == "moving"] = target
        transform = fit_sizes(transform, sizes[0], sizes[1])
    marks.straighten(bent=not transform.is_affine)
    push = transform.inverse() if arguments.to == "fixed" else transform
    with progress_bar() as progress, interruptible() as cancel:
        listener = Run.begin("cpu", 0, progress, cancel)
        carried = MARKS[marks.kind].carry(marks.data, push, listener)
    marks.write(arguments.output, carried.data, carried.kept)
    total = len(carried.kept)
    if carried.lost:
        warn(
            f"{carried.lost} of {total} {marks.kind} were left out: the transform has no place for "
            f"them in the {arguments.to} image"
        )
    say(f"Wrote {arguments.output}, {total - carried.lost} of {total} {marks.kind}")


def _say_written(
    arguments: argparse.Namespace,
    pull: Transform,
    shape: tuple[int, int],
    image_shape: tuple[Any, ...],
    pages: str = "",
) -> None:
    share = 100 * pull.valid(shape, image_shape).mean()
    rows, cols = shape
    say(f"Wrote {arguments.output}, {pages}{rows} x {cols} pixels, {share:.1f} % with data")
