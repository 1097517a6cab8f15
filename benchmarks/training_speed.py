"""How many pairs a second are made, and learned from, on this machine.

    python benchmarks/training_speed.py [--data data/pack/pairs.npz] [--device cpu]

Wall-clock figures suffer on a machine shared with other jobs; processor seconds with one thread
hardly do, and the load is written beside them. Prints a table and writes
benchmarks/results/training_speed.json. Without data, pictures of scikit-image are used; that
changes the sizes of the pictures, not of the frames.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from napari_mmreg.training.batches import BatchConfig, BatchGenerator
from napari_mmreg.training.pack import PackedPair, load_pairs
from napari_mmreg.training.recipe import get_recipe
from napari_mmreg.training.trainer import Trainer, TrainerConfig


def pictures():
    from skimage import data

    found = []
    for name in ("camera", "coins", "brick", "gravel", "grass"):
        image = np.ascontiguousarray(getattr(data, name)()[:336, :448])
        found.append(PackedPair(name, "train", "own", "own", name, image, 255 - image))
    return found


def timed(action, repeats, device):
    """Median wall and processor seconds over `repeats` calls, after one to warm up."""
    action()
    wall, cpu = [], []
    for _ in range(repeats):
        started, busy = time.perf_counter(), time.process_time()
        action()
        if device != "cpu":
            torch.cuda.synchronize()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - busy)
    return statistics.median(wall), statistics.median(cpu)


def measure(pairs, recipe, size, batch, threads, device, repeats):
    torch.set_num_threads(threads)
    config = BatchConfig(batch=batch, sizes=((size, size),))
    generator = BatchGenerator(pairs, config, 0, device)
    making, making_cpu = timed(lambda: next(generator), repeats, device)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainerConfig(Path(folder), steps=10**6, device=device)
        trainer = Trainer(recipe, dict(recipe.constructor), generator, settings)
        ready = next(generator)
        learning, learning_cpu = timed(lambda: trainer.train_step(ready), repeats, device)
    return {
        "size": size,
        "batch": batch,
        "threads": threads,
        "device": device,
        "pairs_per_s_made": round(batch / making, 2),
        "pairs_per_s_learned": round(batch / learning, 2),
        "cpu_s_per_pair_made": round(making_cpu / batch, 4),
        "cpu_s_per_pair_learned": round(learning_cpu / batch, 4),
        "share_of_time_making": round(making / (making + learning), 3),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--recipe", default="hrnet")
    parser.add_argument("--sizes", type=int, nargs="+", default=[192, 256])
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    pairs = load_pairs(args.data, ("train",)) if args.data else pictures()
    recipe = get_recipe(args.recipe)
    rows = []
    print("| size | batch | threads | pairs/s made | learned | cpu s/pair made | learned | load |")
    print("|---|---|---|---|---|---|---|---|")
    for size in args.sizes:
        for batch in args.batches:
            for threads in args.threads:
                row = measure(pairs, recipe, size, batch, threads, args.device, args.repeats)
                row["load"] = round(os.getloadavg()[0], 1)
                rows.append(row)
                print(
                    f"| {size} | {batch} | {threads} | {row['pairs_per_s_made']} | "
                    f"{row['pairs_per_s_learned']} | {row['cpu_s_per_pair_made']} | "
                    f"{row['cpu_s_per_pair_learned']} | {row['load']} |",
                    flush=True,
                )
    result = {
        "recipe": args.recipe,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": str(torch.__version__),
        "data": "training pack" if args.data else "scikit-image",
        "rows": rows,
    }
    path = Path(__file__).parent / "results" / "training_speed.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
