"""Random use of the docks in a real window: nothing that is done may end napari."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.gui, pytest.mark.slow]

STEPS = 500


def test_a_window_outlives_random_use():
    script = Path(__file__).with_name("stress.py")
    ended = subprocess.run(
        [sys.executable, str(script), str(STEPS), "0"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert f"alive {STEPS}" in ended.stdout
    assert "Traceback" not in ended.stderr, ended.stderr[-3000:]
