"""``mmreg samples``: list the sample pairs, or write one to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli.console import say, table

if TYPE_CHECKING:
    import argparse

FILES = ("fixed.tif", "moving.tif", "truth.npz", "landmarks.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg samples``."""
    parser.add_argument("name", nargs="?", help="a sample to write; without it they are listed")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder (default: the sample's name)"
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")


def run(arguments: argparse.Namespace) -> int:
    """List the samples, or write one."""
    if arguments.name is None:
        _list()
    else:
        _write(arguments.name, arguments.output or Path(arguments.name), force=arguments.force)
    return 0


def _list() -> None:
    from napari_mmreg.samples import list_samples

    infos = list_samples()
    table(
        ["sample", "modalities", "pictures", "title"],
        [
            [
                info.name,
                f"{info.fixed_modality} / {info.moving_modality}",
                "download" if info.needs_network else "installed",
                info.title,
            ]
            for info in infos
        ],
    )
    for info in infos:
        say(f"\n{info.name}: {info.notes}")


def _write(name: str, folder: Path, *, force: bool) -> None:
    from napari_mmreg.io import check_folder, whole_folder, write_image, write_landmarks
    from napari_mmreg.samples import load_sample

    check_folder(folder, FILES, replace=force)
    sample = load_sample(name)
    with whole_folder(folder, FILES, replace=force) as partial:
        write_image(partial / "fixed.tif", sample.fixed)
        write_image(partial / "moving.tif", sample.moving)
        sample.truth.save(partial / "truth.npz")
        write_landmarks(partial / "landmarks.csv", sample.fixed_points, sample.moving_points)
    say(f"Wrote {', '.join(FILES)} to {folder}")
    say(sample.notes)
