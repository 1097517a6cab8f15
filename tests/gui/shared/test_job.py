"""A run from snapshot to bundle, without a window."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_mmreg.errors import Cancelled, InputError, ModelError
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.job import Job, choose_start, limited_threads, start_of, thread_count
from napari_mmreg.gui.shared.snapshot import RunSettings


def _silent(stage, fraction):
    pass


def _snapshot(fixed, moving, *, fixed_kwargs=None, moving_kwargs=None, masks=(), **settings):
    viewer = ViewerModel()
    layers = [
        viewer.add_image(fixed, name="visible", **(fixed_kwargs or {})),
        viewer.add_image(moving, name="infrared", **(moving_kwargs or {})),
    ]
    labels = [viewer.add_labels(mask) for mask in masks]
    return Session(viewer).snapshot(*layers, RunSettings(**settings), *labels)


def test_the_engine_gets_what_the_dock_says(pictures, engine):
    snapshot = _snapshot(*pictures, model="classical", device="cpu", refine=False, seed=7)
    outcome = Job(snapshot, engine).execute(_silent)
    fixed, moving, options = engine.calls[0]
    np.testing.assert_array_equal(fixed, pictures[0])
    np.testing.assert_array_equal(moving, pictures[1])
    assert (options["model"], options["device"]) == ("classical", "cpu")
    assert (options["refine"], options["seed"]) == (False, 7)
    assert options["modalities"] == ("visible", "infrared")
    assert options["initial"] is None
    assert outcome.bundle is not None
    assert outcome.error is None


def test_expected_errors_come_back_and_others_are_raised(pictures, fake_engine):
    error = ModelError("The weights are missing. Download them.")
    outcome = Job(_snapshot(*pictures), fake_engine(error=error)).execute(_silent)
    assert outcome.error is error
    assert not outcome.cancelled
    with pytest.raises(ZeroDivisionError):
        Job(_snapshot(*pictures), fake_engine(error=ZeroDivisionError())).execute(_silent)
    outcome = Job(_snapshot(*pictures), fake_engine(error=MemoryError())).execute(_silent)
    assert str(outcome.error) == strings.OUT_OF_MEMORY


def test_cancel_reaches_the_engine_and_nothing_comes_back(pictures, blocking_engine):
    engine = blocking_engine()
    job = Job(_snapshot(*pictures), engine)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(job.execute(_silent)))
    thread.start()
    assert engine.entered.wait(10)
    job.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert outcomes[0].cancelled
    assert isinstance(outcomes[0].error, Cancelled)


def test_a_second_run_waits_for_the_first_to_leave_the_engine(pictures, blocking_engine):
    first, second = blocking_engine(), blocking_engine()
    jobs = [Job(_snapshot(*pictures), engine) for engine in (first, second)]
    outcomes = []
    threads = [
        threading.Thread(target=lambda j=job: outcomes.append(j.execute(_silent))) for job in jobs
    ]
    threads[0].start()
    assert first.entered.wait(10)
    threads[1].start()
    assert not second.entered.wait(0.2)
    jobs[1].cancel()  # also ends the waiting
    threads[1].join(10)
    assert outcomes[0].cancelled
    first.let_go.set()
    threads[0].join(10)
    assert outcomes[1].bundle is not None


def test_progress_never_falls_and_ends_with_the_layers(pictures, engine):
    seen = []
    Job(_snapshot(*pictures), engine).execute(lambda *report: seen.append(report))
    stages, fractions = zip(*seen, strict=True)
    assert list(fractions) == sorted(fractions)
    assert stages[0] == strings.STAGE_LOADING
    assert stages[-1] == strings.STAGE_LAYERS


PLACED = {"scale": (0.5, 0.25), "translate": (3, -2), "units": "um"}


def test_placed_layers_start_from_their_places(pictures):
    snapshot = _snapshot(*pictures, fixed_kwargs=PLACED, moving_kwargs={**PLACED, "rotate": 5})
    initial, note = choose_start(snapshot)
    np.testing.assert_array_equal(initial, start_of(snapshot).matrix)
    assert note == strings.STARTED_FROM_LAYERS
    assert not np.allclose(initial, np.eye(3))


@pytest.mark.parametrize(
    "moving_kwargs",
    [
        {"translate": (5000, 0), "units": "um"},  # beside the fixed image
        {},  # in pixels: not comparable
    ],
)
def test_places_that_say_nothing_are_passed_over(pictures, moving_kwargs):
    snapshot = _snapshot(*pictures, fixed_kwargs=PLACED, moving_kwargs=moving_kwargs)
    initial, note = choose_start(snapshot)
    assert initial is None
    assert note == strings.STARTED_CENTRED


def test_places_that_are_asked_for_but_not_comparable_are_an_error(pictures, engine):
    snapshot = _snapshot(*pictures, fixed_kwargs=PLACED, start="layers")
    outcome = Job(snapshot, engine).execute(_silent)
    assert isinstance(outcome.error, InputError)
    assert not engine.calls


def test_frames_of_different_sizes_are_centred_without_places(pictures):
    fixed, moving = pictures
    snapshot = _snapshot(fixed, moving[::2, ::2])
    assert choose_start(snapshot)[0] is None
    middle = (np.array(fixed.shape) - 1) / 2
    np.testing.assert_allclose(
        start_of(snapshot).map(middle), (np.array(moving[::2, ::2].shape) - 1) / 2
    )


def test_a_mask_is_a_labels_layer_wherever_it_lies(pictures, engine):
    fixed, moving = pictures
    mask = np.zeros(fixed.shape, int)
    mask[10:40, 20:60] = 3
    Job(_snapshot(fixed, moving, masks=[mask]), engine).execute(_silent)
    np.testing.assert_array_equal(engine.calls[-1][2]["fixed_mask"], mask > 0)
    assert engine.calls[-1][2]["moving_mask"] is None

    viewer = ViewerModel()
    layers = viewer.add_image(fixed), viewer.add_image(moving)
    coarse = viewer.add_labels(mask[10:40:2, 20:60:2], scale=(2, 2), translate=(10.5, 20.5))
    snapshot = Session(viewer).snapshot(*layers, RunSettings(), coarse)
    Job(snapshot, engine).execute(_silent)
    np.testing.assert_array_equal(engine.calls[-1][2]["fixed_mask"], mask > 0)


def test_torch_threads_are_limited_meanwhile_and_restored():
    torch = pytest.importorskip("torch")
    former = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with limited_threads(2):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 3
        with pytest.raises(ValueError, match="x"), limited_threads(1):
            raise ValueError("x")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(former)


def test_the_very_first_run_is_limited_too():
    """Torch is not loaded before: the engine must not get to load it without a limit."""
    pytest.importorskip("torch")
    code = """
import numpy as np
import napari_mmreg.registration
from napari.components import ViewerModel
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared.snapshot import RunSettings

def register(*args, **options):
    import torch
    print(torch.get_num_threads())
    raise MemoryError

napari_mmreg.registration.register = register
viewer = ViewerModel()
layers = [viewer.add_image(np.eye(20)) for _ in range(2)]
session = Session(viewer)
session.job(session.snapshot(*layers, RunSettings(threads=1))).execute(lambda *_: None)
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "3"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert out.stdout.split() == ["1"], out.stderr[-2000:]


def test_at_least_one_thread_is_left(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert thread_count(0) == 1
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert thread_count(0) == 7
    assert thread_count(3) == 3
