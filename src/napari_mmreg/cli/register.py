"""``mmreg register``: align a moving image with a fixed one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import interruptible, progress_bar, say, warn
from napari_mmreg.cli.engine import (
    add_engine_arguments,
    engine_options,
    spacings,
    start_from_places,
)
from napari_mmreg.cli.images import add_choice_arguments, read_side, with_nan
from napari_mmreg.cli.outputs import EVERY_OUTPUT, FUSED, OUTPUTS, TRANSFORM_FORMATS, write_report
from napari_mmreg.cli.parts import is_for_parts, register_in_parts
from napari_mmreg.cli.transforms import add_matrix_argument

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from napari_mmreg.io import Picture
    from napari_mmreg.registration import RegistrationResult

FAILED = 3
"""Exit code of a registration that failed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg register``."""
    parser.epilog = (
        "Exit codes: 0 done (a doubtful result is reported), 2 bad input, 3 failed, 130 cancelled."
    )
    parser.add_argument(
        "fixed", type=Path, help="image that stays: TIFF, PNG, JPEG, NPY, OME-Zarr ..."
    )
    parser.add_argument("moving", type=Path, help="image that is brought onto it")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help=f"folder for the results: {', '.join(OUTPUTS)}",
    )
    add_engine_arguments(parser)
    parser.add_argument(
        "--tiles",
        type=_power_of_two,
        metavar="N",
        help="refine large images in overlapping tiles, down to N pixels per pixel: 1 for the full "
        "resolution, 2, 4 ... (default: not at all)",
    )
    parser.add_argument("--fixed-mask", type=Path, metavar="FILE", help="use only its nonzero part")
    parser.add_argument("--moving-mask", type=Path, metavar="FILE")
    add_choice_arguments(parser)
    parser.add_argument(
        "--fixed-spacing",
        type=float,
        nargs=2,
        metavar=("ROW", "COL"),
        help="size of a pixel; both images in one unit",
    )
    parser.add_argument("--moving-spacing", type=float, nargs=2, metavar=("ROW", "COL"))
    parser.add_argument("--fixed-modality", metavar="NAME", help="e.g. visible, thermal, sar")
    parser.add_argument("--moving-modality", metavar="NAME")
    parser.add_argument(
        "--order",
        type=int,
        choices=(0, 1, 3),
        help="interpolation of the registered image: 0 nearest, 1 linear, 3 cubic (default: 0 for "
        "label images and masks, else 1)",
    )
    parser.add_argument("--initial", type=Path, metavar="FILE", help="transform to start from")
    parser.add_argument(
        "--ignore-georeference",
        action="store_true",
        help="start from centred frames even if both images say where on Earth they lie",
    )
    add_matrix_argument(parser)
    parser.add_argument(
        "--transform-format",
        type=_formats,
        default=("npz",),
        metavar="LIST",
        help="npz (always written), tfm, h5, separated by commas; ITK's tfm and h5 need the itk "
        "extra",
    )
    parser.add_argument(
        "--fuse",
        metavar="METHOD",
        help=f"also write {FUSED}: one picture of both images (see 'mmreg models')",
    )
    parser.add_argument("--force", action="store_true", help="replace results of an earlier run")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Read, register, write and summarise."""
    from napari_mmreg.io import check_folder

    formats = tuple(f for f in arguments.transform_format if f != "npz")
    check_folder(arguments.output, EVERY_OUTPUT, replace=arguments.force)
    if formats:
        _check_itk()
    if arguments.fuse:
        check_fusion(arguments.fuse)
    if is_for_parts(arguments.fixed) or is_for_parts(arguments.moving):
        result = register_in_parts(arguments)
        names = ["report.json"] if result.status == "failed" else list(OUTPUTS)
    else:
        fixed = read_side(arguments, "fixed", arguments.fixed)
        moving = read_side(arguments, "moving", arguments.moving)
        options = _options(arguments, fixed, moving)
        result = register_pair(fixed.image, moving.image, arguments, **options)
        if arguments.tiles is not None:
            result = _refine(result, fixed, moving, arguments, options)
        names = _write(result, arguments, fixed, formats)
    if not arguments.quiet:
        summarise(result)
        say(f"Wrote {', '.join(names)} to {arguments.output}")
    if result.status != "ok":
        warn(f"{'error' if result.status == 'failed' else 'warning'}: {verdict(result)}")
    return FAILED if result.status == "failed" else 0


def _refine(
    result: RegistrationResult,
    fixed: Picture,
    moving: Picture,
    arguments: argparse.Namespace,
    options: dict[str, Any],
) -> RegistrationResult:
    """Refine in tiles, with bar and Ctrl-C."""
    from napari_mmreg.large import refine_tiles

    with (
        progress_bar(quiet=arguments.quiet, left=True) as progress,
        interruptible() as cancel,
    ):
        return refine_tiles(
            fixed.image,
            moving.image,
            result,
            finest=arguments.tiles,
            device=arguments.device,
            fixed_mask=options.get("fixed_mask"),
            moving_mask=options.get("moving_mask"),
            nodata=options.get("nodata", (None, None)),
            progress=progress,
            cancel=cancel,
        )


