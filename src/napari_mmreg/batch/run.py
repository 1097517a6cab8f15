"""A batch from its pairs to its summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic

from napari_mmreg.batch.outcome import Outcome
from napari_mmreg.batch.parameters import BatchParameters
from napari_mmreg.batch.schedule import Place, finished, own_device
from napari_mmreg.batch.summary import write_summary
from napari_mmreg.batch.table import ImagePair, check_ids, write_table
from napari_mmreg.batch.work import process_pair
from napari_mmreg.errors import InputError
from napari_mmreg.run import CancelCheck, Preview, Progress, Run

PARAMETERS, PAIRS = "batch.yaml", "pairs.csv"

SUMMARY_SECONDS = 10.0
"""Time after which the summary of a batch under way is written again."""


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What became of a batch.

    Attributes
    ----------
    folder : Path
    outcomes : tuple of Outcome
        In the order of the pairs.
    """

    folder: Path
    outcomes: tuple[Outcome, ...]

    def count(self, status: str) -> int:
        """Return how many pairs have a status."""
        return sum(outcome.status == status for outcome in self.outcomes)


def run_batch(
    pairs: Sequence[ImagePair],
    folder: str | Path,
    parameters: BatchParameters | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    preview: Preview | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> BatchSummary:
    """Register many pairs of files.

    Each pair gets a folder of its own, called by its id, which appears when all of it is written.
    Running a batch again does what is missing: a pair whose files, parameters, weights and version
    are the same as those of the result in its folder is not registered again.

    Parameters
    ----------
    pairs : sequence of ImagePair
        See `read_table` and `match_folders`.
    folder : str or Path
        Made if needed. ``batch.yaml`` and ``pairs.csv`` repeat the batch, ``summary.csv`` and
        ``summary.html`` say what became of it, worst first; both are there while it runs, too.
    parameters : BatchParameters, optional
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a running ``dask.distributed`` scheduler to use instead.
    progress, cancel : callable, optional
        As of `register`; the stage says how many pairs are done, and how long the rest will take.
    preview : callable, optional
        As of `register`, looks name their pair; not called with several workers or a scheduler,
        which register in other processes.
    on_outcome : callable, optional
        Called with the outcome of each pair when it is there.

    Returns
    -------
    BatchSummary
        A pair that cannot be read or registered is an outcome of its own and ends nothing.

    Raises
    ------
    InputError
        If there is no pair, two have one id, or the folder or scheduler cannot be used.
    MissingExtraError
        If several workers or a scheduler are asked for without the extra ``batch``.
    Cancelled
        If `cancel` said so; what is done is kept, and the summary says what.
    """
    place = Place(workers, scheduler)
    checked = check_ids(pairs)
    if not checked:
        raise InputError("There is no pair to register.")
    parameters = parameters or BatchParameters()
    target = Path(folder).resolve()
    _prepare(target, checked, parameters)
    run = Run.begin("cpu", parameters.seed, progress, cancel, preview)
    outcomes: dict[str, Outcome] = {}
    made = 0
    work = partial(_work, parameters=parameters, folder=target)
    names = [pair.id for pair in checked]
    start = written = monotonic()
    run.report(_said(0, len(checked), 0.0), 0.0)
    try:
        if place == Place():
            work = partial(work, cancel=run.cancel, preview=run.preview)
        for outcome in finished(work, checked, names, place, run.cancel):
            outcomes[outcome.id] = outcome
            if on_outcome is not None:
                on_outcome(outcome)
            made += not outcome.reused
            left = (monotonic() - start) / max(made, 1) * (len(checked) - len(outcomes))
            run.report(_said(len(outcomes), len(checked), left), len(outcomes) / len(checked))
            if monotonic() - written > SUMMARY_SECONDS:
                write_summary(target, checked, outcomes)
                written = monotonic()
    finally:
        write_summary(target, checked, outcomes)
    return BatchSummary(target, tuple(outcomes[name] for name in names))


def _work(
    pair: ImagePair,
    parameters: BatchParameters,
    folder: Path,
    cancel: CancelCheck | None = None,
    preview: Preview | None = None,
) -> Outcome:
    own = replace(parameters, device=own_device(parameters.device))
    return process_pair(pair, own, folder, cancel, preview)


def _prepare(folder: Path, pairs: Sequence[ImagePair], parameters: BatchParameters) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot write {folder}: {error.strerror or error}. Choose another folder."
        ) from error
    parameters.save(folder / PARAMETERS)
    write_table(folder / PAIRS, pairs)


def _said(done: int, total: int, left: float) -> str:
    text = f"{done} of {total} pairs"
    if done in (0, total):
        return text
    for unit, seconds in (("h", 3600), ("min", 60), ("s", 1)):
        if left >= seconds or unit == "s":
            return f"{text}, {left / seconds:.0f} {unit} left"
    return text
