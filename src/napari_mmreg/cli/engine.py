"""The options of all commands that register, and what the engine makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import warn
from napari_mmreg.cli.transforms import read_transform
from napari_mmreg.errors import InputError
from napari_mmreg.models.budgets import BALANCED, BUDGETS

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.io import Georeference


def add_engine_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare what all commands that register have in common."""
    parser.add_argument("--model", default="auto", help="see 'mmreg models' (default auto)")
    parser.add_argument(
        "--budget",
        choices=tuple(BUDGETS),
        default=BALANCED,
        help=f"how much time the model auto may take for a surer answer (default {BALANCED})",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--no-refine", action="store_true", help="leave out the local refinement")
    parser.add_argument("--seed", type=int, default=0)


def engine_options(arguments: argparse.Namespace, fixed_shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the engine's options that the command line gives for images of any kind."""
    from napari_mmreg.io import read_mask

    options: dict[str, Any] = {
        name: read_mask(path)
        for name in ("fixed_mask", "moving_mask")
        if (path := getattr(arguments, name))
    }
    if arguments.initial:
        options["initial"] = read_transform(
            arguments.initial, arguments, fixed_shape=fixed_shape, **spacings(arguments)
        )
    options.update(spacings(arguments))
    options["order"] = arguments.order
    options["modalities"] = (arguments.fixed_modality, arguments.moving_modality)
    return options


def spacings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the pixels' sizes as the engine and the file formats take them."""
    if arguments.fixed_spacing is None:
        if arguments.moving_spacing:
            raise InputError("--moving-spacing needs --fixed-spacing, in the same unit.")
        return {}
    moving = arguments.moving_spacing
    return {
        "fixed_spacing": tuple(arguments.fixed_spacing),
        "moving_spacing": tuple(moving) if moving else None,
    }


def start_from_places(
    arguments: argparse.Namespace,
    places: tuple[Georeference | None, Georeference | None],
    shape: tuple[int, int],
) -> MatrixTransform | None:
    """Return where two georeferenced images lie on each other, and say so; None if not wanted."""
    from napari_mmreg.io.geo import start_on_earth

    if arguments.ignore_georeference or arguments.initial:
        return None
    start = start_on_earth((arguments.fixed, arguments.moving), places, shape)
    if start is not None and not arguments.quiet:
        warn("starting from where the two images lie on Earth; --ignore-georeference does not")
    return start
