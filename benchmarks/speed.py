"""Processor time of whole registrations beside a peer's, on the same pairs, in the same process.

Every pair goes through all methods in turn, so that a busy machine slows all of them alike, and
what counts is the median over pairs of each method's processor time divided by the peer's. One
round over the first pair, which is not counted, loads what loads once.

    python -m benchmarks.speed --peer peers/features.py::rift --label "what changed"
        [--models sasnet rfnet classical hrnet] [--protocol N256] [--per-modality 2] [--threads 1]
        [--keep FOLDER | --against FOLDER] [--profile MODEL]

`--keep` stores every displacement, `--against` compares with those stored. A run is added to
results/speed.json under its label; results/speed.md is made from that file.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.methods import Method, load_method
from benchmarks.accuracy.protocols import Case, Protocol, pixel_positions
from benchmarks.accuracy.runner import environment, evenly, read_cases

MODELS = ("sasnet", "rfnet", "classical", "hrnet", "regnetmamba2")
RESULTS = Path(__file__).parent / "results" / "speed.json"


@dataclass
class Timed:
    """One method over all pairs: seconds per pair, RE in px at 256-px scale, what it said.

    `stages` are wall seconds per pair of each stage, `apart` the largest and mean distance of each
    displacement from the stored one, in pixels.
    """

    name: str
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    apart: list[tuple[float, float]] = field(default_factory=list)


def set_threads(count: int) -> None:
    """Bind every library that computes to so many threads; OpenCV's import changes torch's."""
    import cv2
    import torch

    cv2.setNumThreads(count)
    torch.set_num_threads(count)


def our_run(model: str, case: Case, timed: Timed) -> NDArray[np.float32]:
    """Register a pair and note the times; return the displacement."""
    from napari_mmreg import register

    wall, cpu = time.perf_counter(), time.process_time()
    result = register(case.fixed, case.moving, model=model, device="cpu")
    timed.cpu.append(time.process_time() - cpu)
    timed.wall.append(time.perf_counter() - wall)
    timed.status.append(result.status)
    for stage, seconds in result.timings.items():
        timed.stages.setdefault(stage, []).append(seconds)
    displacement = np.asarray(result.displacement, np.float32)
    timed.error.append(case.error(pixel_positions(*case.fixed.shape[:2]) + displacement))
    return displacement


def peer_run(peer: Method, case: Case, timed: Timed) -> None:
    """Time the peer on a pair; where it raises, its time counts and its answer is none."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        positions = peer.register(case.fixed.copy(), case.moving.copy()).positions
    except RuntimeError:
        positions = pixel_positions(*case.fixed.shape[:2])
    timed.cpu.append(time.process_time() - cpu)
    timed.wall.append(time.perf_counter() - wall)
    timed.error.append(case.error(np.asarray(positions, np.float64)))


def measure(
    models: Sequence[str],
    peer: Method,
    cases: Sequence[Case],
    keep: Path | None,
    against: Path | None,
) -> list[Timed]:
    """Run everything over the pairs; the peer's figures come first."""
    for model in models:
        our_run(model, cases[0], Timed(model))
    peer_run(peer, cases[0], Timed(peer.name))
    found = [Timed(peer.name), *(Timed(model) for model in models)]
    for number, case in enumerate(cases, start=1):
        peer_run(peer, case, found[0])
        for timed in found[1:]:
            displacement = our_run(timed.name, case, timed)
            file = f"{timed.name}-{case.name}.npy".replace("/", "_")
            if keep is not None:
                np.save(keep / file, displacement)
            if against is not None:
                away = np.linalg.norm(displacement - np.load(against / file), axis=-1)
                timed.apart.append((float(np.nanmax(away)), float(np.nanmean(away))))
        print(f"pair {number} of {len(cases)}", file=sys.stderr, flush=True)
    return found


