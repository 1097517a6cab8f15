import gc
import subprocess
import sys

import pytest

from napari_mmreg.gui.shared.loading import uncollected

COLLECTIONS = """
import gc

from napari_mmreg.gui.shared.loading import uncollected

seen = []
gc.callbacks.append(lambda phase, info: seen.append((phase, info["generation"])))
with uncollected():
    made = [[number] for number in range(50_000)]
assert not seen, seen
assert gc.isenabled()
assert gc.get_freeze_count() == 0
young = {id(each) for generation in (0, 1) for each in gc.get_objects(generation)}
assert not any(id(each) in young for each in made)
"""

FIRST_BATCH = """
import os
import sys
from pathlib import Path

from napari_mmreg.batch import BatchParameters
from napari_mmreg.gui.batch import job as jobs
from napari_mmreg.gui.shared.task import thread_count

assert "torch" not in sys.modules
seen = []
jobs.run_batch = lambda *_, **__: seen.append(sys.modules["torch"].get_num_threads())
outcome = jobs.BatchJob([], Path("."), BatchParameters(), 1).execute(lambda *_: None)
assert outcome.error is None
assert seen[0] <= thread_count(0), seen
assert "GOMP_SPINCOUNT" in os.environ
"""


def test_what_comes_first_in_a_window_loads_torch_and_leaves_it_a_core(monkeypatch):
    """In a process of its own, which has not imported torch."""
    for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run(
        [sys.executable, "-c", FIRST_BATCH], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_nothing_is_collected_meanwhile_and_what_was_made_counts_as_old():
    """In a process of its own: the tests' objects are frozen."""
    done = subprocess.run(
        [sys.executable, "-c", COLLECTIONS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_frozen_objects_stay_frozen(monkeypatch):
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 1)
    thawed = []
    monkeypatch.setattr(gc, "unfreeze", lambda: thawed.append(1))
    with uncollected():
        pass
    assert not thawed


def test_garbage_made_meanwhile_is_collected_later():
    class Thing:
        gone = 0

        def __del__(self):
            Thing.gone += 1

    with uncollected():
        circle = [Thing()]
        circle.append(circle)
        del circle
        assert Thing.gone == 0
    gc.collect()
    assert Thing.gone == 1


def test_a_collector_that_is_off_stays_off():
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_error_turns_it_on_again():
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()
