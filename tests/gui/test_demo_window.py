"""The window that mmreg demo opens, with an engine that knows the truth."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.errors import DeviceError
from napari_mmreg.gui import demo_window
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.io import read_image
from napari_mmreg.samples import load_sample
from results import make_result, off

SAMPLE = "visible_thermal_simulated"


@pytest.fixture
def engine(monkeypatch):
    calls = []
    truth = load_sample(SAMPLE).truth

    def register(fixed, moving, **options):
        calls.append(options)
        shape = fixed.shape[:2]
        certain = np.zeros(shape, np.float32)
        return make_result(
            fixed,
            moving,
            truth,
            metrics={"similarity_before": 0.2, "similarity_after": 0.6},
            grid_errors=off(certain),
            grid_errors_before=off(certain),
            timings={"Global alignment": 0.1},
            provenance={"device": "cpu"},
        )

    monkeypatch.setattr("napari_mmreg.registration.register", register)
    return calls


@pytest.mark.gui
def test_the_dock_registers_the_sample_and_the_picture_shows_it(
    make_napari_viewer, engine, tmp_path
):
    picture = tmp_path / "napari.png"
    options = ["--model=classical", "--device=cpu", "--seed=4", "--no-refine"]
    viewer = make_napari_viewer(show=True)
    assert demo_window.present(viewer, demo_window.parse([SAMPLE, str(picture), *options]))
    (call,) = engine
    chosen = (call["model"], call["device"], call["seed"], call["refine"])
    assert chosen == ("classical", "cpu", 4, False)
    assert call["modalities"] == ("visible", "thermal")
    assert any(layer.name.endswith(REGISTERED) for layer in viewer.layers)
    image = read_image(picture)
    assert min(image.shape[:2]) > 400
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 1000


@pytest.mark.gui
def test_without_a_result_the_window_is_still_photographed(
    make_napari_viewer, monkeypatch, tmp_path
):
    def refuse(*_, **__):
        raise DeviceError("The device is absent. Choose 'cpu'.")

    monkeypatch.setattr("napari_mmreg.registration.register", refuse)
    monkeypatch.setattr("napari_mmreg.gui.shared.scrolling_dock.show_error", lambda sentence: None)
    picture = tmp_path / "napari.png"
    viewer = make_napari_viewer(show=True)
    assert not demo_window.present(viewer, demo_window.parse([SAMPLE, str(picture)]))
    assert picture.exists()
