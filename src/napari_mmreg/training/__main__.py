"""The tools around training: packs, sheets, validation, export.

``python -m napari_mmreg.training pack|sheet|validate|export``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from napari_mmreg.errors import RegistrationError
from napari_mmreg.training.tools import add_tools


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a tool; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m napari_mmreg.training", description=__doc__)
    add_tools(parser)
    args = parser.parse_args(arguments)
    try:
        status: int = args.run(args)
    except RegistrationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
