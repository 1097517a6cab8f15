"""How good fused images are, per method, aligned, misaligned and registered.

Validation pairs of all modalities, misaligned by a known transform (R256). Measured on the area
where the misaligned, the registered and the truly aligned moving image all have data, each fused
image against its own two sources. Writes ``results/fusion.md``.

Usage: MMREG_DATA=... python benchmarks/fusion.py [--per-modality 2] [--model classical]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from napari_mmreg import fuse, register
from napari_mmreg.bench import runner
from napari_mmreg.bench.protocols import Case, Protocol
from napari_mmreg.evaluation.fusion_quality import fusion_measures, ghosting
from napari_mmreg.evaluation.measures import BY_KEY
from napari_mmreg.fusion import list_fusions
from napari_mmreg.geometry import warp_image
from napari_mmreg.imaging import to_grey
from napari_mmreg.imaging.normalise import normalise
from napari_mmreg.training.data import find_data, read_records

RESULT = Path(__file__).parent / "results" / "fusion.md"
ALIGNED, MISALIGNED, REGISTERED = STATES = ("aligned", "misaligned", "registered")
GHOSTS = "ghosting"


def placed(case: Case, model: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the moving image on the fixed grid in each state, and where it has data."""
    grey = np.rint(255 * to_grey(case.moving, (0, 255))[0]).astype(np.uint8)
    result = register(case.fixed, case.moving, model=model)
    registered = result.transform.resample(grey, case.fixed.shape[:2])
    # The misaligned image is black where its frame ended.
    return {
        ALIGNED: (warp_image(grey, case.positions), case.mask),
        MISALIGNED: (grey, grey > 0),
        REGISTERED: (registered, np.asarray(result.valid) & case.mask),
    }


def measure(case: Case, model: str) -> dict[tuple[str, str], dict[str, float]]:
    """Return all measures of one pair by method and state."""
    fixed = np.rint(255 * to_grey(case.fixed, (0, 255))[0]).astype(np.uint8)
    places = placed(case, model)
    common = np.all([valid for _, valid in places.values()], axis=0)
    found = {}
    for info in list_fusions():
        fused = {
            state: fuse(fixed, moving, info.name, valid)
            for state, (moving, valid) in places.items()
        }
        for state, (moving, valid) in places.items():
            sources = [
                255 * normalise(image.astype(np.float32), mask)
                for image, mask in ((fixed, np.ones_like(valid)), (moving, valid))
            ]
            row = fusion_measures(*sources, fused[state], common)
            row[GHOSTS] = ghosting(fused[MISALIGNED], fused[state], common)
            found[info.name, state] = row
    return found


def main() -> None:
    """Measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-modality", type=int, default=2)
    parser.add_argument("--model", default="classical")
    args = parser.parse_args()
    torch.set_num_threads(1)
    records = read_records(find_data(None), ["val"], commercial_only=False)
    cases = runner.read_cases(runner.evenly(records, args.per_modality), Protocol.parse("R256"))
    found = [measure(case, args.model) for case in cases]
    keys = list(found[0][list_fusions()[0].name, ALIGNED])
    titles = [BY_KEY[key].title if key in BY_KEY else key for key in keys]
    lines = [f"| method | state | {' | '.join(titles)} |", "|---|---|" + "---|" * len(keys)]
    for info in list_fusions():
        for state in STATES:
            means = [np.nanmean([pair[info.name, state][key] for pair in found]) for key in keys]
            shown = " | ".join(f"{value:.3f}" for value in means)
            lines.append(f"| {info.title} | {state} | {shown} |")
    for info in list_fusions():
        for state in (ALIGNED, REGISTERED):
            fewer = np.mean([pair[info.name, state][GHOSTS] < 1 for pair in found])
            lines.append(f"\n{info.title}, {state}: fewer gradients in {fewer:.0%} of the pairs.")
    RESULT.write_text(
        f"# Fused images\n\nMeans over {len(found)} validation pairs of all modalities, R256, "
        f"registered with `{args.model}`. EN, SD, SF and AG rise with ghosts too; ghosting is "
        "the length of the gradients as a part of that of the misaligned pair, below 1 where "
        "doubled edges went. The aligned and the registered moving image were resampled once more "
        "than the misaligned one, which lowers gradients a little by itself. Written by "
        "`benchmarks/fusion.py`.\n\n" + "\n".join(lines) + "\n",
        encoding="utf-8",
    )
    print(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
