"""The one kind of job and outcome that every dock knows, and what jobs share of the machine."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

from napari_mmreg.errors import Cancelled, InputError, RegistrationError
from napari_mmreg.gui.shared import strings
from napari_mmreg.run import Preview, Progress, Run

T = TypeVar("T")

_one_run_at_a_time = threading.Lock()
"""The number of torch threads belongs to the process: two runs would undo each other's."""


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """How a job ended: exactly one of `value` and `error` is set."""

    value: T | None = None
    error: RegistrationError | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the user stopped it."""
        return isinstance(self.error, Cancelled)


class Job(Generic[T]):
    """Work that can be executed in any thread and told to stop from another.

    A subclass does its work in `_run`, which reports to a `Run` that stops when the job is told
    to, and calls `_check` between its steps.

    Attributes
    ----------
    exclusive : bool
        Whether it waits until no other job computes; False for one that only starts others, or
        that computes nothing.
    has_looks : bool
        Whether it has intermediate answers to show.
    preview : callable or None
        Is shown them, see `Run.preview`.
    """

    exclusive = True
    has_looks = False
    preview: Preview | None = None

    def __init__(self) -> None:
        self._stop = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop; returns at once."""
        self._stop.set()

    @property
    def cancel_requested(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()

    def execute(self, progress: Progress) -> Outcome[T]:
        """Run to the end. Expected errors come back in the outcome, others are raised."""
        try:
            with one_at_a_time(self._check) if self.exclusive else nullcontext():
                run = Run(progress=progress, cancel=self._stop.is_set, preview=self.preview)
                return Outcome(value=self._run(run))
        except RegistrationError as error:
            return Outcome(error=error)
        except MemoryError:
            return Outcome(error=InputError(strings.OUT_OF_MEMORY))

    def _run(self, run: Run) -> T:
        raise NotImplementedError

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled(strings.CANCELLED)


@contextmanager
def one_at_a_time(check: Callable[[], None]) -> Iterator[None]:
    """Wait for a former, cancelled run to leave the engine; `check` may end the waiting."""
    while not _one_run_at_a_time.acquire(timeout=0.05):
        check()
    try:
        yield
    finally:
        _one_run_at_a_time.release()


def thread_count(limit: int) -> int:
    """Return how many CPU threads a run may use; 0 leaves one core to the GUI."""
    return limit if limit > 0 else max((os.cpu_count() or 2) - 1, 1)


@contextmanager
def limited_threads(limit: int) -> Iterator[None]:
    """Hold torch to `limit` threads meanwhile (see `thread_count`); nothing without torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    former = torch.get_num_threads()
    torch.set_num_threads(min(thread_count(limit), former))
    try:
        yield
    finally:
        torch.set_num_threads(former)
