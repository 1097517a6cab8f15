"""What a batch costs beside the registrations themselves, and what more workers bring.

Prints two tables: the time per pair that the scheduler adds, with a registration that does
nothing, and the throughput of a plain loop over `register` and of batches with one and two
workers, on pairs made from scikit-image's pictures. Start-up of the workers, torch's import
included, is given apart.

Usage: python -m benchmarks.batch [--pairs 24] [--tasks 10000] [--model classical]
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from skimage import color, data, transform

from napari_mmreg import register
from napari_mmreg.batch import BatchParameters, ImagePair, Outcome, run_batch
from napari_mmreg.batch.schedule import Place, finished
from napari_mmreg.io import read_image, write_image

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


def overhead(tasks: int) -> None:
    """Print what the scheduler costs a pair."""
    print(f"| {tasks} pairs that cost nothing | ms a pair |\n|---|---|")
    for label, place in (("this process", Place()), ("two workers", Place(2))):
        start = perf_counter()
        count = sum(
            1
            for _ in finished(
                nothing, range(tasks), [str(n) for n in range(tasks)], place, lambda: False
            )
        )
        print(f"| {label} | {1000 * (perf_counter() - start) / count:.2f} |", flush=True)


def throughput(count: int, model: str) -> None:
    """Print what a loop and batches manage."""
    print(f"\n| {count} pairs, {SIDE} px, {model} | s | pairs a minute |\n|---|---|---|")
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
            start = perf_counter()
            work()
            seconds = perf_counter() - start
            print(f"| {label} | {seconds:.1f} | {60 * count / seconds:.0f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--model", default="classical")
    args = parser.parse_args()
    overhead(args.tasks)
    throughput(args.pairs, args.model)


if __name__ == "__main__":
    main()
