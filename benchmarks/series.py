"""Frames per second and peak memory of time series, beside a plain loop over `register`.

A sample's own picture and its negative with noise: of a rig, which stands still, or drifting by a
random walk, which also turns a little. Every way runs in a process of its own, so that the peak is
its own, and makes the registered stack. Seconds begin after the first pair, which loads the
networks.

    python -m benchmarks.series [--frames 20] [--side 256] [--models classical] [--threads 1 2]
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

RESULTS = Path(__file__).parent / "results" / "series.md"

WAYS = {
    "loop over register": "drifting",
    "each": "drifting",
    "follow": "drifting",
    "follow, not smoothed": "drifting",
    "loop over register, rig": "rig",
    "once": "rig",
}
"""What is measured, and on which stack."""


def stack(kind: str, frames: int, side: int):
    """Return the fixed image, the moving stack, and fixed to moving pixels of every frame."""
    from skimage.transform import resize

    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.samples import load_sample

    picture = load_sample("visible_thermal_simulated").fixed.astype(np.float32)
    grey = picture.mean(axis=-1) if picture.ndim == 3 else picture
    scale = 1.3 * side / min(grey.shape)
    shape = tuple(round(scale * n) for n in grey.shape)
    large = resize(grey / grey.max(), shape, anti_aliasing=True).astype(np.float32)
    top, left = ((n - side) // 2 for n in large.shape)
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(frames, 3)) * (1.2, 1.2, 0.15)
    drift = (
        np.cumsum(steps, axis=0) if kind == "drifting" else np.tile((6.0, -4.0, 1.0), (frames, 1))
    )
    truths, moving = [], []
    for row, col, angle in drift:
        truth = MatrixTransform.from_params(
            rotation_degrees=angle, translation=(row, col), center=(side / 2, side / 2)
        )
        pull = MatrixTransform.translation((top, left)).compose(truth.inverse())
        image = 1 - pull.resample(large, (side, side), order=1)
        truths.append(truth)
        moving.append(image + rng.normal(size=image.shape) * 0.02)
    fixed = large[top : top + side, left : left + side]
    return fixed, np.asarray(moving, np.float32), truths


def error(transform, truth, side: int) -> float:
    """Return the mean distance over the frame, in pixels."""
    axis = np.linspace(0.05 * side, 0.95 * side, 20)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    return float(np.linalg.norm(transform.map(points) - truth.map(points), axis=-1).mean())


def one(way: str, model: str, threads: int, frames: int, side: int) -> dict[str, float]:
    """Return what one way takes, in this process."""
    import torch

    from napari_mmreg import register, register_series

    torch.set_num_threads(threads)
    fixed, moving, truths = stack(WAYS[way], frames, side)
    register(fixed, moving[0], model=model, device="cpu")
    start, cpu = time.perf_counter(), time.process_time()
    if way.startswith("loop"):
        results = [register(fixed, plane, model=model, device="cpu") for plane in moving]
        transforms = [result.transform for result in results]
        registered = np.stack([result.registered for result in results])
        good = sum(result.status == "ok" for result in results)
    else:
        name, _, unsmoothed = way.partition(", ")
        smoothing = {"smoothing": 0} if unsmoothed else {}
        series = register_series(fixed, moving, name, model=model, device="cpu", **smoothing)
        transforms = [plane.transform for plane in series]
        registered = np.asarray(series.registered)
        good = sum(plane.status == "ok" for plane in series)
    seconds, processor = time.perf_counter() - start, time.process_time() - cpu
    if registered.shape != moving.shape:
        raise SystemExit(f"the registered stack has {registered.shape}")
    found = [error(*each, side) for each in zip(transforms, truths, strict=True)]
    return {
        "seconds": seconds,
        "cpu_seconds": processor,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "error": float(np.median(found)),
        "worst": float(np.max(found)),
        "ok": good,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--models", nargs="*", default=["classical"])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    frames, side = arguments.frames, arguments.side
    if arguments.one:
        way, model, threads = arguments.one
        print(json.dumps(one(way, model, int(threads), frames, side)))
        return
    command = (
        f"python -m benchmarks.series --frames {frames} --side {side} --models "
        f"{' '.join(arguments.models)} --threads {' '.join(map(str, arguments.threads))}"
    )
    load = os.getloadavg()[0]
    table = [
        "| model | threads | way | frames per s | frames per processor s | peak MiB "
        "| median RE, px | worst RE, px | ok |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model in arguments.models:
        for threads in arguments.threads:
            for way in WAYS:
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.series", "--frames", str(frames),
                     "--side", str(side), "--one", way, model, str(threads)],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                it = json.loads(done.stdout.splitlines()[-1])
                cells = [
                    f"{frames / it['seconds']:.2f}",
                    f"{frames / it['cpu_seconds']:.2f}",
                    f"{it['peak_mib']:.0f}",
                    f"{it['error']:.2f}",
                    f"{it['worst']:.2f}",
                    f"{it['ok']} of {frames}",
                ]
                table.append(f"| {model} | {threads} | {way} | {' | '.join(cells)} |")
                print(table[-1], flush=True)
    text = [
        "# Time series",
        "",
        f"`{command}`",
        "",
        f"{frames} frames of {side} x {side} pixels to one image; {os.cpu_count()} cores, load "
        f"{load:.0f} before: where other work shares them, processor seconds are the surer figure. "
        "A series is registered in one process; threads are torch's. The drifting stack serves "
        "*each* and *follow*, the rig *once*. RE (registration error) is the mean over a frame; a "
        "frame is `ok` where it says so of itself. Python, torch and scipy alone take up some "
        "400 MiB of the peak.",
        "",
        *table,
        "",
    ]
    RESULTS.write_text("\n".join(text))


if __name__ == "__main__":
    main()
