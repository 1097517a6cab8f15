"""How good single matches are, and the homography they give, before any refinement.

On synthetic misalignments without elastic part: the area under the recall curve of the mean
corner error up to 3, 5 and 10 px (AUC), and the share of the matches within 3 px of the truth
(precision); px at 256-px scale. Writes ``results/matching-MODEL.md``.

Usage: MMREG_DATA=... python -m benchmarks.matching regnetmamba2 [--per-modality 16]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol, pull
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import check_image, grid_to_image, prepare_pair
from napari_mmreg.models import load_model
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records

RESULTS = Path(__file__).parent / "results"
PROTOCOLS = ("R256", "T256")
THRESHOLDS = (3.0, 5.0, 10.0)
RIGHT = 3.0


def measure(case: Case, model: Any) -> tuple[float, float, int]:
    """Return the mean corner error, the precision and the number of matches of one pair."""
    pair = prepare_pair(check_image(case.fixed, "fixed"), check_image(case.moving, "moving"))
    answer = model.predict(pair, Run())
    rows, cols = case.fixed.shape[:2]
    corners = np.array([[0, 0], [0, cols - 1], [rows - 1, cols - 1], [rows - 1, 0]], dtype=float)
    found = grid_to_image(pair, answer.global_part or MatrixTransform.identity()).map(corners)
    truth = case.positions[corners[:, 0].astype(int), corners[:, 1].astype(int)]
    error = float(np.linalg.norm((found - truth) * case.scale, axis=1).mean())
    matches = answer.matches.astype(np.float64)
    fixed = pair.fixed_from_grid.map(matches[:, :2])
    moving = pair.moving_from_grid.map(matches[:, 2:4])
    places = np.stack(
        [pull(case.positions[..., i], fixed[None], linear=True, edge=True)[0] for i in (0, 1)], -1
    )
    right = np.linalg.norm((moving - places) * case.scale, axis=1) < RIGHT
    return error, float(right.mean()) if len(right) else 0.0, len(right)


def area(errors: np.ndarray[Any, Any], threshold: float) -> float:
    """Return the area under the recall curve up to a threshold, in [0, 1]."""
    return float(np.clip(1 - errors / threshold, 0, None).mean())


def main() -> None:
    """Measure every protocol, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--per-modality", type=int, default=16)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    records = read_records(find_data(None), ["val"], commercial_only=False)
    lines = []
    for name in PROTOCOLS:
        cases = runner.read_cases(runner.evenly(records, args.per_modality), Protocol.parse(name))
        rows = [(case.group, *measure(case, model)) for case in cases]
        for group in ("all", *sorted({row[0] for row in rows})):
            chosen = [row for row in rows if group in ("all", row[0])]
            errors = np.array([row[1] for row in chosen])
            areas = " | ".join(f"{area(errors, t):.2f}" for t in THRESHOLDS)
            precision, count = (
                np.mean([row[2] for row in chosen]),
                np.median([r[3] for r in chosen]),
            )
            lines.append(
                f"| {name} | {group} | {len(chosen)} | {np.median(errors):.2f} | {areas} "
                f"| {precision:.0%} | {count:.0f} |\n"
            )
    (RESULTS / f"matching-{args.model}.md").write_text(
        f"# Matches of `{args.model}`\n\n"
        "Before any refinement, `val` pairs, px at 256-px scale. Corner error: of the homography, "
        f"mean over the four corners; precision: share of the matches within {RIGHT:g} px of the "
        "truth. T: turned by up to 45 degrees. Written by `benchmarks/matching.py`.\n\n"
        "| protocol | modality | pairs | corner error, median | AUC@3 | AUC@5 | AUC@10 | precision "
        "| matches, median |\n|---|---|---|---|---|---|---|---|---|\n" + "".join(lines),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
