import multiprocessing
import os
import signal
from types import SimpleNamespace

import pytest

from batch_pairs import make_pair
from napari_mmreg.batch import run_batch
from napari_mmreg.batch.schedule import Place, own_device
from napari_mmreg.errors import Cancelled, InputError, MissingExtraError

distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_does_nothing_twice(parameters, tmp_path):
    pairs = [make_pair(tmp_path, f"p{number}", number) for number in range(5)]
    heard, variables = [], {}

    def kill_one(stage, _):
        heard.append(stage)
        if len(heard) == 2:
            victim = multiprocessing.active_children()[0]
            variables.update(psutil.Process(victim.pid).environ())
            os.kill(victim.pid, signal.SIGKILL)

    shared = run_batch(pairs, tmp_path / "two", parameters, workers=2, progress=kill_one)
    assert variables["MALLOC_MMAP_THRESHOLD_"] == str(2**25)
    assert shared.count("ok") == len(pairs)
    assert len(heard) == 1 + len(pairs)  # the start, and every pair once
    assert not list((tmp_path / "two").glob("*/.*"))
    alone = run_batch(pairs, tmp_path / "one", parameters)
    for one, two in zip(alone.outcomes, shared.outcomes, strict=True):
        assert (one.id, one.status, two.reused) == (two.id, two.status, False)
        assert one.numbers == pytest.approx(two.numbers, abs=1e-4)
    again = run_batch(pairs, tmp_path / "two", parameters)
    assert all(outcome.reused for outcome in again.outcomes)


@pytest.mark.slow
def test_a_batch_on_workers_is_cancelled(pairs, parameters, tmp_path):
    heard = []
    with pytest.raises(Cancelled):
        run_batch(
            pairs,
            tmp_path / "out",
            parameters,
            workers=2,
            progress=lambda stage, _: heard.append(stage),
            cancel=lambda: True,
        )
    assert (tmp_path / "out" / "summary.csv").is_file()


def test_a_scheduler_that_does_not_answer_is_said(pairs, parameters, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_mmreg.batch.schedule.CONNECT_SECONDS", 0.5)
    with pytest.raises(InputError, match=r"No dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_batch(pairs, tmp_path / "out", parameters, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="No dask scheduler answers"):
        run_batch(pairs, tmp_path / "out", parameters, scheduler="nonsense://x")


def test_without_distributed_several_workers_are_refused(pairs, parameters, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"napari-mmreg\[batch\]"):
        run_batch(pairs, tmp_path / "out", parameters, workers=2)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_a_number_of_workers_is_checked(workers):
    with pytest.raises(InputError, match="number of workers"):
        Place(workers)


def test_each_worker_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(name=3))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert own_device("auto") == "cuda:1"
    assert own_device("cpu") == "cpu"
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert own_device("auto") == "auto"