def profile(model: str, case: Case) -> str:
    """Return where one run of a model spends its processor time: torch's operations, by cost."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    our_run(model, case, Timed(model))
    with profiler(activities=[ProfilerActivity.CPU]) as recorded:
        our_run(model, case, Timed(model))
    return str(recorded.key_averages().table("self_cpu_time_total", row_limit=30))


def summary(found: Iterable[Timed]) -> list[dict[str, Any]]:
    """Reduce times per pair to medians, with the ratio to the first method pair by pair."""
    rows: list[dict[str, Any]] = []
    peer: Timed | None = None
    for timed in found:
        peer = peer or timed
        ratios = [own / other for own, other in zip(timed.cpu, peer.cpu, strict=True)]
        row: dict[str, Any] = {
            "method": timed.name,
            "cpu_s": statistics.median(timed.cpu),
            "wall_s": statistics.median(timed.wall),
            "ratio": statistics.median(ratios),
            "error": statistics.median(timed.error),
            "mean_error": statistics.fmean(timed.error),
            "ok": timed.status.count("ok"),
            "stages": {name: statistics.median(values) for name, values in timed.stages.items()},
        }
        if timed.apart:
            largest = [most for most, _ in timed.apart]
            row["apart_most"] = max(largest)
            row["apart_median"] = statistics.median(largest)
            row["apart_over"] = sum(most > 0.02 for most in largest)
        rows.append(row)
    return rows


def table(records: Sequence[dict[str, Any]]) -> str:
    """Write all runs as Markdown, the oldest first."""
    lines = [_INTRODUCTION]
    for record in records:
        lines += [
            f"### {record['label']}",
            "",
            f"{record['pairs']} pairs of {record['protocol']}, {record['threads']} thread(s), "
            f"commit {record['environment']['commit']}, torch {record['environment']['torch']}: "
            f"`{record['command']}`",
            "",
            "| method | cpu s | of the peer's | wall s | RE median | RE mean | ok | furthest from "
            "before, px | pairs over 0.02 px |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in record["rows"]:
            apart = f"{row['apart_most']:.5f}" if "apart_most" in row else ""
            lines.append(
                f"| {row['method']} | {row['cpu_s']:.3f} | {row['ratio']:.2f} | "
                f"{row['wall_s']:.3f} | {row['error']:.2f} | {row['mean_error']:.2f} | "
                f"{row['ok']} | {apart} | {row.get('apart_over', '')} |"
            )
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure, add the record, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", required=True, help="FILE.py::function, or a name of a peer")
    parser.add_argument("--label", help="what the record is called; without it none is kept")
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--protocol", default="N256")
    parser.add_argument("--split", default="val")
    parser.add_argument("--per-modality", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", help="folder with index.csv (default: MMREG_DATA)")
    parser.add_argument("--keep", type=Path, help="folder to store displacements in")
    parser.add_argument("--against", type=Path, help="folder of displacements to compare with")
    parser.add_argument("--profile", help="only show where a run of this model spends its time")
    arguments = parser.parse_args()
    from napari_mmreg.training.data import find_data, read_records

    set_threads(arguments.threads)
    records = read_records(find_data(arguments.data), [arguments.split], commercial_only=False)
    chosen = evenly(records, arguments.per_modality)
    cases = list(read_cases(chosen, Protocol.parse(arguments.protocol)))
    if arguments.profile:
        print(profile(arguments.profile, cases[len(cases) // 2]))
        return
    for folder in (arguments.keep, arguments.against):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    peer = load_method(arguments.peer)
    set_threads(arguments.threads)  # the peer's file may have imported anything
    found = measure(arguments.models, peer, cases, arguments.keep, arguments.against)
    record = {
        "label": arguments.label,
        "command": "python -m benchmarks.speed " + shlex.join(_without_paths(sys.argv[1:])),
        "environment": environment(),
        "protocol": arguments.protocol,
        "threads": arguments.threads,
        "pairs": len(cases),
        "rows": summary(found),
    }
    print(table([record]))
    for row in record["rows"]:
        print(row["method"], {name: round(s, 3) for name, s in row["stages"].items()})
    if arguments.label:
        kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
        kept = [old for old in kept if old["label"] != arguments.label] + [record]
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        RESULTS.with_suffix(".md").write_text(table(kept), encoding="utf-8")
        _renew_section(table(kept))


def _renew_section(text: str) -> None:
    """Put the tables at the end of those of `benchmarks.accuracy`."""
    tables = RESULTS.parents[1] / "RESULTS.md"
    before = tables.read_text(encoding="utf-8").split("\n" + text.splitlines()[0])[0]
    tables.write_text(f"{before}\n{text}", encoding="utf-8")


def _without_paths(words: Iterable[str]) -> list[str]:
    """Leave out the folders of one machine."""
    return [word.rsplit("/", 1)[-1] if word.startswith("/") else word for word in words]


_INTRODUCTION = """\
## Time of whole registrations

Every pair goes through all methods in turn, in one process; processor seconds, medians over pairs,
and the median of each method's time over the peer's on the same pair. Our models run as
`napari_mmreg.register` does, with the elastic stage, checks and writing. The first row is the peer.
RE is in px at 256-px scale. *Furthest from before* is the largest distance of any pixel's
displacement from that of the run before the changes, over all pairs.
"""


if __name__ == "__main__":
    main()
