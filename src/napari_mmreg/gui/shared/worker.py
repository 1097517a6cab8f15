"""The only bridge between the worker thread and the GUI thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from napari.qt.threading import FunctionWorker, create_worker
from qtpy.QtCore import QObject, Signal

from napari_mmreg.run import Progress

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress signals; more would only keep the GUI busy."""


class Task(Protocol):
    """What a `Runner` runs; napari shows its name when asked to close meanwhile."""

    def execute(self, progress: Progress) -> Any:
        """Do it and return the outcome; expected errors are part of it."""

    def cancel(self) -> None:
        """Ask it to stop; returns at once."""


class _Execution:
    """What the worker calls; napari shows its name when asked to close during a run."""

    def __init__(self, job: Task, relay: _Relay) -> None:
        self._job = job
        self._relay = relay

    def __repr__(self) -> str:
        return repr(self._job)

    def __call__(self) -> Any:
        """Run the job; an error nobody expected is handed over as it is.

        Raising it would leave it to napari and superqt to show it, once, twice or never,
        depending on the Qt binding.
        """
        try:
            return self._job.execute(self._relay.report)
        except Exception as error:  # noqa: BLE001 - shown with its traceback by the GUI
            return _Crash(error)

    def cancel(self) -> None:
        self._job.cancel()


@dataclass(frozen=True)
class _Crash:
    """Wraps an error: the worker would raise a bare one."""

    error: Exception


class _Relay(QObject):
    """Emits progress from the worker thread; Qt queues it to the GUI thread."""

    progressed = Signal(str, float)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._stage = ""
        self._last = 0.0

    def report(self, stage: str, fraction: float) -> None:
        """Pass on at most ten reports a second, and every new stage."""
        with self._lock:
            now = monotonic()
            if stage == self._stage and now - self._last < PROGRESS_INTERVAL:
                return
            self._stage, self._last = stage, now
        self.progressed.emit(stage, fraction)


class _RunWorker(FunctionWorker):  # type: ignore[misc]
    """A worker whose `quit` reaches the running engine: napari calls it when closing."""

    def __init__(self, execution: _Execution) -> None:
        super().__init__(execution)
        self._execution = execution

    def quit(self) -> None:
        """Ask the engine to stop, too."""
        self._execution.cancel()
        super().quit()


class Runner(QObject):
    """Runs one job at a time in a thread.

    Signals
    -------
    progressed(str, float)
        Stage and fraction, at most about ten times a second.
    ended(object)
        The outcome, unless the run was cancelled.
    crashed(object)
        An exception nobody expected.
    """

    progressed = Signal(str, float)
    ended = Signal(object)
    crashed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job: Task | None = None
        self._worker: Any = None
        self._relay: _Relay | None = None

    @property
    def busy(self) -> bool:
        """Whether a run is under way that nobody cancelled."""
        return self._job is not None

    def start(self, job: Task) -> None:
        """Execute `job`; one that is under way is cancelled."""
        self.cancel()
        self._job = job
        self._relay = _Relay()
        self._relay.progressed.connect(self.progressed)
        self._worker = create_worker(
            _Execution(job, self._relay), _worker_class=_RunWorker, _start_thread=False
        )
        self._worker.returned.connect(self._on_returned)
        self._worker.start()

    def cancel(self) -> None:
        """Stop listening at once, and ask the engine to stop."""
        if self._job is None:
            return
        self._job.cancel()
        self._forget()

    def _forget(self) -> None:
        """Disconnect, so that a late signal of an old run finds nobody."""
        if self._worker is not None:
            self._worker.returned.disconnect(self._on_returned)
        if self._relay is not None:
            self._relay.progressed.disconnect(self.progressed)
        self._job = self._worker = self._relay = None

    def _on_returned(self, answer: Any) -> None:
        self._forget()
        if isinstance(answer, _Crash):
            self.crashed.emit(answer.error)
        else:
            self.ended.emit(answer)
