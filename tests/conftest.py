"""What all tests share."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# With several Qt bindings installed pytest-qt and napari must use the same one: the one that
# QT_API names, else PyQt6.
if "QT_API" in os.environ:
    os.environ.setdefault("PYTEST_QT_API", os.environ["QT_API"])
elif importlib.util.find_spec("PyQt6") is not None:
    os.environ.setdefault("PYTEST_QT_API", "pyqt6")


def pytest_configure(config):
    """Give each process its own napari settings, and each of several its own screen."""
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    os.environ["NAPARI_CONFIG"] = str(Path(folder.name) / "settings.yaml")
    if "PYTEST_XDIST_WORKER" in os.environ and os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        from screens import open_own_screen

        end = open_own_screen()
        if end is not None:
            config.add_cleanup(end)


@pytest.fixture(scope="session")
def sam_folders(tmp_path_factory):
    """Tiny SamModel and Sam2Model with random weights, saved as published ones are."""
    pytest.importorskip("transformers", reason="needs the extra sam")
    from tiny_sam import save_tiny_sams

    return save_tiny_sams(tmp_path_factory.mktemp("sams"))
