"""Wall time, processor time and peak memory of one registration against the image's side.

Each size runs in a process of its own, so that the peak is its own.

    python benchmarks/scaling.py [--model auto] [--sizes 256 512 1024 2048 4096] [--device cpu]
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

RESULTS = Path(__file__).parent / "results" / "scaling.json"


def pair(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture and its inverted, brightened copy, rotated, shifted and bent."""
    from skimage import data
    from skimage.transform import resize

    from napari_mmreg.geometry import CompositeTransform, DisplacementTransform, MatrixTransform

    fixed = resize(data.camera(), (side, side), order=3, anti_aliasing=True)
    fixed = (255 * fixed).clip(0, 255).astype(np.uint8)
    rng = np.random.default_rng(0)
    unit = side / 256
    bend = rng.normal(size=(8, 8, 2)).astype(np.float32) * 3 * unit
    turn = MatrixTransform.from_params(
        rotation_degrees=6, scale=1.04, translation=(9 * unit, -12 * unit),
        center=((side - 1) / 2, (side - 1) / 2),
    )  # fmt: skip
    misaligned = CompositeTransform([turn, DisplacementTransform.coarse(bend, (side, side))])
    moving = misaligned.resample(fixed, (side, side))
    return fixed, (255 * (1 - moving / 255.0) ** 0.7).astype(np.uint8)


def one(side: int, model: str, device: str) -> dict[str, float | str]:
    import torch

    from napari_mmreg import register

    fixed, moving = pair(side)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, start_cpu = time.perf_counter(), time.process_time()
    result = register(fixed, moving, model=model, device=device)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "side": side,
        "model": result.model,
        "status": result.status,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mib": before,
        "threads": torch.get_num_threads(),
        **{f"s {stage}": value for stage, value in result.timings.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sizes", type=int, nargs="*", default=[256, 512, 1024, 2048, 4096])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one, arguments.model, arguments.device)))
        return
    rows = []
    table = [
        "| side | status | wall s | cpu s | peak MiB of the process |",
        "|---|---|---|---|---|",
    ]
    for side in arguments.sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(side), "--model", arguments.model,
             "--device", arguments.device],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        table.append(
            f"| {side} | {row['status']} | {row['seconds']:.2f} | {row['cpu_seconds']:.2f} "
            f"| {row['peak_mib']:.0f} |"
        )
        print(table[-1], flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    about = f"{rows[0]['model']}, {rows[0]['threads']} threads."
    text = "\n".join(["# Registration against image size", "", about, "", *table, ""])
    RESULTS.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
