"""The ``mmreg`` command: everything that works without a window.

Exit codes: 0 done (also with a doubtful result, which is reported), 2 the input, an option or the
machine does not allow it, 3 the registration failed, 130 cancelled.

argparse rather than a newer library: it starts at once, adds no dependency to the napari
environments that this package is installed into, and will not change under its users.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Protocol

import napari_mmreg
from napari_mmreg.cli import (
    apply,
    batch,
    convert,
    demo,
    evaluate,
    fuse,
    models,
    register,
    samples,
    series,
    sets,
)
from napari_mmreg.cli.console import warn
from napari_mmreg.errors import Cancelled, RegistrationError
from napari_mmreg.threads import let_threads_sleep
from napari_mmreg.training import command as train

BAD_INPUT = 2
CANCELLED = 130


class Command(Protocol):
    """What the module of a command offers; importing it must cost nothing.

    The first line of its docstring, after the colon, is the command's help text.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit code."""


COMMANDS: dict[str, Command] = {
    "register": register,
    "apply": apply,
    "batch": batch,
    "series": series,
    "set": sets,
    "fuse": fuse,
    "evaluate": evaluate,
    "transforms": convert,
    "models": models,
    "samples": samples,
    "demo": demo,
    "train": train,
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="mmreg",
        description="Multimodal image registration: align pictures from two sensors and know how "
        "far to trust the result.",
    )
    parser.add_argument("--version", action="version", version=napari_mmreg.__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").splitlines()[0].partition(": ")[2]
        summary = summary[:1].upper() + summary[1:]
        subparser = commands.add_parser(name, help=summary, description=summary)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``mmreg``; return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; by default those of the process.
    """
    arguments = build_parser().parse_args(argv)
    let_threads_sleep()
    try:
        code: int = arguments.run(arguments)
    except (Cancelled, KeyboardInterrupt):
        warn("cancelled")
        return CANCELLED
    except RegistrationError as error:
        warn(f"error: {error}")
        return BAD_INPUT
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        warn(f"error: cannot read or write{place}: {error.strerror or error}")
        return BAD_INPUT
    except MemoryError:
        warn("error: the computer's memory does not suffice; use smaller images")
        return BAD_INPUT
    return code
