"""Run methods over benchmark pairs and keep what they did, pair by pair."""

from __future__ import annotations

import csv
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.correction import corrected_errors
from benchmarks.accuracy.methods import Method, do_nothing
from benchmarks.accuracy.protocols import CORRECTION, Case, LandmarkCase, Protocol, make_case
from napari_mmreg.io import read_landmarks
from napari_mmreg.training.data import PairRecord, read_pair, read_picture


@dataclass(frozen=True, slots=True)
class PairScore:
    """One method on one pair; errors are RE in pixels at 256-px scale.

    Attributes
    ----------
    pair, group : str
        The pair and its modality.
    error, error_before : float
        Of the method, and of doing nothing. A method that raised counts as doing nothing.
    seconds, cpu_seconds : float
        Wall and processor time of the call.
    status : str
        What our models say of their own result.
    failure : str
        The exception, if there was one.
    elastic_recovery, elastic_left, global_left : float or None
        Of the method, as in `ElasticScore`; None where the truth has no elastic part or is known
        at landmarks only. Records leave them out then.
    """

    pair: str
    group: str
    error: float
    error_before: float
    seconds: float
    cpu_seconds: float
    status: str = ""
    failure: str = ""
    elastic_recovery: float | None = None
    elastic_left: float | None = None
    global_left: float | None = None

    def as_record(self) -> dict[str, object]:
        """Return the fields that have a value."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def evenly(records: Sequence[PairRecord], per_group: int) -> list[PairRecord]:
    """Return at most `per_group` evenly spaced pairs of every modality (0: all)."""
    groups: dict[str, list[PairRecord]] = {}
    for record in records:
        groups.setdefault(record.modality, []).append(record)
    if not per_group:
        return list(records)
    return [r for group in groups.values() for r in group[:: max(1, -(-len(group) // per_group))]]


def read_cases(records: Iterable[PairRecord], protocol: Protocol, seed: int = 0) -> Iterator[Case]:
    """Read aligned pairs from disk and misalign them."""
    for record in records:
        fixed, moving, mask = read_pair(record)
        yield make_case(record.id, record.modality, fixed, moving, protocol, mask=mask, seed=seed)


def read_landmark_cases(folder: Path) -> Iterator[LandmarkCase]:
    """Read the unaligned pairs of a data set whose landmarks were set by hand."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("landmark_type") == "manual"]
    for row in rows:
        pairs = read_landmarks(folder / row["landmarks"])
        yield LandmarkCase(
            row["id"],
            row["modality"],
            read_picture(folder / row["fixed"]),
            read_picture(folder / row["moving"]),
            pairs.fixed,
            pairs.moving,
        )


def score(method: Method, case: Case | LandmarkCase) -> PairScore:
    """Run one method on one pair."""
    return _answer(method, case)[0]


def _answer(method: Method, case: Case | LandmarkCase) -> tuple[PairScore, NDArray[np.floating]]:
    """Return a method's score on a pair, and its answer: where each fixed pixel lies."""
    before = do_nothing(case.fixed, case.moving)
    positions, status, failure = before, "", ""
    start, start_cpu = time.perf_counter(), time.process_time()
    try:
        answer = method.register(case.fixed.copy(), case.moving.copy())
    except Exception as error:  # noqa: BLE001  a peer may fail in any way; it is counted
        failure = f"{type(error).__name__}: {str(error)[:160]}"
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    if not failure:
        found = np.asarray(answer.positions, np.float64)
        if found.shape != (*case.fixed.shape[:2], 2):
            failure = f"the field has the shape {found.shape}"
        elif not np.isfinite(case.error(found)):
            failure = "the field has values that are not finite"
        else:
            positions, status = found, answer.status
    bend = case.elastic(positions)
    result = PairScore(
        case.name,
        case.group,
        case.error(positions),
        case.error(before),
        seconds,
        cpu_seconds,
        status,
        failure,
        bend.recovery if bend else None,
        bend.elastic_left if bend else None,
        bend.global_left if bend else None,
    )
    return result, positions


def score_correction(method: Method, case: LandmarkCase, seed: int = 0) -> PairScore:
    """Run one method on one pair, and correct its result with half of the landmarks.

    `error_before` and `error` are at the other half, without and with the correction. A method
    that raises counts as doing nothing, which is corrected as well.
    """
    alone, positions = _answer(method, case)
    before, after = corrected_errors(positions, case, seed)
    return replace(alone, error=after, error_before=before)


def run(
    methods: Sequence[Method],
    cases: Sequence[Case | LandmarkCase],
    protocol: Protocol,
    *,
    label: str,
    seed: int = 0,
    command: str = "",
    report: Callable[[str], None] = print,
) -> list[dict[str, object]]:
    """Run every method over the cases of one protocol; return one JSON-ready record each."""
    records = []
    for method in methods:
        scores = []
        for number, case in enumerate(cases, start=1):
            if protocol.kind == CORRECTION and isinstance(case, LandmarkCase):
                scores.append(score_correction(method, case, seed))
            else:
                scores.append(score(method, case))
            report(f"{method.name}: {protocol} pair {number} of {len(cases)}")
        records.append(
            {
                "method": method.name,
                "protocol": str(protocol),
                "data": label,
                "seed": seed,
                "command": command,
                "environment": environment(),
                "pairs": [s.as_record() for s in scores],
            }
        )
    return records


def environment() -> dict[str, str]:
    """Describe the software and the machine that a figure comes from."""
    import torch

    packages = ("napari-mmreg", "numpy", "scipy", "scikit-image", "torch")
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": str(torch.get_num_threads()),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        **{name: version(name) for name in packages},
    }


def _commit() -> str:
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
