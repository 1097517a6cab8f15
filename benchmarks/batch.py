"""What a batch costs beside the registrations themselves, and what more workers bring.

Two tables: the time per pair that a batch of a table of 10,000 adds, with a registration that does
nothing, and the throughput of a plain loop over `register` and of batches with one and two
workers, on pairs made from scikit-image's pictures; start-up of the workers, torch's import
included, counts.

    python -m benchmarks.batch [--pairs 24] [--tasks 10000] [--model classical]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from unittest import mock

import numpy as np
from skimage import color, data, transform

from napari_mmreg import register
from napari_mmreg.batch import BatchParameters, ImagePair, Outcome, read_table, run_batch
from napari_mmreg.batch.schedule import Place, finished
from napari_mmreg.io import read_image, write_image

RESULTS = Path(__file__).parent / "results" / "batch.md"

SIDE = 256
PICTURES = ("astronaut", "camera", "chelsea", "coffee", "rocket", "moon")


def nothing(number: int) -> Outcome:
    """Do what a pair would do, in no time."""
    return Outcome(str(number), "ok", ())


def make_pairs(folder: Path, count: int) -> list[ImagePair]:
    """Write pictures and their negatives, shifted."""
    rng = np.random.default_rng(0)
    pairs = []
    for number in range(count):
        image = getattr(data, PICTURES[number % len(PICTURES)])()
        grey = image if image.ndim == 2 else color.rgb2gray(image)
        grey = transform.resize(grey.astype(float), (SIDE + 64, SIDE + 64))
        grey = np.rint(255 * (grey - grey.min()) / np.ptp(grey)).astype(np.uint8)
        row, col = rng.integers(0, 24, 2)
        paths = folder / f"{number}_a.png", folder / f"{number}_b.png"
        write_image(paths[0], grey[32 : 32 + SIDE, 32 : 32 + SIDE])
        write_image(paths[1], 255 - grey[20 + row : 20 + row + SIDE, 20 + col : 20 + col + SIDE])
        pairs.append(ImagePair(str(number), *paths))
    return pairs


def no_registration(pair: ImagePair, *_: object) -> Outcome:
    """Stand for `process_pair`."""
    return Outcome(pair.id, "ok", ())


def overhead(tasks: int) -> list[str]:
    """Return what a table, a batch and its scheduler cost a pair."""
    lines = [f"| {tasks:,} pairs that cost nothing | s | ms a pair |", "|---|---|---|"]

    def timed(label: str, work: Callable[[], object]) -> None:
        start, cpu = perf_counter(), process_seconds()
        work()
        seconds, processor = perf_counter() - start, process_seconds() - cpu
        each = 1000 * seconds / tasks
        lines.append(f"| {label} | {seconds:.1f} (cpu {processor:.1f}) | {each:.2f} |")
        print(lines[-1], flush=True)

    def schedule(place: Place) -> None:
        names = [str(n) for n in range(tasks)]
        done = sum(1 for _ in finished(nothing, range(tasks), names, place, lambda: False))
        if done != tasks:
            raise SystemExit(f"{done} of {tasks} pairs came back")

    with tempfile.TemporaryDirectory() as name:
        table = Path(name) / "pairs.csv"
        image = Path(name) / "a.png"
        write_image(image, np.zeros((16, 16), np.uint8))
        rows = [f"pair{n},a.png,a.png" for n in range(tasks)]
        table.write_text("\n".join(("id,fixed,moving", *rows)))
        timed("reading the table", lambda: read_table(table))
        pairs = read_table(table)
        with mock.patch("napari_mmreg.batch.run.process_pair", no_registration):
            timed("a batch in this process, summary written", lambda: run_batch(pairs, name))
    timed("the scheduler, this process", lambda: schedule(Place()))
    timed("the scheduler, two workers", lambda: schedule(Place(2)))
    return lines


def process_seconds() -> float:
    """Return the processor time of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def throughput(count: int, model: str) -> list[str]:
    """Return what a loop and batches manage."""
    lines = [
        f"| {count} pairs, {SIDE} px, {model} | s | pairs a minute | cpu s a pair |",
        "|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = make_pairs(folder, count)

        def loop() -> None:
            for pair in pairs:
                result = register(read_image(pair.fixed), read_image(pair.moving), model=model)
                result.save(folder / "loop" / pair.id)

        parameters = BatchParameters(model=model)
        register(read_image(pairs[0].fixed), read_image(pairs[0].moving), model=model)
        runs = {"loop over register and save": loop}
        for workers in (1, 2):
            runs[f"batch, {workers} worker{'s' * (workers > 1)}"] = partial(
                run_batch, pairs, folder / f"out{workers}", parameters, workers=workers
            )
        runs["batch again, nothing to do"] = partial(run_batch, pairs, folder / "out1", parameters)
        for label, work in runs.items():
            start, cpu = perf_counter(), process_seconds()
            work()
            seconds, processor = perf_counter() - start, process_seconds() - cpu
            lines.append(
                f"| {label} | {seconds:.1f} | {60 * count / seconds:.0f} "
                f"| {processor / count:.2f} |"
            )
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--model", default="classical")
    args = parser.parse_args()
    before = os.getloadavg()[0]
    text = [
        "# Batches",
        "",
        f"`python -m benchmarks.batch --pairs {args.pairs} --tasks {args.tasks} "
        f"--model {args.model}`",
        "",
        f"{os.cpu_count()} cores, load {before:.1f} before. Where other work shares the "
        "cores, seconds tell how busy they were, and processor seconds (of the workers and their "
        "start, too) are the surer figure. A batch writes a folder, a picture and a report per "
        "pair, the loop what `result.save` writes.",
        "",
        *overhead(args.tasks),
        "",
        *throughput(args.pairs, args.model),
        "",
    ]
    RESULTS.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
