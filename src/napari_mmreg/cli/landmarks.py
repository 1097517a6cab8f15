"""The landmark part of ``mmreg evaluate``: the numbers of the *Landmarks* dock without a window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import say, table
from napari_mmreg.cli.transforms import read_transform
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.geometry import Transform
    from napari_mmreg.io import LandmarkPairs
    from napari_mmreg.landmarks import LandmarkPair, Measurement

KINDS = ("translation", "rigid", "similarity", "affine", "homography", "tps")
_COLUMNS = {"before": "registered", "after": "corrected", "left_out": "left out"}


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare landmark files of one image each, beside those that hold pairs."""
    for side in ("fixed", "moving"):
        parser.add_argument(
            f"--{side}-landmarks",
            type=Path,
            metavar="FILE",
            help=f"points of the {side} image alone: napari's CSV, 3D Slicer's .fcsv, QuPath's "
            "table or GeoJSON, QGIS's .points; paired by name, else by order",
        )


def read_pairs(arguments: argparse.Namespace) -> LandmarkPairs:
    """Read the landmarks that a command was given, from one file of pairs or from two."""
    from napari_mmreg.io import read_landmark_files, read_landmarks

    spacings = []
    if arguments.fixed_spacing and arguments.spacing:
        spacings = [tuple(arguments.fixed_spacing), tuple(arguments.spacing)]
    if (arguments.fixed_landmarks is None) != (arguments.moving_landmarks is None):
        raise InputError("Give both --fixed-landmarks and --moving-landmarks.")
    if arguments.fixed_landmarks is None:
        return read_landmarks(arguments.landmarks, *spacings)
    if arguments.landmarks is not None:
        raise InputError("Give either --landmarks, or --fixed-landmarks and --moving-landmarks.")
    return read_landmark_files(arguments.fixed_landmarks, arguments.moving_landmarks, *spacings)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that correct with landmarks and measure the correction."""
    group = parser.add_argument_group("correcting with landmarks")
    how = group.add_mutually_exclusive_group()
    how.add_argument("--correct", action="store_true", help="bend --transform to the landmarks")
    how.add_argument("--fit", choices=KINDS, help="fit the landmarks alone, without --transform")
    group.add_argument(
        "--strength", type=float, default=1.0, metavar="S", help="of the correction, 0 to 1"
    )
    group.add_argument(
        "--reach", type=float, metavar="PX", help="how far a landmark acts, in moving pixels"
    )
    group.add_argument(
        "--smoothing",
        type=float,
        metavar="S",
        help="0: through every pair; default: automatic (0 for --fit tps)",
    )
    group.add_argument("--threshold", type=float, default=3.0, metavar="T", help="success (3)")
    group.add_argument("--each", action="store_true", help="a line per landmark, too")
    group.add_argument(
        "--fixed-spacing",
        type=float,
        nargs=2,
        metavar=("ROW", "COL"),
        help="with --spacing: BigWarp's coordinates are in these units",
    )
    group.add_argument("--output", metavar="FILE", help="write the new transform (.npz)")


def run(arguments: argparse.Namespace) -> int:
    """Measure landmarks before and after, and left out where they make a transform."""
    from napari_mmreg.io import write_json
    from napari_mmreg.landmarks import FitSettings, measure, used_points

    transform, base, judged = _transforms(arguments)
    pairs = _read(arguments)
    spacing = tuple(arguments.spacing) if arguments.spacing else None
    settings = FitSettings(
        kind=arguments.fit or "affine",
        spline_smoothing=arguments.smoothing or 0.0,
        strength=arguments.strength,
        reach=arguments.reach,
        smoothing=arguments.smoothing,
    )
    found = measure(pairs, judged, base, settings, spacing)
    if found.before is None:
        raise InputError("There are no landmarks to measure; mark at least one pair, enabled.")
    from napari_mmreg.evaluation import landmark_error
    from napari_mmreg.geometry import MatrixTransform

    ids, fixed, moving = used_points(pairs)
    loaded = landmark_error(MatrixTransform.identity(), fixed, moving, spacing)
    unit = "pixels of the moving image" if spacing is None else "the unit of the spacing"
    say(f"Registration error at {len(ids)} landmarks, in {unit}")
    errors = {"as loaded": loaded}
    if transform is not None:
        errors["registered"] = found.before
    making = bool(arguments.correct or arguments.fit)
    if making:
        if found.transform is None or found.after is None or found.left_out is None:
            raise InputError(found.problem)
        errors["corrected" if arguments.correct else "fitted"] = found.after
        errors["left out"] = found.left_out
    numbers = {
        name: summary
        for name, error in errors.items()
        if (summary := _summary(error, arguments.threshold))
    }
    _say_numbers(numbers, arguments.threshold)
    if arguments.each:
        _say_each(pairs, found, making=making)
    for suspicion in found.suspects:
        say(f"! {suspicion.sentence}")
    if arguments.output:
        if found.transform is None or not making:
            raise InputError("There is no new transform to write; add --correct or --fit KIND.")
        found.transform.save(arguments.output)
        say(f"Wrote {arguments.output}")
    if arguments.json:
        content: dict[str, Any] = dict(numbers)
        content["landmarks"] = _each(pairs, found, making=making)
        content["suspects"] = [suspicion.sentence for suspicion in found.suspects]
        write_json(arguments.json, content)
    return 0


def _transforms(
    arguments: argparse.Namespace,
) -> tuple[Transform | None, Transform | None, Transform]:
    """Return the given transform, the one to correct, and the one that is judged."""
    from napari_mmreg.geometry import MatrixTransform

    if arguments.transform is None:
        if arguments.correct:
            raise InputError("--correct bends a transform: give it with --transform.")
        return None, None, MatrixTransform.identity()
    transform = read_transform(arguments.transform, arguments)
    return transform, None if arguments.fit else transform, transform


def _read(arguments: argparse.Namespace) -> list[LandmarkPair]:
    from napari_mmreg.landmarks import LandmarkPair

    found = read_pairs(arguments).usable
    return [
        LandmarkPair(row + 1, name, tuple(here), tuple(there))
        for row, (name, here, there) in enumerate(
            zip(found.names, found.fixed.tolist(), found.moving.tolist(), strict=True)
        )
    ]


def _summary(error: Any, threshold: float) -> dict[str, Any]:
    from napari_mmreg.landmarks import summarise

    return summarise(error, threshold)


def _say_numbers(numbers: dict[str, dict[str, Any]], threshold: float) -> None:
    """Say mean, RMSE, median, maximum and success rate, a line each."""
    table(
        ["", "mean", "RMSE", "median", "max", f"<= {threshold:g}"],
        [
            [
                name,
                *(_cell(n.get(key)) for key in ("mean", "rmse", "median", "max")),
                _cell(100 * n["success_rate"]) + " %" if "success_rate" in n else "-",
            ]
            for name, n in numbers.items()
        ],
    )


def _say_each(pairs: list[LandmarkPair], found: Measurement, *, making: bool) -> None:
    rows = _each(pairs, found, making=making)
    names = [name for name in _COLUMNS if name in rows[0]]
    table(
        ["landmark", *(_COLUMNS[name] for name in names)],
        [[str(row["name"]), *(_cell(row[name]) for name in names)] for row in rows],
    )


def _each(pairs: list[LandmarkPair], found: Measurement, *, making: bool) -> list[dict[str, Any]]:
    names = tuple(_COLUMNS) if making else ("before",)
    return [
        {
            "name": pair.name,
            **{
                name: _finite(value)
                for name, value in zip(_COLUMNS, found.of(pair.id), strict=True)
                if name in names
            },
        }
        for pair in pairs
    ]


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
