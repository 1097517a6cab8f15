"""``mmreg evaluate``: measure how good a registration is, and write a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli import landmarks
from napari_mmreg.cli.console import interruptible, progress_bar, say, table
from napari_mmreg.cli.register import add_engine_arguments, register_pair
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.evaluation import Evaluation
    from napari_mmreg.evaluation.segmentation import Segmenter
    from napari_mmreg.geometry import Transform
    from napari_mmreg.run import Run

IMAGE_OPTIONS = ("truth", "fixed_labels", "moving_labels", "fused", "models", "report")
"""What needs the two images."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg evaluate``."""
    parser.epilog = (
        "With landmarks alone: their error. With --fixed and --moving: everything that can be "
        "measured, for the given transform, or for every model of --models."
    )
    parser.add_argument("--transform", type=Path, metavar="FILE", help="fixed to moving")
    parser.add_argument(
        "--landmarks",
        type=Path,
        metavar="FILE",
        help="columns point,fixed_row,fixed_col,moving_row,moving_col, or BigWarp's CSV or JSON",
    )
    parser.add_argument(
        "--spacing",
        type=float,
        nargs=2,
        metavar=("ROW", "COL"),
        help="size of a moving pixel; errors are then in its unit (landmarks alone)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file")
    landmarks.add_arguments(parser)
    images = parser.add_argument_group("with images")
    images.add_argument("--fixed", type=Path, metavar="FILE")
    images.add_argument("--moving", type=Path, metavar="FILE")
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
    if (arguments.fixed is None) != (arguments.moving is None):
        raise InputError("Give both images: --fixed and --moving.")
    if arguments.fixed is not None:
        return _run_images(arguments)
    needing = [name for name in IMAGE_OPTIONS if getattr(arguments, name) is not None]
    if needing:
        option = needing[0].replace("_", "-")
        raise InputError(f"--{option} needs the images: --fixed and --moving.")
    if arguments.landmarks is None:
        raise InputError(
            "Give --transform and --landmarks for the error at landmarks, or --fixed and --moving "
            "with --transform or --models for everything."
        )
    return landmarks.run(arguments)


def _run_images(arguments: argparse.Namespace) -> int:
    """Evaluate one transform, or register with several models and evaluate each."""
    from napari_mmreg.evaluation.report import as_data, write_report
    from napari_mmreg.evaluation.segmentation import load_segmenter

    if (arguments.transform is None) == (arguments.models is None):
        raise InputError("Give either --transform, or --models to register with.")
    segmenter = None
    if arguments.segmenter != "none":
        segmenter = load_segmenter(arguments.segmenter, _device(arguments))
    evaluations = _evaluations(arguments, segmenter)
    for evaluation in evaluations:
        numbers_table(evaluation)
    if arguments.json:
        text = json.dumps([as_data(e) for e in evaluations], indent=1, allow_nan=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    if arguments.report:
        title = f"{arguments.moving.name} onto {arguments.fixed.name}"
        say(f"Report: {write_report(evaluations, arguments.report, title)}")
    return 0


def _device(arguments: argparse.Namespace) -> str:
    from napari_mmreg.nn.device import choose_device

    return choose_device(arguments.device)


def _evaluations(arguments: argparse.Namespace, segmenter: Segmenter | None) -> list[Evaluation]:
    from napari_mmreg.imaging import initial_transform
    from napari_mmreg.io.images import read_image
    from napari_mmreg.io.landmarks import read_landmarks
    from napari_mmreg.io.transforms import load_transform
    from napari_mmreg.models import list_models

    fixed, moving = read_image(arguments.fixed), read_image(arguments.moving)

    def transform(path: Path) -> Any:
        return load_transform(path, fixed_shape=fixed.shape)

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
    if arguments.landmarks:
        pairs = read_landmarks(arguments.landmarks)
        options["landmarks"] = (pairs.fixed, pairs.moving)
    images = {"fixed": arguments.fixed.name, "moving": arguments.moving.name}
    start = options["initial"] or initial_transform(fixed.shape, moving.shape)
    if arguments.transform:
        with progress_bar(quiet=arguments.quiet) as progress, interruptible() as cancel:
            from napari_mmreg.run import Run

            return [
                _evaluate(
                    fixed,
                    moving,
                    transform(arguments.transform),
                    Run(progress=progress, cancel=cancel),
                    {"images": images, "transform": arguments.transform.name},
                    name=arguments.transform.name,
                    **{**options, "initial": start},
                )
            ]
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
    from napari_mmreg.run import Run

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
            Run(progress=progress, cancel=cancel),
            about,
            name=model,
            misregistration=result.misregistration,
            **{**options, "initial": start},
        )


def _with_model(arguments: argparse.Namespace, model: str) -> argparse.Namespace:
    """Return the arguments with another model."""
    return type(arguments)(**{**vars(arguments), "model": model})


def _evaluate(
    fixed: Any, moving: Any, transform: Any, run: Run, about: dict[str, Any], **options: Any
) -> Evaluation:
    from napari_mmreg.evaluation import evaluate
    from napari_mmreg.registration.provenance import versions

    return evaluate(
        fixed, moving, transform, run=run, provenance={"versions": versions(), **about}, **options
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
