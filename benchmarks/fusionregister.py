"""What FusionRegister does to fused images of mildly misaligned and of aligned pairs.

Validation pairs, S256 (rotation up to 2 degrees, 2 px, scale 0.94 to 1.06) and as they are (Z256),
fused by every method and corrected. Compared with the fusion of the truly aligned pair, inside the
true overlap: SSIM, the difference of the gradients' lengths (edges), the displacement that is left
of the registered image (RE), objects of the built-in segmenter (IoU), fusion measures, and the
localisation map against the known displacement. Writes ``results/fusionregister.md``.

Usage: MMREG_DATA=... python -m benchmarks.fusionregister [--per-modality 16] [--modalities vis_ir]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol
from napari_mmreg import correct_fusion, fuse, register
from napari_mmreg.evaluation.fusion_quality import fusion_measures
from napari_mmreg.evaluation.objects import compare_masks
from napari_mmreg.evaluation.prompted import choose_objects, find, prompts_for
from napari_mmreg.evaluation.segmentation import load_segmenter
from napari_mmreg.evaluation.similarity import ssim
from napari_mmreg.fusion import list_fusions
from napari_mmreg.imaging import to_grey
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records

RESULTS = Path(__file__).parent / "results"
MILD, ALIGNED = "S256", "Z256"
DISPLACED = 2.0
"""Pixels at 256-px scale that count as misregistered, as the map does."""

QUALITY = {"fusion_en": "EN", "fusion_sf": "SF", "fusion_ag": "AG", "fusion_sd": "SD"}
OBJECTS = 12
STRIDE = 7
"""Every so many pixels along both axes count for the map's AUROC."""

Row = dict[str, Any]


def edges(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return the lengths of an image's gradients."""
    values = image.astype(float)
    return np.hypot(ndimage.sobel(values, 0), ndimage.sobel(values, 1)) / 8


def likeness(image: NDArray[Any], target: NDArray[Any], mask: NDArray[Any]) -> dict[str, float]:
    """Return SSIM and the mean difference of the edges."""
    apart = np.abs(edges(image) - edges(target))
    return {"ssim": ssim(image, target, mask, 255), "edges": float(apart[mask].mean())}


def ious(target: NDArray[Any], images: dict[str, NDArray[Any]], mask: NDArray[Any]) -> Row:
    """Return the mean IoU of the target's objects with what the same prompts find elsewhere."""
    segmenter, run = load_segmenter("regions"), Run()
    objects = choose_objects(segmenter, target, mask, OBJECTS, run)
    found: Row = {}
    if objects:
        prompts = prompts_for(objects, segmenter)
        for name, image in images.items():
            other = find(segmenter, image, prompts, run)
            scores = [s.iou for s in compare_masks(objects, other, mask)]
            found[f"iou {name}"] = float(np.mean(scores))
    return found


@dataclass(frozen=True)
class Sources:
    """A pair as it is fused: grey pictures, and what registration says about both states."""

    fixed: NDArray[np.uint8]
    moving: NDArray[np.uint8]
    true_moving: NDArray[np.uint8]
    known: tuple[NDArray[Any] | None, NDArray[Any] | None]
    refine: bool


def prepare(mild: Case, aligned: Case, refine: bool) -> Sources:
    """Register once what all methods fuse."""
    fixed, moving, true_moving = (
        np.rint(255 * to_grey(image, (0, 255))[0]).astype(np.uint8)
        for image in (mild.fixed, mild.moving, aligned.moving)
    )
    known: list[NDArray[Any] | None] = [None, None]
    if refine:
        for number, (image, valid) in enumerate(((moving, moving > 0), (true_moving, None))):
            result = register(fixed, image, "fusionregister", moving_mask=valid, device="cpu")
            if result.status == "ok":  # else what is done is looked for again
                known[number] = np.nan_to_num(result.displacement)
    return Sources(fixed, moving, true_moving, (known[0], known[1]), refine)


def measure(mild: Case, aligned: Case, method: str, sources: Sources) -> Row:
    """Fuse, correct and compare one pair with one method."""
    fixed, moving, true_moving = sources.fixed, sources.moving, sources.true_moving
    grid = np.moveaxis(np.indices(fixed.shape), 0, -1)
    mask = ndimage.binary_erosion(mild.mask & (moving > 0), iterations=4)
    target = fuse(fixed, true_moving, method)
    given = fuse(fixed, moving, method, moving > 0)
    known, known_still = sources.known
    options: Row = {"method": method, "device": "cpu", "refine": sources.refine}
    found = correct_fusion(fixed, moving, given, valid=moving > 0, displacement=known, **options)
    pictures = {"before": given, "network": found.fused, "after": found.fused}
    if sources.refine:
        again = correct_fusion(fixed, moving, valid=moving > 0, displacement=known, **options)
        pictures["after"] = again.fused
    row: Row = {"group": mild.group, "pair": mild.name}
    for name, image in pictures.items():
        row |= {f"{key} {name}": v for key, v in likeness(image, target, mask).items()}
    truth = mild.positions - grid
    for name, left in (("before", truth), ("after", truth - found.displacement)):
        row[f"re {name}"] = float(np.linalg.norm(left * mild.scale, axis=-1)[mask].mean())
    row |= ious(target, {name: pictures[name] for name in ("before", "after")}, mask)
    for name, image in (*pictures.items(), ("aligned", target)):
        measures = fusion_measures(fixed, moving, image, mask)
        row |= {f"{short} {name}": measures[key] for key, short in QUALITY.items()}
    # Pairs that fit: nothing is to be moved.
    still = correct_fusion(fixed, true_moving, target, displacement=known_still, **options)
    moved = np.linalg.norm(still.displacement * aligned.scale, axis=-1)[aligned.mask]
    row["moved"], row["moved median"] = float(moved.mean()), float(np.median(moved))
    row["ssim aligned"] = ssim(still.fused, target, aligned.mask, 255)
    sparse = np.zeros_like(mask)
    sparse[::STRIDE, ::STRIDE] = True
    length = np.linalg.norm(truth * mild.scale, axis=-1)
    row["likely"] = np.concatenate(
        [found.misregistered[sparse & mask], still.misregistered[sparse & aligned.mask]]
    )
    row["displaced"] = np.concatenate(
        [length[sparse & mask] > DISPLACED, np.zeros((sparse & aligned.mask).sum(), bool)]
    )
    return row


def auroc(rows: list[Row]) -> float:
    """Return the area under the ROC curve of the map, over the pixels of all pairs."""
    likely = np.concatenate([row["likely"] for row in rows])
    displaced = np.concatenate([row["displaced"] for row in rows])
    ranks = stats.rankdata(likely)
    count, others = displaced.sum(), (~displaced).sum()
    return float((ranks[displaced].sum() - count * (count + 1) / 2) / (count * others))


def better(rows: list[Row], name: str) -> str:
    """Return the share of pairs that are better in SSIM, edges and RE."""
    wins = [
        row[f"ssim {name}"] > row["ssim before"]
        and row[f"edges {name}"] < row["edges before"]
        and row["re after"] < row["re before"]
        for row in rows
    ]
    return f"{np.mean(wins):.0%}"


def gains(rows: list[Row]) -> str:
    """Return the cells of the main table."""

    def mean(key: str) -> float:
        return float(np.nanmean([row.get(key, np.nan) for row in rows]))

    cells = [
        str(len(rows)),
        *(f"{mean(f'{k} before'):.3f} → {mean(f'{k} after'):.3f}" for k in ("ssim", "edges")),
        f"{mean('re before'):.2f} → {mean('re after'):.2f}",
        f"{mean('iou before'):.3f} → {mean('iou after'):.3f}",
        better(rows, "after"),
        better(rows, "network"),
        f"{np.median([row['moved'] for row in rows]):.2f}",
        f"{np.mean([row['moved'] < 0.3 for row in rows]):.0%}",
        f"{mean('ssim aligned'):.3f}",
        f"{auroc(rows):.3f}",
    ]
    return " | ".join(cells)


def report(rows: dict[str, list[Row]]) -> str:
    """Return the tables as Markdown."""
    head = (
        "| modality | pairs | SSIM with the aligned fusion | edges off | RE, px "
        "| IoU | better in SSIM, edges and RE | the network's picture "
        "| aligned pairs moved, px (median) | by < 0.3 px | SSIM, aligned | AUROC of the map |\n"
        + "|---" * 12
        + "|\n"
    )
    text = ""
    for method, found in rows.items():
        text += f"\n## {method}\n\n{head}"
        text += f"| all | {gains(found)} |\n"
        for group in sorted({row["group"] for row in found}):
            text += f"| {group} | {gains([r for r in found if r['group'] == group])} |\n"
    text += "\n## Fusion measures\n\nMean over all pairs.\n\n| method | image | "
    text += " | ".join(QUALITY.values()) + " |\n" + "|---" * (2 + len(QUALITY)) + "|\n"
    for method, found in rows.items():
        for name in ("before", "network", "after", "aligned"):
            cells = (f"{np.mean([r[f'{k} {name}'] for r in found]):.2f}" for k in QUALITY.values())
            text += f"| {method} | {name} | {' | '.join(cells)} |\n"
    return text


def seconds(refine: bool, repeats: int = 3) -> float:
    """Return the least time of correcting 480 x 640 pixels with the threads there are."""
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.random((480, 640)), 3).astype(np.float32)
    image = (image - image.min()) / np.ptp(image)
    least = np.inf
    for _ in range(repeats + 1):
        start = time.perf_counter()
        correct_fusion(image, 1 - image, image, device="cpu", refine=refine)
        least = min(least, time.perf_counter() - start)
    return float(least)


