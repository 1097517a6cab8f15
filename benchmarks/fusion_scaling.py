"""Processor time and peak memory of fusing two images, per method and side.

Each run has a process of its own, so that the peak is its own. The images are copies of one picture
side by side, and their inverse with a frame without data. Writes ``results/fusion-scaling.md``.

    python benchmarks/fusion_scaling.py [--sides 2000 8000] [--methods laplacian cnn f2m]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parent / "results" / "fusion-scaling.md"
INTRODUCTION = """\
# Fusing against image size

{} Written by `benchmarks/fusion_scaling.py`.

| method | side | cpu s | peak MiB of the process | of which before fusing |
|---|---|---|---|---|
"""
FRAME = 100


def peak() -> float:
    """Return the most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(side: int, method: str) -> dict[str, float]:
    """Fuse once, here."""
    import torch
    from skimage import data

    from napari_mmreg import fuse
    from napari_mmreg.fusion import load_fusion

    picture = data.camera()
    copies = -(-side // len(picture))
    fixed = np.tile(picture, (copies, copies))[:side, :side].copy()
    valid = np.zeros(fixed.shape, np.bool_)
    valid[FRAME:-FRAME, FRAME:-FRAME] = True
    moving = np.where(valid, 255 - fixed, np.uint8(0))
    load_fusion(method)  # reading weights is not what is measured
    before, start = peak(), time.process_time()
    fuse(fixed, moving, method, valid, device="cpu")
    return {
        "cpu": time.process_time() - start,
        "peak": peak(),
        "before": before,
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="*", default=[2000, 4000, 8000])
    parser.add_argument("--methods", nargs="*", default=["laplacian", "cnn", "f2m"])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(int(args.one[0]), args.one[1])))
        return
    lines: list[str] = []
    for method in args.methods:
        for side in args.sides:
            command = [sys.executable, __file__, "--one", str(side), method]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = json.loads(done.stdout.splitlines()[-1])
            numbers = f"{row['cpu']:.1f} | {row['peak']:.0f} | {row['before']:.0f}"
            lines.append(f"| {method} | {side} | {numbers} |\n")
            print(lines[-1], end="", flush=True)
            about = f"Grey uint8 images on the CPU, torch with {row['threads']} thread(s)."
            RESULT.write_text(INTRODUCTION.format(about) + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
