"""What opening the dock imports: speed is measured in benchmarks/startup.py."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.gui

OPENING = """
import sys

import napari

from napari_mmreg.gui.register.dock import RegisterDock

viewer = napari.Viewer(show=False)
viewer.window.add_dock_widget(RegisterDock(viewer))
slow = {
    *{"PIL", "pandas", "skimage.transform", "torch"},
    *(f"scipy.{part}" for part in ("interpolate", "optimize", "signal", "spatial", "stats")),
    *(f"napari_mmreg.{room}" for room in ("evaluation", "large", "landmarks", "registration")),
}
assert not slow & set(sys.modules), slow & set(sys.modules)
viewer.close()
"""


def test_opening_the_dock_imports_nothing_that_only_a_run_needs():
    done = subprocess.run(
        [sys.executable, "-c", OPENING], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
