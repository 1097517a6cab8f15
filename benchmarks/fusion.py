"""How good fused images are, per method, aligned, misaligned and registered.

Validation pairs of all modalities. First as they are, which is Table 2 of the RFNet paper with more
measures, and how bright the fused images are; then misaligned by a known transform (R256), measured
on the area where the misaligned, the registered and the truly aligned moving image all have data.
Each fused image is measured against its own two sources. Writes ``results/fusion.md``.

Usage: MMREG_DATA=... python -m benchmarks.fusion [--per-modality 3] [--model classical]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol
from napari_mmreg import fuse, register
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
SOURCES = ("fixed image", "moving image")
TONES = {"mean": None, "1 %": 1, "50 %": 50, "99 %": 99}
"""What is said of brightness: the mean and percentiles."""

Measures = dict[str, float]


def grey(image: np.ndarray) -> np.ndarray:
    """Return uint8 luminance."""
    return np.rint(255 * to_grey(image, (0, 255))[0]).astype(np.uint8)


def scaled(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return a source in [0, 255] as methods see it: scaled by its percentiles."""
    return 255 * normalise(image.astype(np.float32), valid)


def tones(image: np.ndarray, inside: np.ndarray) -> Measures:
    """Return how bright an image is."""
    values = image[inside]
    return {
        name: float(values.mean() if share is None else np.percentile(values, share))
        for name, share in TONES.items()
    }


def measure_aligned(case: Case) -> tuple[dict[str, Measures], dict[str, Measures]]:
    """Return the measures and the tones of an aligned pair by method; tones of sources too."""
    fixed, moving, inside = grey(case.fixed), grey(case.moving), case.mask
    sources = scaled(fixed, np.ones_like(inside)), scaled(moving, inside)
    measures = {}
    brightness = {name: tones(s, inside) for name, s in zip(SOURCES, sources, strict=True)}
    for info in list_fusions():
        fused = fuse(fixed, moving, info.name, inside)
        measures[info.name] = fusion_measures(*sources, fused, inside)
        brightness[info.name] = tones(fused, inside)
    return measures, brightness


def placed(case: Case, model: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the moving image on the fixed grid in each state, and where it has data."""
    moving = grey(case.moving)
    result = register(case.fixed, case.moving, model=model)
    registered = result.transform.resample(moving, case.fixed.shape[:2])
    # The misaligned image is black where its frame ended.
    return {
        ALIGNED: (warp_image(moving, case.positions), case.mask),
        MISALIGNED: (moving, moving > 0),
        REGISTERED: (registered, np.asarray(result.valid) & case.mask),
    }


def measure(case: Case, model: str) -> dict[tuple[str, str], Measures]:
    """Return all measures of one misaligned pair by method and state."""
    fixed = grey(case.fixed)
    places = placed(case, model)
    common = np.all([valid for _, valid in places.values()], axis=0)
    found = {}
    for info in list_fusions():
        fused = {
            state: fuse(fixed, moving, info.name, valid)
            for state, (moving, valid) in places.items()
        }
        for state, (moving, valid) in places.items():
            sources = scaled(fixed, np.ones_like(valid)), scaled(moving, valid)
            row = fusion_measures(*sources, fused[state], common)
            row[GHOSTS] = ghosting(fused[MISALIGNED], fused[state], common)
            found[info.name, state] = row
    return found


def table(rows: dict[str, Sequence[Measures]], *, spread: bool = True) -> str:
    """Return a table of means over pairs, with the standard deviation if wanted."""
    keys = list(next(iter(rows.values()))[0])
    titles = " | ".join(BY_KEY[key].title if key in BY_KEY else key for key in keys)
    lines = [f"| | {titles} |", "|---|" + "---|" * len(keys)]
    for name, pairs in rows.items():
        cells = []
        for key in keys:
            digits = 0 if key in TONES else BY_KEY[key].digits if key in BY_KEY else 3
            values = np.array([pair[key] for pair in pairs])
            deviation = f" ± {np.nanstd(values):.{digits}f}" if spread else ""
            cells.append(f"{np.nanmean(values):.{digits}f}{deviation}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def aligned_section(cases: Sequence[Case]) -> str:
    """Measure aligned pairs; return the tables and who is darker than whom."""
    found = [measure_aligned(case) for case in cases]
    names = {info.name: info.title for info in list_fusions()}
    measures = {title: [m[name] for m, _ in found] for name, title in names.items()}
    brightness = {
        title: [b[name] for _, b in found]
        for name, title in (*zip(SOURCES, SOURCES, strict=True), *names.items())
    }
    darker = []
    for name, title in names.items():
        means = np.array([[b[key]["mean"] for key in (*SOURCES, name)] for _, b in found])
        fixed, fused = means[:, 0], means[:, 2]
        known = np.column_stack([means[:, :2], np.ones(len(found))])
        of_fixed, of_moving, rest = np.linalg.lstsq(known, fused, rcond=None)[0]
        darker.append(
            f"{title}: darker than the fixed image in {(fused < fixed).sum()} of {len(found)} "
            f"pairs, than both sources in {(fused < means[:, :2].min(1)).sum()}; its mean is about "
            f"{of_fixed:.2f} × fixed + {of_moving:.2f} × moving + {rest:.0f}.\n"
        )
    return (
        f"## Aligned pairs\n\n{len(found)} pairs as they are, at 256 px: mean ± standard deviation."
        " Table 2 of the RFNet paper has AG, EN, STD and PSNR, the latter two on scales of its own."
        f"\n\n{table(measures)}\n"
        "Brightness of the same pairs, in grey levels: mean and percentiles within a picture, then "
        f"the mean over pairs. The sources are scaled as the methods see them.\n\n"
        f"{table(brightness)}\n" + "\n".join(darker)
    )


def registered_section(cases: Sequence[Case], model: str) -> str:
    """Measure misaligned pairs; return the table and who has fewer gradients."""
    found = [measure(case, model) for case in cases]
    rows = {
        f"{info.title}, {state}": [pair[info.name, state] for pair in found]
        for info in list_fusions()
        for state in STATES
    }
    fewer = [
        f"{title}: fewer gradients in {np.mean([row[GHOSTS] < 1 for row in pairs]):.0%} of the "
        "pairs.\n"
        for title, pairs in rows.items()
        if not title.endswith(MISALIGNED)
    ]
    return (
        f"## Misaligned and registered\n\nMeans over {len(found)} pairs, R256, registered with "
        f"`{model}`. EN, SD, SF and AG rise with ghosts too; ghosting is the length of the "
        "gradients as a part of that of the misaligned pair, below 1 where doubled edges went. The "
        "aligned and the registered moving image were resampled once more than the misaligned one, "
        f"which lowers gradients a little by itself.\n\n{table(rows, spread=False)}\n"
        + "\n".join(fewer)
    )


def main() -> None:
    """Measure, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-modality", type=int, default=3)
    parser.add_argument("--model", default="classical")
    args = parser.parse_args()
    torch.set_num_threads(1)
    records = read_records(find_data(None), ["val"], commercial_only=False)
    chosen = runner.evenly(records, args.per_modality)
    untouched, misaligned = (
        list(runner.read_cases(chosen, Protocol.parse(protocol))) for protocol in ("Z256", "R256")
    )
    sections = aligned_section(untouched), registered_section(misaligned, args.model)
    RESULT.write_text(
        "# Fused images\n\nValidation pairs of all modalities, at most "
        f"{args.per_modality} of each. Written by `benchmarks/fusion.py`.\n\n"
        + "\n".join(sections),
        encoding="utf-8",
    )
    print(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
