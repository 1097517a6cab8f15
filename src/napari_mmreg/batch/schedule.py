"""Where the pairs of a batch are worked on: in this process, on local workers, on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from napari_mmreg.batch.outcome import Outcome
from napari_mmreg.errors import Cancelled, InputError, MissingExtraError

if TYPE_CHECKING:
    from distributed import Client, Future

    from napari_mmreg.run import CancelCheck

Task = TypeVar("Task")

CONNECT_SECONDS = 20
PAUSE = 0.05
"""Seconds between two looks at what has finished."""

WORKERS = {
    # What glibc settles on by itself. Dask makes it give the memory of every array back at once,
    # and registering takes 1.7 times as long.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**26,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**25,
    # Ctrl-C is for us: we end the workers, which would show a traceback each.
    "distributed.worker.preload": ["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
}
"""Dask's configuration for workers on this machine."""

_NO_DISTRIBUTED = (
    "More than one worker, and clusters, need dask.distributed: pip install "
    "'napari-mmreg[batch]'. With one worker it is not needed."
)
_LOST = (
    "The worker that had this pair ended {} times, most likely for want of memory. Use fewer "
    "workers, or smaller images."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where work is done.

    Attributes
    ----------
    workers : int
        Processes on this machine; with one, all is done in this process.
    scheduler : str or None
        Address of a running ``dask.distributed`` scheduler, such as ``tcp://10.0.0.1:8786``; it
        is used instead. Its workers need this package and the same paths to the files.

    Raises
    ------
    InputError
        If there is no worker.
    """

    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if type(self.workers) is not int or self.workers < 1:
            raise InputError(f"The number of workers has to be 1 or more, not {self.workers!r}.")


def finished(
    work: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    names: Sequence[str],
    place: Place,
    cancel: CancelCheck,
) -> Iterator[Outcome]:
    """Do all tasks; yield the outcome of each as it is there, in any order.

    Parameters
    ----------
    work : callable
        Importable by the workers. What it raises becomes the task's outcome.
    tasks, names : sequence
    place : Place
        Tasks whose worker dies are given to another one.
    cancel : callable
        ``cancel()`` returning True ends it; what is under way on other workers is given up.

    Raises
    ------
    Cancelled
        If `cancel` said so.
    InputError
        If the scheduler does not answer.
    MissingExtraError
        If ``distributed`` is needed and not installed.
    """
    if place.workers == 1 and place.scheduler is None:
        for task, name in zip(tasks, names, strict=True):
            _check(cancel)
            yield _done(partial(work, task), name)
        return
    with _client(place) as client:
        yield from _on_cluster(client, work, tasks, names, cancel)


def _on_cluster(
    client: Client,
    work: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    names: Sequence[str],
    cancel: CancelCheck,
) -> Iterator[Outcome]:
    import time

    from distributed import as_completed

    futures = client.map(work, tasks, pure=False)
    name_of = {future.key: name for future, name in zip(futures, names, strict=True)}
    completed = as_completed(futures, loop=client.loop)
    try:
        while completed.count():
            _check(cancel)
            batch: list[Future[Outcome]] = completed.next_batch(block=False)
            good = [future for future in batch if future.status == "finished"]
            yield from client.gather(good)  # in one go: each answer costs a round trip
            for future in set(batch) - set(good):
                yield _done(future.result, name_of[future.key])
            if not batch:
                time.sleep(PAUSE)
    finally:
        client.cancel([future for future in futures if not future.done()])


def _done(result: Callable[[], Outcome], name: str) -> Outcome:
    try:
        return result()
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001  a lost pair is an outcome
        if type(error).__name__ == "KilledWorker":
            attempts = getattr(error, "allowed_failures", 0) + 1
            return Outcome(name, "error", (_LOST.format(attempts),))
        return Outcome.of_error(name, error)


def _check(cancel: CancelCheck) -> None:
    if cancel():
        raise Cancelled("The batch was cancelled; pairs that are done are kept.")


@contextmanager
def _client(place: Place) -> Iterator[Client]:
    """Connect to the scheduler, or start local workers and end them afterwards."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise MissingExtraError(_NO_DISTRIBUTED) from error
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(WORKERS))
        if place.scheduler is None:
            address = stack.enter_context(
                LocalCluster(
                    n_workers=place.workers,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs="ERROR",
                )
            )
        else:
            address = place.scheduler
        try:
            client = stack.enter_context(
                Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"No dask scheduler answers at {place.scheduler} ({error}). Start one with 'dask "
                "scheduler' and workers with 'dask worker ADDRESS', and check the address."
            ) from error
        yield client


def own_device(device: str) -> str:
    """Return the device of this worker: ``auto`` becomes a GPU of its own where there are several.

    Parameters
    ----------
    device : str
        As of `register`.
    """
    if device != "auto":
        return device
    try:
        from distributed import get_worker

        number = int(get_worker().name)
    except (ImportError, ValueError, TypeError):  # in no worker, or in one that has no number
        return device
    import torch

    count = torch.cuda.device_count()
    return f"cuda:{number % count}" if count > 1 else device
