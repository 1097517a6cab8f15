"""The dock with the real engine: a pair with a known shift, from button to layers."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data, transform

from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.shared.bundle import REGISTERED, RISK
from napari_mmreg.gui.shared.motion import ARROWS

pytestmark = [pytest.mark.gui, pytest.mark.slow]

SHIFT = (7, -5)  # moving = fixed + shift
WAIT = 180_000


@pytest.fixture
def viewer(make_napari_viewer):
    """A viewer with a photograph and its inverted, shifted twin, on anisotropic pixels."""
    scene = transform.resize(data.camera(), (200, 240), anti_aliasing=True).astype(np.float32)
    fixed = scene[20:180, 20:212]
    moving = np.sqrt(1 - scene[20 - SHIFT[0] : 180 - SHIFT[0], 20 - SHIFT[1] : 212 - SHIFT[1]])
    viewer = make_napari_viewer()
    place = {"scale": (0.5, 0.5), "translate": (30, -12), "units": "um"}
    viewer.add_image(fixed, name="visible", **place)
    viewer.add_image(moving, name="infrared", **place)
    return viewer


@pytest.fixture
def dock(viewer):
    dock = RegisterDock(viewer)
    viewer.window.add_dock_widget(dock, name="Register images")
    dock.method.device.select("cpu")
    yield dock
    dock.shut_down()


def _finished(dock):
    return not dock.busy


def test_a_run_from_button_to_layers(viewer, dock, qtbot, tmp_path):
    stages = []
    dock.runner.progressed.connect(lambda stage, _: stages.append(stage))
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)
    assert dock.status.word.text() in {"OK", "Doubtful"}, dock.status.text
    assert {"Global alignment", "Checking"} <= set(stages)

    run = dock.runs.run
    middle = np.s_[40:120, 40:150]
    found = run.bundle.result.displacement[middle]
    error = np.linalg.norm(found - SHIFT, axis=-1)
    assert np.median(error) < 1.0
    registered = run.layers[REGISTERED]
    np.testing.assert_allclose(registered.translate, viewer.layers["visible"].translate)
    assert registered.units == viewer.layers["visible"].units
    for kind in ("risk", "arrows"):
        dock.layers.toggles[kind].click()
    risk = run.layers[RISK].data
    assert ((risk >= 0) & (risk <= 1)).all()
    assert len(run.layers[ARROWS].data) > 100
    run.bundle.result.save(tmp_path / "out")
    assert (tmp_path / "out" / "report.json").stat().st_size > 0


def test_a_run_can_be_cancelled(viewer, dock, qtbot):
    seen = []
    dock.runner.progressed.connect(lambda stage, _: seen.append(stage))
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: "Global alignment" in seen, timeout=WAIT)
    job = dock.runner._job
    dock.run_bar.button.click()
    assert job.cancel_requested
    assert not dock.run_bar.running
    # The engine leaves: the next run gets its turn and ends.
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)
    assert dock.runs.runs.numbers == [1]


def test_images_that_are_too_small_are_a_sentence(viewer, dock, qtbot):
    viewer.add_image(np.random.default_rng(0).random((8, 8)), name="stamp")
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: _finished(dock), timeout=WAIT)
    assert dock.status.word.text() == "Not done"
    assert "16" in dock.status.text