def _write(
    result: RegistrationResult,
    arguments: argparse.Namespace,
    fixed: Picture,
    formats: tuple[str, ...],
) -> list[str]:
    """Write the folder as a whole; return the names of what is in it."""
    from napari_mmreg.io import whole_folder, write_image

    if result.status == "failed":
        # An image called "registered" would be taken for one.
        write_report(result, arguments.output, replace=arguments.force)
        return ["report.json"]
    itk = [f"transform.{name}" for name in formats]
    with whole_folder(arguments.output, EVERY_OUTPUT, replace=arguments.force) as folder:
        result.write_files(folder, fixed.georeference)
        _save_itk(result, folder, arguments, itk)
        if arguments.fuse:
            fused = fuse_pair(
                with_nan(fixed), result.registered, result.valid, arguments.fuse, arguments
            )
            write_image(folder / FUSED, fused, georeference=fixed.georeference)
    return [*OUTPUTS, *itk, *([FUSED] if arguments.fuse else [])]


def _options(arguments: argparse.Namespace, fixed: Picture, moving: Picture) -> dict[str, Any]:
    """Return the engine's options that come from the command line and from files."""
    from napari_mmreg.io import common_nodata

    options = engine_options(arguments, fixed.image.shape)
    if fixed.nodata is not None or moving.nodata is not None:
        options["nodata"] = (fixed.nodata, common_nodata(fixed, moving))
    places = fixed.georeference, moving.georeference
    start = start_from_places(arguments, places, (fixed.image.shape[0], fixed.image.shape[1]))
    if start is not None:
        options["initial"] = start
    return options


def _save_itk(
    result: RegistrationResult, folder: Path, arguments: argparse.Namespace, names: list[str]
) -> None:
    from napari_mmreg.io.transforms import save_transform

    for name in names:
        save_transform(
            folder / name,
            result.transform,
            fixed_shape=result.fixed_shape,
            **spacings(arguments),
        )


def register_pair(
    fixed: Any, moving: Any, arguments: argparse.Namespace, *, quiet: bool = False, **options: Any
) -> RegistrationResult:
    """Register two arrays with the options of `add_engine_arguments`, with bar and Ctrl-C."""
    quiet = quiet or getattr(arguments, "quiet", False)
    with progress_bar(quiet=quiet) as progress, interruptible() as cancel:
        progress("Loading", 0.0)
        from napari_mmreg.registration import register

        return register(
            fixed,
            moving,
            model=arguments.model,
            budget=arguments.budget,
            device=arguments.device,
            refine=not arguments.no_refine,
            seed=arguments.seed,
            progress=progress,
            cancel=cancel,
            **options,
        )


def check_fusion(method: str) -> None:
    """Say now, not after the run, that there is no such fusion method."""
    from napari_mmreg.fusion import get_fusion_info

    get_fusion_info(method)


def fuse_pair(
    fixed: Any, registered: Any, valid: Any, method: str, arguments: argparse.Namespace
) -> NDArray[Any]:
    """Fuse two arrays, with bar and Ctrl-C."""
    from napari_mmreg.fusion import fuse

    with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
        return fuse(fixed, registered, method, valid, arguments.device, progress, cancel)


def summarise(result: RegistrationResult) -> None:
    """Say what a run found, in numbers."""
    metrics = result.metrics
    say(f"Status        {result.status}")
    for reason in result.reasons:
        say(f"              {reason}")
    device = result.provenance.get("device", "")
    say(f"Model         {result.model} on {device}, {sum(result.timings.values()):.1f} s")
    if result.status != "failed":
        say(
            f"Mean error    probably within {result.probable_error:.1f} px, as likely as "
            f"not within {result.mean_error():.1f} px (of the fixed image)"
        )
    say(
        f"Similarity    {metrics['similarity_before']:.3f} before, "
        f"{metrics['similarity_after']:.3f} after"
    )
    say(
        f"Displacement  {metrics['displacement_median_px']:.2f} px median, "
        f"{metrics['displacement_max_px']:.2f} px at most (pixels of the fixed image)"
    )
    say(
        f"Overlap       {metrics['overlap_percent']:.1f} % of the fixed image, "
        f"folding {metrics['folding_percent']:.2f} %"
    )
    if "matches" in metrics:
        say(f"Matches       {metrics['matches']:.0f} that agree with the model's answer")


def verdict(result: RegistrationResult) -> str:
    """Return one line that says what a status other than ok means for the user."""
    why = " ".join(result.reasons)
    if result.status == "failed":
        return f"the registration failed. {why}"
    return f"the result is doubtful, look at it before you use it. {why}"


def _formats(text: str) -> tuple[str, ...]:
    import argparse

    formats = tuple(part.strip().lower().lstrip(".") for part in text.split(","))
    unknown = [name for name in formats if name not in TRANSFORM_FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown format {unknown[0]!r}; choose from {', '.join(TRANSFORM_FORMATS)}"
        )
    return formats


def _power_of_two(text: str) -> int:
    import argparse

    if not text.isdigit() or int(text) < 1 or int(text) & (int(text) - 1):
        raise argparse.ArgumentTypeError(f"{text!r} is none of 1, 2, 4, 8 ...")
    return int(text)


def _check_itk() -> None:
    """Say now, not after the run, that SimpleITK is missing."""
    from importlib.util import find_spec

    from napari_mmreg.errors import MissingExtraError

    if find_spec("SimpleITK") is None:
        raise MissingExtraError(
            "Writing ITK transforms needs SimpleITK: pip install 'napari-mmreg[itk]'."
        )
