"""``mmreg demo``: register the sample pairs, measure the error, show napari."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.cli.console import say, table, warn
from napari_mmreg.cli.engine import add_engine_arguments
from napari_mmreg.cli.outputs import EVERY_OUTPUT
from napari_mmreg.cli.register import FAILED, register_pair, verdict
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.evaluation import LandmarkError

SAMPLES = ("ihc_two_stain", "motorcycle_rgb_depth")

SAMPLE_FILES = ("fixed.tif", "moving.tif", "landmarks.csv")
"""What lies beside a sample's result."""

SCREENSHOT = "napari.png"

SCREENSHOT_TIMEOUT = 600.0
"""Seconds that napari may take to register the sample and to be photographed."""

VIRTUAL_SCREEN = ("xvfb-run", "-a", "-s", "-screen 0 1600x1000x24")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mmreg demo``."""
    parser.add_argument(
        "samples",
        nargs="*",
        metavar="SAMPLE",
        help=f"see 'mmreg samples' (default: {' '.join(SAMPLES)}); the first one is shown",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("mmreg-demo"),
        metavar="DIR",
        help="folder for the results (default mmreg-demo); an earlier demo's are replaced",
    )
    add_engine_arguments(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    window = parser.add_mutually_exclusive_group()
    window.add_argument(
        "--window",
        dest="window",
        action="store_true",
        default=None,
        help="leave napari open at the end (default where there is a screen)",
    )
    window.add_argument(
        "--no-window",
        dest="window",
        action="store_false",
        help="only take the screenshot, on a virtual screen",
    )
    window.add_argument("--no-screenshot", action="store_true", help="leave napari out altogether")


def run(arguments: argparse.Namespace) -> int:
    """Register, measure, save, show."""
    names = arguments.samples or list(SAMPLES)
    if arguments.output.exists() and not arguments.output.is_dir():
        raise InputError(f"{arguments.output} is a file; name a folder for the results.")
    rows: list[list[str]] = []
    failed = False
    for name in names:
        status, before, after = _register_sample(name, arguments)
        failed |= status == "failed"
        rows.append([name, "before", *_numbers(before), ""])
        rows.append(["", "after", *_numbers(after), status])
    say("Registration error at the samples' landmarks, in pixels of the moving image:\n")
    table(["sample", "", "mean", "median", "max", "status"], rows)
    say(f"\nResults are in {arguments.output}{os.sep}")
    if not arguments.no_screenshot:
        _show(names[0], arguments)
    return FAILED if failed else 0


def _register_sample(
    name: str, arguments: argparse.Namespace
) -> tuple[str, LandmarkError, LandmarkError]:
    """Register one sample, save all of it, and return status and error before and after."""
    from napari_mmreg.evaluation import landmark_error
    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.io import whole_folder, write_image, write_json, write_landmarks
    from napari_mmreg.samples import load_sample

    sample = load_sample(name)
    result = register_pair(
        sample.fixed,
        sample.moving,
        arguments,
        modalities=(sample.fixed_modality, sample.moving_modality),
    )
    outputs = (*EVERY_OUTPUT, *SAMPLE_FILES)
    with whole_folder(arguments.output / name, outputs, replace=True) as folder:
        if result.status == "failed":  # an image called "registered" would be taken for one
            write_json(folder / "report.json", result.report())
        else:
            result.write_files(folder)
        write_image(folder / "fixed.tif", sample.fixed)
        write_image(folder / "moving.tif", sample.moving)
        write_landmarks(folder / "landmarks.csv", sample.fixed_points, sample.moving_points)
    if result.status != "ok":
        warn(f"{name}: {verdict(result)}")
    before, after = (
        landmark_error(transform, sample.fixed_points, sample.moving_points)
        for transform in (MatrixTransform.identity(), result.transform)
    )
    return result.status, before, after


def _numbers(error: LandmarkError) -> list[str]:
    return [f"{value:.2f}" for value in (error.mean, error.median, error.max)]


def _show(name: str, arguments: argparse.Namespace) -> None:
    """Open napari on a sample, or photograph it where nobody could look.

    napari runs in a process of its own: this command knows no Qt, and a broken graphics driver
    cannot take the results with it.
    """
    if find_spec("napari") is None:
        warn("napari is not installed here, so there is no screenshot; install napari-mmreg[all]")
        return
    stay = arguments.window if arguments.window is not None else has_screen()
    screenshot = arguments.output / SCREENSHOT
    command = [
        sys.executable,
        "-m",
        "napari_mmreg.gui.demo_window",
        name,
        str(screenshot),
        f"--model={arguments.model}",
        f"--device={arguments.device}",
        f"--seed={arguments.seed}",
    ]
    if arguments.no_refine:
        command.append("--no-refine")
    if stay:
        if not has_screen():
            warn("there is no screen to open napari on; leave out --window")
            return
        command.append("--stay")
        say("Opening napari; close its window to end.")
    else:
        prefix = virtual_screen()
        if prefix is None:
            return
        command = [*prefix, *command]
        say("Taking a screenshot of napari on a virtual screen ...")
    screenshot.unlink(missing_ok=True)
    try:
        done = subprocess.run(  # noqa: S603  our own module, no shell
            command, check=False, timeout=None if stay else SCREENSHOT_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        warn(f"napari did not finish within {SCREENSHOT_TIMEOUT:.0f} s; there is no screenshot")
        return
    if screenshot.exists():
        say(f"Screenshot: {screenshot}")
    else:
        warn(f"napari ended with code {done.returncode} and left no screenshot; see above")


def has_screen() -> bool:
    """Return whether windows can be opened here, as far as the environment tells."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def virtual_screen() -> tuple[str, ...] | None:
    """Return the command that gives a program a screen of its own, or None and say why."""
    if not sys.platform.startswith("linux"):
        return ()  # macOS and Windows always have one
    if shutil.which(VIRTUAL_SCREEN[0]):
        return VIRTUAL_SCREEN
    if has_screen():
        return ()
    warn(
        "there is no screen and no xvfb-run, so there is no screenshot; install it with "
        "'apt-get install xvfb xauth', or run this where there is a screen"
    )
    return None
