"""Time and memory of carrying coordinates through a transform: points, and shapes' vertices.

Everything goes from moving to fixed, through the inverse, which is what costs. Each run has a
process of its own, so that the peak is its own. Writes ``results/applying.md``.

    python benchmarks/applying.py [--points 1000000] [--shapes 100000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parent / "results" / "applying.md"
INTRODUCTION = """\
# Applying a transform to points and shapes

From moving to fixed pixels, on {} cores that other work shares; images of 2048 x 2048 pixels,
every shape a polygon of {} vertices. The error is the largest distance between a point and where
its answer is mapped back to. Written by `benchmarks/applying.py`.

| transform | data | s | points per second | largest error, px | left out | peak MiB | before |
|---|---|---|---|---|---|---|---|
"""
SIDE = 2048
VERTICES = 12
TRANSFORMS = ("affine", "homography", "dense field", "thin plate")


def peak() -> float:
    """Return the most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make(name: str):
    """Return a transform between two images of `SIDE` pixels."""
    from napari_mmreg.geometry import (
        DisplacementTransform,
        MatrixTransform,
        ThinPlateTransform,
    )

    affine = MatrixTransform.from_params(
        rotation_degrees=4, scale=1.03, translation=(12, -20), center=(SIDE / 2, SIDE / 2)
    )
    if name == "affine":
        return affine
    if name == "homography":
        matrix = affine.matrix.copy()
        matrix[2, :2] = 2e-5, -1e-5
        return MatrixTransform(matrix)
    rng = np.random.default_rng(0)
    if name == "thin plate":
        fixed = rng.uniform(0, SIDE, (24, 2))
        return ThinPlateTransform(fixed, affine.map(fixed) + rng.normal(0, 4, fixed.shape))
    rows, cols = np.indices((SIDE, SIDE), dtype=np.float32)
    bend = np.stack([9 * np.sin(cols / 150), 7 * np.cos(rows / 120)], axis=-1)
    return DisplacementTransform(affine.displacement((SIDE, SIDE)) + bend)


def one(name: str, kind: str, number: int) -> dict[str, float]:
    """Carry once, here."""
    from napari_mmreg.geometry.marks import MARKS

    transform = make(name)
    rng = np.random.default_rng(1)
    count = number * (VERTICES if kind == "shapes" else 1)
    centres = rng.uniform(200, SIDE - 200, (number, 1, 2))
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    ring = 5 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    data = list(centres + ring) if kind == "shapes" else centres[:, 0]
    before, start = peak(), time.perf_counter()
    carried = MARKS[kind].carry(data, transform.inverse(), None)
    seconds = time.perf_counter() - start
    after = peak()
    answers = np.concatenate(carried.data) if kind == "shapes" else carried.data
    error = transform.map(answers) - np.concatenate(data).reshape(answers.shape)
    return {
        "seconds": seconds,
        "rate": count / seconds,
        "error": float(np.nanmax(np.hypot(*error.T))),
        "lost": carried.lost,
        "peak": after,
        "before": before,
    }


def main() -> None:
    """Measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--shapes", type=int, default=100_000)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one[0], args.one[1], int(args.one[2]))))
        return
    lines: list[str] = []
    for name in TRANSFORMS:
        for kind, number in (("points", args.points), ("shapes", args.shapes)):
            command = [sys.executable, __file__, "--one", name, kind, str(number)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = json.loads(done.stdout.splitlines()[-1])
            lines.append(
                f"| {name} | {number:,} {kind} | {row['seconds']:.2f} | {row['rate']:,.0f} "
                f"| {row['error']:.1e} | {row['lost']} | {row['peak']:.0f} "
                f"| {row['before']:.0f} |\n"
            )
            print(lines[-1], end="", flush=True)
            RESULT.write_text(
                INTRODUCTION.format(os.cpu_count(), VERTICES) + "".join(lines), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
