"""What a long computation is told and may tell: device, seed, progress, previews, cancel.

The engine knows neither Qt nor a terminal. It gets plain callables, and every
stage reports through one `Run`, so that a progress bar never jumps back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from napari_mmreg.errors import Cancelled, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Progress(Protocol):
    """Listens to a run."""

    def __call__(self, stage: str, fraction: float) -> None:
        """Take the stage's name and the fraction of the whole run that is done, in [0, 1]."""


CancelCheck = Callable[[], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """An answer that a run has found so far, to be looked at.

    Attributes
    ----------
    stage : str
        As `Progress` is told.
    subject : str
        Which plane, pair or tile it is an answer for; empty for a run of one pair.
    picture : ndarray of uint8, shape (h, w, 3)
        The fixed image in green and the moving one, as it is aligned now, in magenta; no side is
        longer than 160 pixels.
    similarity : float
        Correlation of oriented gradient channels where both images have data, in [-1, 1].
    """

    stage: str
    subject: str
    picture: NDArray[np.uint8]
    similarity: float


Preview = Callable[[Look], None]


def _silent(stage: str, fraction: float) -> None:
    """Progress nobody listens to."""


def _never() -> bool:
    return False


@dataclass
class Run:
    """One computation's device, seed, progress, previews and cancel.

    Attributes
    ----------
    device : str
        A torch device name such as ``"cpu"`` or ``"cuda"``.
    seed : int
        Every random choice derives from it.
    progress, cancel : callable
        ``progress(stage, fraction)`` is called from the computing thread;
        ``cancel()`` returning True stops the run at the next `check`.
    timings : dict of str to float
        Seconds spent per stage, filled by `stage`.
    preview : callable or None
        ``preview(look)`` is called from the computing thread with what was found so far; without
        it nothing is drawn.
    """

    device: str = "cpu"
    seed: int = 0
    progress: Progress = _silent
    cancel: CancelCheck = _never
    timings: dict[str, float] = field(default_factory=dict)
    preview: Preview | None = None
    _span: tuple[float, float] = (0.0, 1.0)
    _stage: str = ""
    _label: Callable[[str], str] = str
    _subject: str = ""
    _reached: float = 0.0

    @classmethod
    def begin(
        cls,
        device: str,
        seed: int,
        progress: Progress | None,
        cancel: CancelCheck | None,
        preview: Preview | None = None,
    ) -> Run:
        """Return a new run; without a listener it is silent, without `cancel` it goes on."""
        return cls(device, seed, progress or _silent, cancel or _never, preview=preview)

    def __post_init__(self) -> None:
        for name in ("progress", "cancel"):
            if not callable(getattr(self, name)):
                kind = type(getattr(self, name)).__name__
                raise InputError(f"{name} is a {kind}; pass a function.")
        if self.preview is not None and not callable(self.preview):
            raise InputError(f"preview is a {type(self.preview).__name__}; pass a function.")

    @contextmanager
    def stage(self, name: str, start: float, stop: float) -> Iterator[None]:
        """Give what runs inside the part [start, stop] of the progress bar, and time it.

        Nested stages divide their parent's part.
        """
        outer_span, outer_stage = self._span, self._stage
        low, high = outer_span
        self._span = (low + (high - low) * start, low + (high - low) * stop)
        self._stage = name
        began = perf_counter()
        try:
            self.step(0.0)
            yield
            self.step(1.0)
        finally:
            self._span, self._stage = outer_span, outer_stage
            self.timings[name] = self.timings.get(name, 0.0) + perf_counter() - began

    @contextmanager
    def part(
        self,
        start: float,
        stop: float,
        label: Callable[[str], str] | None = None,
        *,
        subject: str = "",
    ) -> Iterator[None]:
        """Give what runs inside the part [start, stop] of the progress bar, as `stage` does.

        It is neither named nor timed. `label` turns the names of the stages inside into those
        that are reported. `subject` names what they are stages of, one of several: it is put
        before them.
        """
        outer_span, outer_label, outer_subject = self._span, self._label, self._subject
        low, high = outer_span
        self._span = (low + (high - low) * start, low + (high - low) * stop)
        if label is not None:
            self._label = lambda name: outer_label(label(name))
        if subject:
            self._subject = subject
            self._label = lambda name: outer_label(f"{subject} · {name}")
        try:
            yield
        finally:
            self._span, self._label, self._subject = outer_span, outer_label, outer_subject

    def step(self, fraction: float) -> None:
        """Report the fraction of the current stage that is done; raise if cancelled."""
        self.check()
        self.report(self._stage, fraction)

    def report(self, stage: str, fraction: float) -> None:
        """Report a fraction of the current part under another name; never fall back.

        It is a `Progress`: what has a run of its own is given it as its listener.
        """
        low, high = self._span
        reached = low + (high - low) * min(max(fraction, 0.0), 1.0)
        self._reached = max(self._reached, reached)
        self.progress(self._label(stage), self._reached)

    def look(self, picture: NDArray[np.uint8], similarity: float) -> None:
        """Show what was found so far, see `Look`. Ask `preview` first: drawing takes time."""
        if self.preview is not None:
            self.preview(Look(self._label(self._stage), self._subject, picture, similarity))

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop. Cheap: call it in every inner loop."""
        if self.cancel():
            raise Cancelled("The run was cancelled; nothing was changed.")