def main() -> None:
    """Measure, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-modality", type=int, default=16)
    parser.add_argument("--modalities", nargs="*")
    parser.add_argument("--no-refinement", action="store_true", help="the network alone")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    records = runner.evenly(
        read_records(find_data(None), ["val"], commercial_only=False), args.per_modality
    )
    if args.modalities:
        records = [record for record in records if record.modality in args.modalities]
    methods = {info.name: info.title for info in list_fusions()}
    rows: dict[str, list[Row]] = {title: [] for title in methods.values()}
    cases = zip(
        *(runner.read_cases(records, Protocol.parse(text)) for text in (MILD, ALIGNED)),
        strict=True,
    )
    for mild, aligned in cases:
        sources = prepare(mild, aligned, not args.no_refinement)
        for name, title in methods.items():
            rows[title].append(measure(mild, aligned, name, sources))
    text = (
        f"# FusionRegister on `val`, {'the network alone' if args.no_refinement else 'refined'}"
        f"\n\nFused images of {MILD} pairs and of the same pairs as they "
        "are, by every fusion method, before → after correction; px at 256-px scale. Objects: "
        f"up to {OBJECTS} a pair, found in the aligned fusion by the built-in segmenter. The "
        "moving images of mildly misaligned pairs were resampled once, of aligned ones never. "
        "After: fused again by the method with the moving image moved by what the registration "
        "found (refined), or the network's picture (alone)."
        f" 480 x 640 takes {seconds(not args.no_refinement):.2f} s with {args.threads} thread(s). "
        "Written by `benchmarks/fusionregister.py`.\n" + report(rows)
    )
    name = "fusionregister-bare.md" if args.no_refinement else "fusionregister.md"
    (RESULTS / name).write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
