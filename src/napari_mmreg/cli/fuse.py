"""``mmreg fuse``: make one image of a fixed and a registered image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import interruptible, progress_bar, say
from napari_mmreg.cli.images import add_choice_arguments, read_side, with_nan
from napari_mmreg.cli.register import check_fusion, fuse_pair
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from napari_mmreg.registration import CorrectedFusion

METHOD = "laplacian"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg fuse``."""
    parser.add_argument("fixed", type=Path, help="image that stayed")
    parser.add_argument("registered", type=Path, help="the other one on its grid: registered.tif")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--method", default=METHOD, help=f"see 'mmreg models' (default {METHOD})")
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="nonzero where the registered image has data; without it, a black border around the "
        "frame counts as none",
    )
    parser.add_argument(
        "--correct",
        action="store_true",
        help="put the fused image right where both do not quite fit (FusionRegister)",
    )
    parser.add_argument(
        "--map",
        type=Path,
        metavar="FILE",
        help="with --correct: write the probability that a pixel was misregistered, float32",
    )
    add_choice_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Read, fuse, write."""
    for path in filter(None, (arguments.output, arguments.map)):
        if path.exists() and not arguments.force:
            raise InputError(f"{path} already exists. Replace it with --force.")
    if arguments.map and not arguments.correct:
        raise InputError("--map is what --correct finds. Pass both.")
    check_fusion(arguments.method)
    from napari_mmreg.io import read_mask, write_image

    below = read_side(arguments, "fixed", arguments.fixed)
    above = read_side(arguments, "moving", arguments.registered)
    fixed, registered = with_nan(below), with_nan(above)
    valid = read_mask(arguments.mask) if arguments.mask else _inside_frame(registered)
    if arguments.correct:
        found = _correct(fixed, registered, valid, arguments)
        fused = found.fused
        if found.status != "ok" and not arguments.quiet:
            what = "Corrected by the network alone" if found.displacement.any() else "Left as it is"
            say(f"{what}: {' '.join(found.reasons)}")
        if arguments.map:
            write_image(arguments.map, found.misregistered, georeference=below.georeference)
    else:
        fused = fuse_pair(fixed, registered, valid, arguments.method, arguments)
    write_image(arguments.output, fused, georeference=below.georeference)
    if not arguments.quiet:
        say(f"Wrote {arguments.output}, {fused.shape[0]} x {fused.shape[1]} pixels")
    return 0


def _correct(fixed: Any, registered: Any, valid: Any, arguments: Any) -> CorrectedFusion:
    """Fuse and correct two arrays, with bar and Ctrl-C."""
    from napari_mmreg.registration import correct_fusion

    with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
        return correct_fusion(
            fixed,
            registered,
            method=arguments.method,
            valid=valid,
            device=arguments.device,
            progress=progress,
            cancel=cancel,
        )


def _inside_frame(image: NDArray[Any]) -> NDArray[Any]:
    """Return where a warped image is not the black around it; see `imaging.field_of_view`."""
    from napari_mmreg.imaging.field_of_view import black_border

    zero = image == 0 if image.ndim == 2 else (image[..., :3] == 0).all(axis=-1)
    inside: NDArray[Any] = ~black_border(zero)
    return inside
