"""From a model that matches to landmark pairs, with the mouse: both docks, the real engine."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.landmarks.dock import LandmarksDock
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.shared.matches import MOVING
from napari_mmreg.models import ModelInfo, Prediction, registry

pytestmark = [pytest.mark.gui, pytest.mark.slow]

INFO = ModelInfo("matching", "Matching", "Knows the truth.", "BSD-3-Clause", needs_weights=False)
COUNT = 400


@pytest.fixture
def matching(thermal, monkeypatch):
    """Register a model that answers with the truth and with matches at known fixed pixels."""
    rng = np.random.default_rng(0)
    fixed = rng.uniform((40, 40), np.array(thermal.fixed.shape[:2]) - 40, (COUNT, 2))
    probability = rng.uniform(0.3, 1, COUNT)

    class Matching:
        info = INFO

        def predict(self, pair, run):
            back = pair.moving_from_grid.inverse()
            places = pair.fixed_from_grid.inverse().map(fixed)
            others = back.map(thermal.truth.map(fixed))
            answer = back.compose(thermal.truth).compose(pair.fixed_from_grid)
            matches = np.column_stack([places, others, probability]).astype(np.float32)
            return Prediction(answer, matches=matches)

    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    registry.register_model(INFO, Matching)
    return fixed


def test_matches_are_seen_and_become_landmarks(make_napari_viewer, thermal, matching, qtbot):
    viewer = make_napari_viewer()
    place = {"scale": (0.5, 0.5), "translate": (30, -12), "units": "um"}
    viewer.add_image(thermal.fixed, name="visible", rgb=True, **place)
    moving = viewer.add_image(thermal.moving, name="thermal", **place)
    dock = RegisterDock(viewer)
    viewer.window.add_dock_widget(dock, name="Register images")
    dock.method.model.select("matching")
    dock.method.device.select("cpu")
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=180_000)
    run = dock.runs.run
    matches = run.bundle.result.matches
    assert f"{len(matches)} matches" in dock.status.text
    np.testing.assert_allclose(matches[:, 2:4], thermal.truth.map(matches[:, :2]), atol=0.01)
    dock.layers.toggles["matches"].click()
    shown = run.layers[MOVING]
    assert shown.visible
    truth = matches[shown.features["id"], 2:4]
    there = [shown.data_to_world(point) for point in shown.data]
    np.testing.assert_allclose(there, [moving.data_to_world(p) for p in truth], atol=1e-3)

    landmarks = LandmarksDock(viewer)
    viewer.window.add_dock_widget(landmarks, name="Landmarks")
    button = landmarks.pairs.propose
    assert landmarks.controller.fit_state.base is run
    assert button.toolTip() == strings.SEED_MATCHES_TIP.format(all=len(matches))
    button.click()
    pairs = landmarks.controller.book.pairs
    assert len(pairs) == 12
    assert f"Added 12 of the result's {len(matches)} matches" in landmarks.status.text
    for pair in pairs:
        assert pair.source == "model"
        assert np.linalg.norm(matching - pair.fixed, axis=1).min() < 0.01
        np.testing.assert_allclose(pair.moving, thermal.truth.map(pair.fixed), atol=0.01)
    landmarks.pairs.undo.click()
    assert len(landmarks.controller.book) == 0
    landmarks.controller.propose(count=len(matches))
    button.click()
    assert strings.NO_MATCHES_LEFT in landmarks.status.text
    dock.session.runs.remove(run.number)
    qtbot.waitUntil(lambda: not landmarks.busy, timeout=20_000)
    landmarks._measure()
    assert button.toolTip() == strings.SEED_TIP
    landmarks.shut_down()
    dock.shut_down()
