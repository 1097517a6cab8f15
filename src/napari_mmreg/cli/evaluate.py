"""``mmreg evaluate``: measure how good a registration is, and write a report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli import landmarks
from napari_mmreg.cli.console import interruptible, progress_bar, say, table, warn
from napari_mmreg.cli.engine import add_engine_arguments
from napari_mmreg.cli.images import add_choice_arguments, read_side, with_nan
from napari_mmreg.cli.register import register_pair
from napari_mmreg.cli.transforms import add_matrix_argument, read_transform
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    from napari_mmreg.evaluation import Evaluation
    from napari_mmreg.evaluation.segmentation import Segmenter
    from napari_mmreg.geometry import Transform

AS_THEY_LIE = "as they lie"
"""What the numbers of two images are called that no transform relates."""

IMAGE_OPTIONS = ("truth", "fixed_labels", "moving_labels", "fused", "models", "report")
"""What needs the two images."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg evaluate``."""
    parser.epilog = (
        "With two images: everything that can be measured, as they lie, for the given transform, "
        "or for every model of --models. With landmarks alone: their error."
    )
    parser.add_argument("fixed", type=Path, nargs="?", help="image that stays")
    parser.add_argument("moving", type=Path, nargs="?", help="image that is brought onto it")
    parser.add_argument("--transform", type=Path, metavar="FILE", help="fixed to moving")
    parser.add_argument(
        "--landmarks",
        type=Path,
        metavar="FILE",
        help="pairs: columns point,fixed_row,fixed_col,moving_row,moving_col, or BigWarp's CSV or "
        "JSON",
    )
    landmarks.add_file_arguments(parser)
    parser.add_argument(
        "--moving-spacing",
        "--spacing",
        dest="spacing",
        type=float,
        nargs=2,
        metavar=("ROW", "COL"),
        help="size of a moving pixel; errors are then in its unit (landmarks alone)",
    )
    add_matrix_argument(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file")
    landmarks.add_arguments(parser)
    images = parser.add_argument_group("with images")
    add_choice_arguments(images)
    # As they were called before all commands took images in the same way.
    images.add_argument("--fixed", dest="fixed_option", type=Path, help=argparse.SUPPRESS)
    images.add_argument("--moving", dest="moving_option", type=Path, help=argparse.SUPPRESS)
    images.add_argument(
        "--models", metavar="LIST", help="register with these, or 'all', and compare them"
    )
    images.add_argument("--initial", type=Path, metavar="FILE", help="where registration started")
    images.add_argument("--truth", type=Path, metavar="FILE", help="the true transform, if known")
    images.add_argument("--fixed-labels", type=Path, metavar="FILE", help="objects, numbered")
    images.add_argument("--moving-labels", type=Path, metavar="FILE", help="with equal numbers")
    images.add_argument("--fused", type=Path, metavar="FILE", help="fused image, on the fixed grid")
    images.add_argument(
        "--segmenter",
        default="regions",
        help="regions (built in, the default), none, or the folder of a SAM",
    )
    images.add_argument("--objects", type=int, default=20, metavar="N", help="at most (default 20)")
    images.add_argument("--fixed-modality", metavar="NAME", help="e.g. visible, thermal, sar")
    images.add_argument("--moving-modality", metavar="NAME")
    images.add_argument("--report", type=Path, metavar="DIR", help="write HTML, JSON and CSV there")
    images.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    add_engine_arguments(images)


def run(arguments: argparse.Namespace) -> int:
    """Measure what the given files allow."""
    arguments.fixed = arguments.fixed or arguments.fixed_option
    arguments.moving = arguments.moving or arguments.moving_option
    if (arguments.fixed is None) != (arguments.moving is None):
        raise InputError("Give both images: mmreg evaluate FIXED MOVING.")
    if arguments.fixed is not None:
        return _run_images(arguments)
    needing = [name for name in IMAGE_OPTIONS if getattr(arguments, name) is not None]
    if needing:
        option = needing[0].replace("_", "-")
        raise InputError(f"--{option} needs the images: mmreg evaluate FIXED MOVING --{option} ...")
    if arguments.landmarks is None and arguments.fixed_landmarks is None:
        raise InputError(
            "Give two images, mmreg evaluate FIXED MOVING, or landmarks with --landmarks."
        )
    return landmarks.run(arguments)


def _run_images(arguments: argparse.Namespace) -> int:
    """Evaluate the images as they lie or by one transform, or register with several models."""
    from napari_mmreg.evaluation.report import as_data, write_report
    from napari_mmreg.evaluation.report.files import HTML, JSON, NUMBERS, OBJECTS
    from napari_mmreg.evaluation.segmentation import load_segmenter
    from napari_mmreg.io import whole_folder, write_json

    if arguments.transform is not None and arguments.models is not None:
        raise InputError("Give either --transform, or --models to register with.")
    segmenter = None
    if arguments.segmenter != "none":
        segmenter = load_segmenter(arguments.segmenter, _device(arguments))
    evaluations = _evaluations(arguments, segmenter)
    for evaluation in evaluations:
        numbers_table(evaluation)
    if arguments.json:
        write_json(arguments.json, [as_data(e) for e in evaluations])
    if arguments.report:
        title = f"{arguments.moving.name} onto {arguments.fixed.name}"
        with whole_folder(arguments.report, (HTML, JSON, NUMBERS, OBJECTS), replace=True) as folder:
            page = write_report(evaluations, folder, title)
        say(f"Report: {arguments.report / page.name}")
    return 0


def _device(arguments: argparse.Namespace) -> str:
    from napari_mmreg.nn.device import choose_device

    return choose_device(arguments.device)


def _evaluations(arguments: argparse.Namespace, segmenter: Segmenter | None) -> list[Evaluation]:
    from napari_mmreg.imaging import initial_transform
    from napari_mmreg.io import read_image
    from napari_mmreg.models import list_models

    fixed = with_nan(read_side(arguments, "fixed", arguments.fixed))
    moving = with_nan(read_side(arguments, "moving", arguments.moving))

    def transform(path: Path) -> Any:
        found = read_transform(path, arguments, fixed_shape=fixed.shape)
        return found.for_shapes(fixed.shape, moving.shape)

    options: dict[str, Any] = {
        "segmenter": segmenter,
        "objects": arguments.objects,
        "modalities": (arguments.fixed_modality, arguments.moving_modality),
        "truth": transform(arguments.truth) if arguments.truth else None,
        "initial": transform(arguments.initial) if arguments.initial else None,
    }
    for name in ("fixed_labels", "moving_labels", "fused"):
        if path := getattr(arguments, name):
            options[name] = read_image(path)
    if arguments.landmarks or arguments.fixed_landmarks:
        pairs = landmarks.read_pairs(arguments).usable
        options["landmarks"] = (pairs.fixed, pairs.moving)
    images = {"fixed": arguments.fixed.name, "moving": arguments.moving.name}
    start = options["initial"] or initial_transform(fixed.shape, moving.shape)
    if arguments.models is None:
        about, given, name = {"images": images}, start, AS_THEY_LIE
        if arguments.transform:
            about["transform"] = name = arguments.transform.name
            given = transform(arguments.transform)
            options["initial"] = start
        elif fixed.shape[:2] != moving.shape[:2]:
            warn("the images differ in size; they are measured with their frames' centres matched")
        with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
            options.update(progress=progress, cancel=cancel, name=name)
            return [_evaluate(fixed, moving, given, about, **options)]
    named = [name.strip() for name in arguments.models.split(",")]
    names = [info.name for info in list_models()] if named == ["all"] else named
    return [_registered(fixed, moving, name, arguments, images, start, options) for name in names]


def _registered(
    fixed: Any,
    moving: Any,
    model: str,
    arguments: argparse.Namespace,
    images: dict[str, str],
    start: Transform,
    options: dict[str, Any],
) -> Evaluation:
    chosen = _with_model(arguments, model)
    result = register_pair(
        fixed, moving, chosen, initial=options["initial"], modalities=options["modalities"]
    )
    about = {
        "images": images,
        "status": result.status,
        "reasons": list(result.reasons),
        **result.provenance,
    }
    with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
        return _evaluate(
            fixed,
            moving,
            result.transform,
            about,
            progress=progress,
            cancel=cancel,
            name=model,
            misregistration=result.misregistration,
            **{**options, "initial": start},
        )


def _with_model(arguments: argparse.Namespace, model: str) -> argparse.Namespace:
    """Return the arguments with another model."""
    return type(arguments)(**{**vars(arguments), "model": model})


def _evaluate(
    fixed: Any,
    moving: Any,
    transform: Any,
    about: dict[str, Any],
    **options: Any,
) -> Evaluation:
    from napari_mmreg.evaluation import evaluate
    from napari_mmreg.registration.provenance import versions

    return evaluate(
        fixed,
        moving,
        transform,
        provenance={"versions": versions(), **about},
        **options,
    )


def numbers_table(evaluation: Evaluation) -> None:
    """Say all numbers of an evaluation, before and after, and what should be known."""
    from napari_mmreg.evaluation.measures import MEASURES

    say(f"{evaluation.name}")
    table(
        ["", "before", "after", "unit"],
        [
            [
                measure.title,
                measure.text(evaluation.before.get(measure.key)),
                measure.text(evaluation.after.get(measure.key)),
                measure.unit,
            ]
            for measure in MEASURES
            if measure.key in evaluation.after
        ],
    )
    for note in evaluation.notes:
        say(note)
    say()
