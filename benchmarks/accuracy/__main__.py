"""Run as ``python -m benchmarks.accuracy`` from the checkout's root."""

from __future__ import annotations

import argparse
import sys

from benchmarks.accuracy import command
from napari_mmreg.errors import RegistrationError


def main() -> int:
    """Parse the arguments and measure; return the exit code, 2 for input that does not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="Measure our models and their peers in one run, and write the tables.",
    )
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args())
    except RegistrationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
