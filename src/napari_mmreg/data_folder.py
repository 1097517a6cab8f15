"""Where the user's own data lies: landmark sessions, and what the docks remember."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER_VARIABLE = "MMREG_DATA_DIR"
"""Environment variable that moves the folder."""


def data_folder() -> Path:
    """Return the folder that MMREG_DATA_DIR names, or the user's own data folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("napari-mmreg", appauthor=False))
