"""Images that commands do not read as a whole: OME-Zarr, pyramids, huge files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.carrying import check_target, choose_order, find_pull
from napari_mmreg.cli.console import interruptible, progress_bar, say
from napari_mmreg.cli.engine import engine_options, start_from_places
from napari_mmreg.cli.outputs import EVERY_OUTPUT, write_report
from napari_mmreg.errors import InputError
from napari_mmreg.run import Run

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.geometry import Transform
    from napari_mmreg.geometry.units import Spacing
    from napari_mmreg.io import Pyramid
    from napari_mmreg.registration import RegistrationResult

_PARTS = frozenset((".tif", ".tiff", ".npy", ".svs", ".ndpi", ".scn"))
"""Endings of files of which parts can be read."""

_SAMPLES = 512
"""Places along each side of a grid at which the share with data is counted."""

_FLAT = frozenset((".tif", ".tiff"))
"""Endings of files that are written as a whole or tile by tile, as their size asks for."""


def is_for_parts(path: Path, output: Path | None = None) -> bool:
    """Return whether an image is handled in parts rather than as a whole.

    Parameters
    ----------
    path : Path
        The image.
    output : Path, optional
        Where it is written to, if it decides: OME-Zarr and OME-TIFF always are.
    """
    from napari_mmreg.io import is_pyramid_name, open_pyramid

    if path.is_dir() or (output is not None and is_pyramid_name(output)):
        return True
    if path.suffix.lower() not in _PARTS:
        return False
    if output is not None and output.suffix.lower() not in _FLAT:
        return False
    try:
        with open_pyramid(path) as opened:
            return opened.large
    except InputError:
        return False  # reading it says what is wrong


def apply_in_parts(arguments: argparse.Namespace) -> None:
    """Do what ``mmreg apply`` does with images, tile by tile."""
    from contextlib import ExitStack

    from napari_mmreg.geometry import fill_value, resample_lazily, resample_pyramid
    from napari_mmreg.io import Description, open_pyramid, write_pyramid
    from napari_mmreg.io.pyramids import check_pyramid_name

    check_pyramid_name(arguments.output)
    with ExitStack() as stack:
        like = stack.enter_context(open_pyramid(arguments.like)) if arguments.like else None
        source = stack.enter_context(open_pyramid(arguments.data))
        target = check_target(arguments.shape or (None if like is None else like.shape))
        levels, axes, colours = _planes(source, arguments)
        pull, shape = find_pull(arguments, target, source.shape)
        finest = resample_lazily(
            levels[0],
            pull,
            shape,
            channels_last=colours,
            order=arguments.order,
            fill=fill_value(source.dtype, source.nodata),
            nodata=source.nodata,
        )
        choose_order(arguments, labels=finest.order == 0)
        spacing, unit = _pixel(like, pull, shape)
        place = None if like is None else like.georeference
        about = Description(axes, colours, finest.order == 0, spacing, unit, place, source.nodata)
        image = resample_pyramid(levels, finest)[0]
        with progress_bar(left=True) as progress, interruptible() as cancel:
            write_pyramid(arguments.output, image, about, Run.begin("cpu", 0, progress, cancel))
        share = 100 * share_with_data(pull, shape, source.shape)
    pages = f"{' x '.join(map(str, image.leading))} planes of " if image.leading else ""
    say(f"Wrote {arguments.output}, {pages}{shape[0]} x {shape[1]} pixels, {share:.1f} % with data")


def choose_image(source: Pyramid, arguments: argparse.Namespace, side: str) -> list[Any]:
    """Return the levels of the image that the options for one side choose."""
    from napari_mmreg.io import SeveralImagesError

    page, channel = (getattr(arguments, f"{side}_{what}") for what in ("page", "channel"))
    try:
        return list(source.choose(page, channel))
    except SeveralImagesError as error:
        raise InputError(f"{error} Use --{side}-{error.choose} N.") from error


def _planes(source: Pyramid, arguments: argparse.Namespace) -> tuple[list[Any], str, bool]:
    """Return the levels to be carried, the letters of their first axes, and if colours follow."""
    if arguments.moving_page is None and arguments.moving_channel is None:
        return source.planes()
    levels = choose_image(source, arguments, "moving")
    return levels, "", levels[0].ndim == 3


def _pixel(
    like: Pyramid | None, pull: Transform, shape: tuple[int, int]
) -> tuple[Spacing | None, str | None]:
    """Return the size of the pixels of the grid that is written."""
    if like is not None:
        return like.spacing, like.unit
    frame = pull.fixed_frame
    if frame is None or frame.spacing is None:
        return None, None
    return frame.resized(shape).spacing, frame.unit


def share_with_data(
    pull: Transform, shape: tuple[int, int], source_shape: tuple[int, int]
) -> float:
    """Return about which share of a grid finds data, from places spread over it."""
    import numpy as np

    from napari_mmreg.geometry import inside

    axes = [np.linspace(0, size - 1, min(size, _SAMPLES)) for size in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return float(inside(pull.map(places), source_shape).mean())


def register_in_parts(arguments: argparse.Namespace) -> RegistrationResult:
    """Do what ``mmreg register`` does up to its summary, without reading an image as a whole."""
    from contextlib import ExitStack

    from napari_mmreg.io import open_pyramid
    from napari_mmreg.large import refine_tiles
    from napari_mmreg.registration import register

    if arguments.fuse or arguments.transform_format != ("npz",):
        raise InputError(
            "Images this large are registered in parts, without --fuse and --transform-format; "
            "'mmreg transforms' converts the transform afterwards."
        )
    with ExitStack() as stack:
        fixed, moving = (
            stack.enter_context(open_pyramid(path)) for path in (arguments.fixed, arguments.moving)
        )
        levels = (
            choose_image(fixed, arguments, "fixed"),
            choose_image(moving, arguments, "moving"),
        )
        options = engine_options(arguments, fixed.shape)
        if fixed.spacing and moving.spacing and fixed.unit == moving.unit:
            options.setdefault("fixed_spacing", fixed.spacing)
            options.setdefault("moving_spacing", moving.spacing)
            options["unit"] = fixed.unit
        options["nodata"] = (fixed.nodata, moving.nodata)
        places = fixed.georeference, moving.georeference
        start = start_from_places(arguments, places, fixed.shape)
        if start is not None:
            options.setdefault("initial", start)
        with (
            progress_bar(quiet=arguments.quiet, left=True) as progress,
            interruptible() as cancel,
        ):
            run = Run.begin("cpu", arguments.seed, progress, cancel)
            parts = (0.4, 0.4) if arguments.tiles is None else (0.1, 0.8)
            with run.part(0.0, parts[0]):
                result = register(
                    *levels,
                    model=arguments.model,
                    device=arguments.device,
                    refine=not arguments.no_refine,
                    seed=arguments.seed,
                    progress=run.report,
                    cancel=cancel,
                    **options,
                )
            if arguments.tiles is not None:
                with run.part(*parts):
                    result = refine_tiles(
                        *levels,
                        result,
                        finest=arguments.tiles,
                        device=arguments.device,
                        fixed_mask=options.get("fixed_mask"),
                        moving_mask=options.get("moving_mask"),
                        nodata=options["nodata"],
                        progress=run.report,
                        cancel=cancel,
                    )
            with run.part(parts[1], 1.0):
                _write(arguments, result, levels[1], fixed, run)
    return result


def _write(
    arguments: argparse.Namespace,
    result: RegistrationResult,
    moving: list[Any],
    fixed: Pyramid,
    run: Run,
) -> None:
    """Write the folder as a whole: the registered image tile by tile, the map on its own grid."""
    from napari_mmreg.geometry import fill_value, resample_lazily, resample_pyramid
    from napari_mmreg.io import Description, whole_folder, write_image, write_json, write_pyramid

    if result.status == "failed":
        write_report(result, arguments.output, replace=arguments.force)
        return
    image = resample_lazily(
        moving[0],
        result.transform.with_frames(None, None),
        result.fixed_shape,
        channels_last=moving[0].ndim == 3,
        order=arguments.order,
        fill=fill_value(moving[0].dtype, result.nodata),
        nodata=result.nodata,
    )
    about = Description(
        colours=image.channels_last,
        nearest=image.order == 0,
        spacing=fixed.spacing,
        unit=fixed.unit,
        georeference=fixed.georeference,
        nodata=result.nodata,
    )
    with whole_folder(arguments.output, EVERY_OUTPUT, replace=arguments.force) as folder:
        finest = resample_pyramid(moving, image)[0]
        write_pyramid(folder / "registered.tif", finest, about, run)
        write_image(folder / "misregistration.tif", result.grid_misregistration)
        result.write_errors(folder)
        result.transform.with_provenance(result.provenance).save(folder / "transform.npz")
        write_json(folder / "report.json", result.report())
