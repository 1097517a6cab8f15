"""The whole command, killed: its folder holds nothing or everything."""

from __future__ import annotations

import json
import multiprocessing
import os
import time

import numpy as np
import pytest
import tifffile
from skimage import data

from napari_mmreg.cli import main
from napari_mmreg.cli.outputs import OUTPUTS
from napari_mmreg.geometry import Transform

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="SIGKILL"),
]

WRITING = [0.0, 0.001, 0.002, 0.004, 0.008]
"""Seconds after the first sign of writing."""

SHARES = [0.2, 0.5, 0.7, 0.9, 0.97]
"""Of the time that a whole run takes."""


@pytest.fixture(scope="module")
def start():
    """Return what starts the command in a process of its own; torch is imported once for all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["napari_mmreg.registration.register", "torch", "skimage.io"])

    def started(folder):
        images = [str(folder / name) for name in ("fixed.npy", "moving.npy")]
        command = ["register", *images, "-o", str(folder / "r"), "--model", "classical", "-q"]
        process = context.Process(target=main, args=([*command, "--device", "cpu"],))
        process.start()
        return process

    first = context.Process(target=int)  # the server itself takes as long as several runs
    first.start()
    first.join()
    return started


def nothing_or_whole(folder):
    result = folder / "r"
    if not result.exists():
        return False
    assert sorted(path.name for path in result.iterdir()) == sorted(OUTPUTS)
    assert tifffile.imread(result / "registered.tif").shape == (64, 64)
    assert tifffile.imread(result / "misregistration.tif").shape == (64, 64)
    np.testing.assert_allclose(
        Transform.load(result / "transform.npz").map([30, 30]), [34, 27], atol=1
    )
    assert json.loads((result / "report.json").read_text())["status"] == "ok"
    return True


def test_a_killed_run_leaves_nothing_or_all(start, tmp_path):
    picture = data.camera()[100:170, 180:250]
    np.save(tmp_path / "fixed.npy", picture[5:69, 1:65])
    np.save(tmp_path / "moving.npy", 255 - picture[1:65, 4:68])
    began = time.monotonic()
    start(tmp_path).join()
    took = time.monotonic() - began
    assert nothing_or_whole(tmp_path)
    for place in [*SHARES, *WRITING]:
        for name in OUTPUTS:
            (tmp_path / "r" / name).unlink(missing_ok=True)
        if (tmp_path / "r").exists():
            (tmp_path / "r").rmdir()
        process = start(tmp_path)
        if place in SHARES:
            time.sleep(place * took)
        else:
            while process.is_alive() and not any(tmp_path.glob(".r.mmreg-part-*/*")):
                time.sleep(0.0002)
            time.sleep(place)
        process.kill()
        process.join()
        nothing_or_whole(tmp_path)
    if not (tmp_path / "r").exists():
        start(tmp_path).join()
        assert nothing_or_whole(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
