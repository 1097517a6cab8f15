"""Registration error of large pairs before and after refinement in tiles.

A mosaic of scikit-image's pictures at their own resolution, and a copy of it, turned, bent at two
scales, with other contrast and noise. The truth is known everywhere.

    python benchmarks/detail.py [--sides 3000] [--model auto] [--device cpu]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "detail.md"

PICTURES = ("camera", "brick", "grass", "gravel", "coins", "retina", "moon", "immunohistochemistry")


def mosaic(side: int, seed: int = 0) -> np.ndarray:
    """A square of pieces of pictures, each at its own resolution, turned or mirrored."""
    from skimage import color, data

    rng = np.random.default_rng(seed)
    pieces = []
    for name in PICTURES:
        picture = getattr(data, name)()
        grey = color.rgb2gray(picture) if picture.ndim == 3 else picture / 255.0
        pieces.append(np.asarray(grey, np.float32))
    canvas = np.empty((side, side), np.float32)
    tile = 300
    for row in range(0, side, tile):
        for col in range(0, side, tile):
            piece = pieces[rng.integers(len(pieces))]
            top, left = (rng.integers(0, size - tile + 1) for size in piece.shape)
            part = np.rot90(piece[top : top + tile, left : left + tile], rng.integers(4))
            canvas[row : row + tile, col : col + tile] = part[: side - row, : side - col]
    return (255 * canvas).clip(0, 255).astype(np.uint8)


def misalignment(side: int, seed: int = 0):
    """Fixed to moving pixels of the truth: turned, bent over the image, and within a tile."""
    from napari_mmreg.geometry import CompositeTransform, DisplacementTransform, MatrixTransform

    rng = np.random.default_rng(seed + 1)
    turn = MatrixTransform.from_params(
        rotation_degrees=2, scale=1.01, translation=(0.004 * side, -0.006 * side),
        center=(side / 2, side / 2),
    )  # fmt: skip
    wide = DisplacementTransform.coarse(rng.normal(size=(6, 6, 2)) * 0.002 * side, (side, side))
    knots = max(4, round(side / 150))
    fine = DisplacementTransform.coarse(rng.normal(size=(knots, knots, 2)) * 4.0, (side, side))
    return CompositeTransform([turn, wide, fine])


def pair(side: int, seed: int = 0):
    """The fixed image, the moving one, and fixed to moving pixels."""
    fixed = mosaic(side, seed)
    truth = misalignment(side, seed)
    # A moving pixel shows what lies at the fixed place that the truth maps to it.
    moving = truth.inverse().resample(fixed, (side, side), order=1)
    rng = np.random.default_rng(seed + 2)
    other = 255 * (1 - moving / 255.0) ** 0.7 + rng.normal(size=moving.shape) * 4
    return fixed, other.clip(0, 255).astype(np.uint8), truth


def errors(transform, truth, side: int) -> np.ndarray:
    """Distances in pixels on a grid of places, the margin left out."""
    axis = np.linspace(0.05 * side, 0.95 * side, 60)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    apart = np.linalg.norm(transform.map(points) - truth.map(points), axis=-1)
    return apart[np.isfinite(apart)]


def row(name: str, found: np.ndarray, seconds: float, cpu: float) -> str:
    median, high, most = np.median(found), np.percentile(found, 90), found.max()
    share = 100 * (found < 2).mean()
    cells = [f"{median:.2f}", f"{high:.2f}", f"{most:.1f}", f"{share:.0f}"]
    return f"| {name} | {' | '.join([*cells, f'{seconds:.0f}', f'{cpu:.0f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="*", default=[3000])
    parser.add_argument("--model", default="auto")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    from napari_mmreg import register
    from napari_mmreg.large import refine_tiles

    command = f"python benchmarks/detail.py --sides {' '.join(map(str, arguments.sides))}"
    lines = [
        "# Refinement in tiles",
        "",
        "Registration error (RE) in pixels of the full resolution, of a mosaic with a known "
        "misalignment that bends over some 150 pixels by 4 pixels (standard deviation), and more.",
        "",
        f"`{command} --model {arguments.model} --device {arguments.device}`",
        "",
    ]
    for side in arguments.sides:
        fixed, moving, truth = pair(side)
        lines += [
            f"## {side} x {side}",
            "",
            "| | median RE | 90 % | max | % under 2 px | s | cpu s |",
            "|---|---|---|---|---|---|---|",
        ]
        start, cpu = time.perf_counter(), time.process_time()
        result = register(fixed, moving, model=arguments.model, device=arguments.device)
        took = time.perf_counter() - start, time.process_time() - cpu
        lines.append(row("register", errors(result.transform, truth, side), *took))
        print(lines[-1], result.status, flush=True)
        start, cpu = time.perf_counter(), time.process_time()
        better = refine_tiles(fixed, moving, result, device=arguments.device)
        took = time.perf_counter() - start, time.process_time() - cpu
        lines.append(row("refine_tiles", errors(better.transform, truth, side), *took))
        print(lines[-1], flush=True)
        rounds = better.provenance["refined_tiles"]
        for each in rounds:
            print(each, flush=True)
        told = "; ".join(
            f"1/{each['factor']}: {each['tiles']} tiles, {each['tried']} with structure, "
            f"{each['accepted']} improved, {each['contradicted']} of them dropped"
            for each in rounds
        )
        lines += ["", f"Rounds: {told}.", ""]
    RESULTS.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
