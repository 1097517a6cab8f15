"""``mmreg models``: list the registration models and the fusion methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mmreg.cli.console import say, table

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.models import ModelInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg models``."""
    parser.add_argument("--devices", action="store_true", help="also say what can compute here")


def run(arguments: argparse.Namespace) -> int:
    """Say a table."""
    from napari_mmreg.fusion import list_fusions
    from napari_mmreg.models import get_info, list_models

    table(
        ["model", "weights", "licence", "purpose"],
        [
            [
                info.name,
                _weights(info),
                info.licence,
                info.purpose,
            ]
            for info in list_models()
        ],
    )
    say(f"\n'auto' is {get_info('auto').name}.")
    for info in list_models():
        if info.reference:
            say(f"{info.name}: {info.reference}")
    say("\nFused images, for 'mmreg register --fuse' and 'mmreg fuse':")
    table(
        ["method", "weights", "licence", "purpose"],
        [
            [
                info.name,
                "trained" if info.needs_weights else "not needed",
                info.licence,
                info.purpose,
            ]
            for info in list_fusions()
        ],
    )
    if arguments.devices:
        _say_devices()
    return 0


def _weights(info: ModelInfo) -> str:
    """Say whether a model can run here."""
    from napari_mmreg.errors import ModelError
    from napari_mmreg.models.weights import weights_folder

    if not info.needs_weights:
        return "not needed"
    try:
        weights_folder(info.name)
    except ModelError:
        return "missing"
    return "installed"


def _say_devices() -> None:
    from napari_mmreg.nn.device import choose_device, device_name

    chosen = choose_device("auto")
    say(f"Every model runs on CPU and CUDA. Here 'auto' takes {chosen} ({device_name(chosen)}).")
