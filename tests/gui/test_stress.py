"""Random use of the docks in a real window: nothing that is done may end napari."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.gui

BINDINGS = {"pyqt6": "PyQt6", "pyside6": "PySide6"}


STEPS = 500


@pytest.mark.slow
@pytest.mark.parametrize(("binding", "seed"), [("pyqt6", 0), ("pyside6", 1)])
def test_a_window_outlives_random_use(binding, seed):
    if find_spec(BINDINGS[binding]) is None:  # importing a second binding would not do
        pytest.skip(f"{BINDINGS[binding]} is not installed")
    script = Path(__file__).with_name("stress.py")
    ended = subprocess.run(
        [sys.executable, str(script), str(STEPS), str(seed)],
        env={**os.environ, "QT_API": binding},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.partition("Extension modules")[0][-3000:]
    assert f"alive {STEPS}" in ended.stdout
    assert "Traceback" not in ended.stderr, ended.stderr.partition("Extension modules")[0][-3000:]
