"""The plugin from opening it to a result; all that the second Qt binding is tested with."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.gui, pytest.mark.slow]

FIRST_MINUTES = """
import sys

import napari
import numpy as np
from qtpy import API_NAME

from napari_mmreg.gui import demo_window

NAMES = (
    "Register images", "Register stack or time series", "Landmarks", "Evaluate registration",
    "Apply registration",
)

print(API_NAME)
viewer = napari.Viewer(show=False)
docks = [
    viewer.window.add_plugin_dock_widget("napari-mmreg", name)[1]
    for name in NAMES
]
print("torch" in sys.modules)

sample = "visible_thermal_simulated"
opened = viewer.open_sample("napari-mmreg", sample)
before = [np.array(layer.data) for layer in opened]
arguments = demo_window.parse([sample, "", "--model", "classical", "--device", "cpu"])
demo_window.choose(docks[0], arguments)
run = demo_window.register(docks[0])
print(run.bundle.result.status)
registered = run.layers[demo_window.REGISTERED]
print(registered in viewer.layers and np.ptp(registered.data) > 0)
print(all(np.array_equal(layer.data, was) for layer, was in zip(opened, before)))
viewer.screenshot(canvas_only=False, flash=False)
viewer.close()
print("closed")
"""


def test_from_opening_the_docks_to_a_result():
    done = subprocess.run(
        [sys.executable, "-c", FIRST_MINUTES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    binding, torch_was_imported, *rest = done.stdout.split()
    assert binding.lower() == os.environ.get("QT_API", binding).lower()
    assert torch_was_imported == "False"
    assert rest == ["ok", "True", "True", "closed"], done.stderr[-3000:]
