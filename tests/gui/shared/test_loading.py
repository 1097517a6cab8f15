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
