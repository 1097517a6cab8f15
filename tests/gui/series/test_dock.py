"""The Register stack or time series dock in a real napari window, with an engine that answers."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_mmreg.gui.series import job as jobs
from napari_mmreg.gui.series import strings as texts
from napari_mmreg.gui.series.dock import SeriesDock
from napari_mmreg.gui.shared.carried import transform_of
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.pairing import images
from napari_mmreg.series import CarriedStack, SeriesResult, engine
from series_data import Oracle

pytestmark = pytest.mark.gui

WAIT = 60_000


@pytest.fixture
def oracle(monkeypatch):
    stand_in = Oracle()
    monkeypatch.setattr(engine, "register_pair", stand_in)
    return stand_in


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def dock(viewer):
    made = SeriesDock(viewer)
    viewer.window.add_dock_widget(made, name="Register stack or time series")
    made.form.model.value = "classical"
    yield made
    made.shut_down()


def choose(dock, fixed, moving, way="each"):
    dock.images.choose(fixed, moving)
    dock.images.keep()
    dock.form.way.value = way


def press(qtbot, dock):
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)


def cells(dock, column):
    return [dock.table.item(row, column).text() for row in range(dock.table.rowCount())]


def test_nothing_runs_before_there_is_a_stack(dock, viewer, oracle):
    assert not dock.run_bar.button.isEnabled()
    flat = viewer.add_image(oracle.plane(0)), viewer.add_image(oracle.plane(1))
    choose(dock, *flat)
    assert not dock.run_bar.button.isEnabled()
    assert dock.hint.text() == texts.NO_STACK
    viewer.add_image(np.zeros((3, 40, 48)))
    choose(dock, flat[0], viewer.layers[-1])
    assert dock.run_bar.button.isEnabled()
    assert list(dock.form.axis.choices) == [-1]


def test_the_plane_under_way_is_shown_until_the_run_ends(dock, viewer, oracle, qtbot, monkeypatch):
    seen, goes_on = [], threading.Event()

    def answer(plan, images, options, run, *, refine):
        run.look(np.zeros((30, 40, 3), np.uint8), 0.25 * len(oracle.asked))
        result = oracle(plan, images, options, run, refine=refine)
        if len(oracle.asked) == 2:
            goes_on.wait(20)
        return result

    monkeypatch.setattr(engine, "register_pair", answer)
    fixed = viewer.add_image(oracle.plane(0))
    choose(dock, fixed, viewer.add_image(oracle.stack([(0, 0, "ok")] * 2)))
    assert dock.live.isHidden()
    dock.run_bar.button.click()
    words = dock.live.words
    qtbot.waitUntil(lambda: words.text().startswith("Plane 1 (2 of 2)\n"), timeout=WAIT)
    seen.append(dock.live.isVisibleTo(dock))
    goes_on.set()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert seen == [True]
    assert words.text() == "Plane 1 (2 of 2)\nSimilarity 0.25 → 0.25"
    assert dock.live.isHidden()


def test_different_numbers_of_planes_are_said_before_the_run(dock, viewer, oracle):
    choose(dock, viewer.add_image(np.zeros((3, 40, 48))), viewer.add_image(np.zeros((4, 40, 48))))
    assert not dock.run_bar.button.isEnabled()
    assert "3 planes along this axis and the moving one 4" in dock.hint.text()


def test_a_stack_is_followed_shown_and_saved(dock, viewer, oracle, qtbot, tmp_path):
    answers = [(2.0 * n, -1.0 * n, "ok") for n in range(5)]
    answers[2] = (0, 0, "failed")
    place = {"scale": (3, 0.5, 0.25), "translate": (7, 1, 2), "units": "um"}
    fixed = viewer.add_image(np.stack([oracle.plane(0)] * 5), name="visible", **place)
    moving = viewer.add_image(oracle.stack(answers), name="infrared", **place)
    before = viewer.dims.range
    choose(dock, fixed, moving, "follow")
    press(qtbot, dock)
    assert dock.status.word.text() == "Doubtful", dock.status.text
    assert "drift up to 8.9 px" in dock.status.text
    assert cells(dock, 1) == ["ok", "ok", "doubtful", "ok", "ok"]
    assert cells(dock, 2) == ["own", "own", "filled in", "own", "own"]
    assert cells(dock, 3) == ["+0.0  +0.0", "+2.0  -1.0", "+4.0  -2.0", "+6.0  -3.0", "+8.0  -4.0"]
    layer = viewer.layers[-1]
    assert layer.name == "[1] registered stack"
    assert layer in images(viewer.layers)
    assert viewer.dims.range == before
    np.testing.assert_allclose(layer.data_to_world((3, 5, 6)), fixed.data_to_world((3, 5, 6)))
    np.testing.assert_allclose(layer.data[4, 4:20, 8:20], moving.data[4, 12:28, 4:16], rtol=1e-5)
    assert dock.chart.isVisibleTo(dock)
    np.testing.assert_allclose(dock.chart.drift[4], (8, -4), atol=1e-6)
    dock.save(tmp_path / "out")
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert len(SeriesResult.load(tmp_path / "out")) == 5


def test_rows_chart_and_slider_go_together(dock, viewer, oracle, qtbot):
    moving = viewer.add_image(oracle.stack([(n, 0, "ok") for n in range(4)]), scale=(5, 1, 1))
    fixed = viewer.add_image(oracle.plane(0))
    choose(dock, fixed, moving)
    press(qtbot, dock)
    dock.table.setCurrentCell(3, 0)
    assert viewer.dims.current_step[0] == 3
    dock.chart.chosen.emit(1)
    assert viewer.dims.current_step[0] == 1
    assert dock.table.currentRow() == 1
    viewer.dims.set_current_step(0, 2)
    assert dock.table.currentRow() == 2
    viewer.layers.remove(moving)
    dock.table.setCurrentCell(0, 0)  # a stack that is gone has no planes to go to


def test_a_fixed_rig_carries_one_transform(dock, viewer, oracle, qtbot):
    moving = viewer.add_image(oracle.stack([(3, 1, "ok")] * 4), name="infrared")
    fixed = viewer.add_image(oracle.plane(0), name="visible")
    choose(dock, fixed, moving, "once")
    viewer.dims.set_current_step(0, 2)
    dock.form.estimate.value = "shown"
    press(qtbot, dock)
    assert oracle.asked == [2]
    assert cells(dock, 2) == ["of the rig"] * 4
    assert not dock.chart.isVisibleTo(dock)
    carried = transform_of(viewer.layers[-1].metadata)
    np.testing.assert_allclose(carried.map((0.0, 0.0)), (3, 1))
    assert carried.moving_frame.shape == (40, 48)
    assert viewer.layers[-1].metadata[METADATA_KEY]["series"] == {"way": "once", "planes": 4}


def test_time_channels_and_colours(dock, viewer, oracle, qtbot):
    """The planes run along the first of two axes; the shown channel is looked at."""
    oracle.answers = {n: (n, 0, "ok") for n in range(3)}
    planes = np.stack([oracle.plane(n, channels=(3,)) for n in range(3)])
    moving = viewer.add_image(np.stack([planes * 0, planes], axis=1), rgb=True)
    fixed = viewer.add_image(oracle.plane(0))
    viewer.dims.set_current_step((0, 1), (0, 1))
    choose(dock, fixed, moving)
    assert list(dock.form.axis.choices) == [-1, -2]
    dock.form.axis.value = -2
    press(qtbot, dock)
    assert oracle.asked == [0, 1, 2]
    assert viewer.layers[-1].data.shape == (3, 2, 40, 48, 3)


def test_a_large_stack_is_lazy(dock, viewer, oracle, qtbot, monkeypatch):
    monkeypatch.setattr(jobs, "EAGER_BYTES", 10)
    moving = viewer.add_image(oracle.stack([(1, 0, "ok")] * 3))
    choose(dock, viewer.add_image(oracle.plane(0)), moving)
    press(qtbot, dock)
    layer = viewer.layers[-1]
    assert isinstance(layer.data, CarriedStack)
    viewer.dims.set_current_step(0, 2)
    shown = layer._slice.image.raw
    np.testing.assert_allclose(shown[:-1], moving.data[2, 1:], rtol=1e-6)
    assert texts.LAZY in dock.status.text


def test_nothing_registered_adds_no_layer(dock, viewer, oracle, qtbot):
    moving = viewer.add_image(oracle.stack([(1, 0, "failed")] * 3))
    choose(dock, viewer.add_image(oracle.plane(0)), moving)
    press(qtbot, dock)
    assert dock.status.word.text() == "Failed"
    assert len(viewer.layers) == 2
    assert dock.save_button.isEnabled()


def blocking(oracle, monkeypatch, at):
    """Let the engine wait for cancel at a plane."""
    reached = threading.Event()

    def register_pair(model, images, options, run, *, refine):
        if len(oracle.asked) == at:
            reached.set()
            while True:
                run.check()
        return oracle(model, images, options, run, refine=refine)

    monkeypatch.setattr(engine, "register_pair", register_pair)
    return reached


def test_cancel_keeps_planes_and_the_next_run_goes_on(dock, viewer, oracle, qtbot, monkeypatch):
    moving = viewer.add_image(oracle.stack([(n, 0, "ok") for n in range(4)]))
    choose(dock, viewer.add_image(oracle.plane(0)), moving)
    reached = blocking(oracle, monkeypatch, at=2)
    dock.run_bar.button.click()
    qtbot.waitUntil(reached.is_set, timeout=WAIT)
    dock.run_bar.button.click()
    assert not dock.run_bar.running
    assert "2 of 4 planes are done" in dock.status.text
    assert cells(dock, 1) == ["ok", "ok", "waiting", "waiting"]
    assert len(viewer.layers) == 2
    monkeypatch.setattr(engine, "register_pair", oracle)
    press(qtbot, dock)
    assert oracle.asked == [0, 1, 2, 3]
    assert cells(dock, 1) == ["ok"] * 4
    press(qtbot, dock)  # a finished run is not continued but repeated
    assert oracle.asked == [0, 1, 2, 3] * 2
    assert viewer.layers[-1].name == "[2] registered stack"


def test_closing_the_dock_in_the_middle_of_a_run(dock, viewer, oracle, qtbot, monkeypatch):
    moving = viewer.add_image(oracle.stack([(n, 0, "ok") for n in range(4)]))
    choose(dock, viewer.add_image(oracle.plane(0)), moving)
    reached = blocking(oracle, monkeypatch, at=1)
    dock.run_bar.button.click()
    qtbot.waitUntil(reached.is_set, timeout=WAIT)
    job = dock.runner._job
    dock.shut_down()
    assert job.cancel_requested
    viewer.dims.set_current_step(0, 1)
    viewer.layers.clear()
