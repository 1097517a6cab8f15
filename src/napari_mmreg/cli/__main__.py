"""``python -m napari_mmreg.cli`` is ``mmreg``."""

from __future__ import annotations

import sys

from napari_mmreg.cli import main

if __name__ == "__main__":
    sys.exit(main())
