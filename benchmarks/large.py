"""Time and peak memory of large images from disk to disk: RGB fixed, grey moving, OME-Zarr.

Each step of each size runs in a process of its own, so that the peak is its own: opening and
registering, looking at a window of 1,024 x 1,024 of the registered image, writing it as a tiled
pyramidal OME-TIFF.

    python benchmarks/large.py [--sizes 1024 4096 10000] [--model classical] [--device cpu]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "scaling-large.md"

STEPS = ("make", "register", "view", "write")

WINDOW = 1024


def make(folder: Path, side: int) -> None:
    """Write the pair, tile by tile: a picture enlarged, and its negative turned and bent."""
    from skimage import data

    from napari_mmreg.geometry import (
        CompositeTransform,
        DisplacementTransform,
        MatrixTransform,
        resample_lazily,
    )
    from napari_mmreg.io import Description, write_pyramid
    from napari_mmreg.run import Run

    colour = data.astronaut()
    grey = (255 - colour.mean(axis=2)).astype(np.uint8)
    shrink = MatrixTransform(np.diag([512 / side, 512 / side, 1.0]))
    rng = np.random.default_rng(0)
    bend = rng.normal(size=(8, 8, 2)).astype(np.float32) * 0.006 * side
    turn = MatrixTransform.from_params(
        rotation_degrees=5, scale=1.03, translation=(0.03 * side, -0.04 * side),
        center=(side / 2, side / 2),
    )  # fmt: skip
    moved = CompositeTransform([turn, DisplacementTransform.coarse(bend, (side, side)), shrink])
    for name, image, pull in (("fixed", colour, shrink), ("moving", grey, moved)):
        colours = image.ndim == 3
        lazy = resample_lazily(image, pull, (side, side), channels_last=colours, order=1)
        write_pyramid(folder / f"{name}.zarr", lazy, Description(colours=colours), Run())


def register(folder: Path, model: str, device: str) -> str:
    from napari_mmreg import register as register_images
    from napari_mmreg.io import open_pyramid

    with (
        open_pyramid(folder / "fixed.zarr") as fixed,
        open_pyramid(folder / "moving.zarr") as moving,
    ):
        result = register_images(fixed.choose(), moving.choose(), model=model, device=device)
    result.transform.save(folder / "transform.npz")
    return result.status


def view(folder: Path) -> None:
    from napari_mmreg import Transform, apply
    from napari_mmreg.io import open_pyramid

    with open_pyramid(folder / "moving.zarr") as moving:
        transform = Transform.load(folder / "transform.npz")
        levels = apply(moving.choose(), transform, lazily=True)
        start = max(0, levels[0].shape[0] // 2 - WINDOW // 2)
        np.asarray(levels[0][start : start + WINDOW, start : start + WINDOW])


def write(folder: Path) -> None:
    from napari_mmreg.cli import main

    names = [str(folder / name) for name in ("transform.npz", "moving.zarr", "out.ome.tif")]
    if main(["apply", names[0], names[1], "-o", names[2], "--force"]):
        raise SystemExit("mmreg apply failed")


def one(step: str, folder: Path, side: int, model: str, device: str) -> dict[str, object]:
    start, cpu = time.perf_counter(), time.process_time()
    status = ""
    if step == "make":
        make(folder, side)
    elif step == "register":
        status = register(folder, model, device)
    elif step == "view":
        view(folder)
    else:
        write(folder)
    return {
        "status": status,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1024, 4096, 10000])
    parser.add_argument("--model", default="classical")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="where the images lie meanwhile")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    how = ["--model", arguments.model, "--device", arguments.device]
    if arguments.one:
        step, folder, side = arguments.one
        print(json.dumps(one(step, Path(folder), int(side), arguments.model, arguments.device)))
        return
    table = [
        "| side | status | register: s (cpu s), MiB | view: s (cpu s), MiB "
        "| write: s (cpu s), MiB | pixels written per cpu s |",
        "|---|---|---|---|---|---|",
    ]
    for side in arguments.sizes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            rows = {}
            for step in STEPS:
                done = subprocess.run(
                    [sys.executable, __file__, "--one", step, folder, str(side), *how],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                rows[step] = json.loads(done.stdout.splitlines()[-1])
        cells = [
            f"{row['seconds']:.1f} ({row['cpu_seconds']:.1f}), {row['peak_mib']:.0f}"
            for row in (rows[step] for step in STEPS[1:])
        ]
        speed = side * side / rows["write"]["cpu_seconds"] / 1e6
        status = rows["register"]["status"]
        table.append(f"| {side:,} | {status} | {' | '.join(cells)} | {speed:.2f} million |")
        print(table[-1], flush=True)
    sizes = " ".join(map(str, arguments.sizes))
    text = [
        "# Large images, from disk to disk",
        "",
        f"`python benchmarks/large.py --sizes {sizes} {' '.join(how)}`",
        "",
        f"RGB fixed and grey moving image, 8 bits, OME-Zarr; {os.cpu_count()} cores. Wall time, in "
        "brackets processor time, and the peak memory of the process, in which Python, torch and "
        "scipy alone take up some 400 MiB. The view is a window of 1,024 x 1,024 of the "
        "registered image; what is written is a tiled pyramidal OME-TIFF.",
        "",
        *table,
        "",
    ]
    RESULTS.write_text("\n".join(text))


if __name__ == "__main__":
    main()
