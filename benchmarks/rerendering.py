"""How alike the moving image and its rendering as the fixed sensor would show it are to the fixed.

After registration by the same model, inside the overlap, on the fixed grid: NCC and SSIM of the
registered image as it is, with the fixed image's histogram, and as rendered. A rendering is mixed
by what the fixed image shows in the overlap; "held out" are squares by which it was not mixed.
All this compares pictures and says nothing about the registration, whose error stands beside it.
`--frames` renders a simulated series of scans that differ by noise alone, and measures how alike
frames that follow each other are and how much their transforms differ. Writes
``results/rerendering-MODEL.md``.

Usage: MMREG_DATA=... python -m benchmarks.rerendering sasnet [--per-modality 16] [--frames 12]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.exposure import match_histograms

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol
from napari_mmreg.evaluation.similarity import ncc, ssim
from napari_mmreg.geometry.scanlines import LINES, same_place
from napari_mmreg.imaging import normalise, prepare_pair, to_grey
from napari_mmreg.imaging.interlaced import split_scan
from napari_mmreg.models import load_model
from napari_mmreg.registration import RegistrationResult, register
from napari_mmreg.registration.renderings import mix_rendering
from napari_mmreg.run import Run
from napari_mmreg.samples.bidirectional import bidirectional_scan
from napari_mmreg.training.data import find_data, read_records

RESULTS = Path(__file__).parent / "results"
PROTOCOL = "N256"
SHOWN = ("as it is", "histogram matched", "rendered", "held out")
SQUARE = 32
"""Sides, in pixels, of the squares of which every other one is held out."""


def measure(case: Case, model: str, refine: bool) -> dict[str, float] | None:
    """Return RE, and NCC and SSIM of the three pictures; None where nothing was rendered."""
    result = register(case.fixed, case.moving, model, refine=refine)
    if result.rerendered is None:
        return None
    mask = case.mask & result.valid
    fixed = grey(case.fixed, np.ones(mask.shape, dtype=bool))
    registered = grey(result.registered, result.valid)
    matched = registered.copy()
    matched[mask] = match_histograms(registered[mask], fixed[mask])
    found = {"RE": case.error(result.displacement + np.moveaxis(np.indices(fixed.shape), 0, -1))}
    pictures = (registered, matched, result.rerendered, held_out(case, result, model))
    for name, picture in zip(SHOWN, pictures, strict=True):
        found[f"NCC {name}"] = ncc(fixed, picture, mask)
        found[f"SSIM {name}"] = ssim(fixed, picture, mask, data_range=1.0)
    return found


def held_out(case: Case, result: RegistrationResult, model: str) -> np.ndarray[Any, Any]:
    """Return the rendering, each square mixed by the neighbours that touch its corners alone."""
    pair = prepare_pair(case.fixed, case.moving)
    rendering = load_model(model).predict(pair, Run()).rendering
    on_grid = pair.moving_from_grid.inverse().compose(result.transform)
    on_grid = on_grid.compose(pair.fixed_from_grid)
    rows, cols = np.indices(pair.shape) // SQUARE
    shape = case.fixed.shape[:2]
    made = np.zeros(shape, np.float32)
    for odd in (False, True):
        known = pair.fixed_mask & ((rows + cols) % 2 == odd)
        picture = mix_rendering(replace(pair, fixed_mask=known), on_grid, rendering, shape)
        other = pair.fixed_from_grid.inverse().resample(1 - known.astype(np.uint8), shape, order=0)
        made[other > 0] = picture[other > 0]
    return made


def grey(image: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an image's grey values as models see them."""
    return normalise(to_grey(image)[0], mask)


def frames(model: str, count: int) -> str:
    """Return what a series of scans says that differ by noise alone."""
    pictures, places = [], []
    rows, cols = np.mgrid[16:176:16, 32:352:16]
    points = np.stack([rows, cols], -1).reshape(-1, 2).astype(float)
    for number in range(count):
        fixed, moving = split_scan(bidirectional_scan(number).image)
        result = register(
            fixed, moving, model, refine=False, initial=same_place(), fixed_spacing=LINES
        )
        if result.rerendered is None:
            raise SystemExit(f"Frame {number}: {' '.join(result.reasons)}")
        pictures.append(result.rerendered[:, 20:-20])
        places.append(result.transform.map(points) * LINES)
    likeness = [ncc(one, two) for one, two in pairwise(pictures)]
    steps = [np.linalg.norm(two - one, axis=1).mean() for one, two in pairwise(places)]
    return (
        f"{count} frames of the simulated bidirectional scan, noise alone differs, no refinement: "
        f"NCC of renderings that follow each other {np.mean(likeness):.3f} ± "
        f"{np.std(likeness):.3f}; their transforms differ by {np.mean(steps):.2f} px on average.\n"
    )


def row(group: str, chosen: Sequence[dict[str, float]]) -> str:
    """Return a line of the table: medians."""
    names = ["RE", *(f"{kind} {name}" for kind in ("NCC", "SSIM") for name in SHOWN)]
    values = (f"{np.nanmedian([found[name] for found in chosen]):.2f}" for name in names)
    return f"| {group} | {len(chosen)} | " + " | ".join(values) + " |\n"


def main() -> None:
    """Measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--per-modality", type=int, default=16)
    parser.add_argument("--no-refinement", action="store_true")
    parser.add_argument("--frames", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    records = runner.evenly(
        read_records(find_data(None), ["val"], commercial_only=False), args.per_modality
    )
    groups: dict[str, list[dict[str, float]]] = {}
    lost = 0
    for case in runner.read_cases(records, Protocol.parse(PROTOCOL)):
        found = measure(case, args.model, not args.no_refinement)
        if found is None:
            lost += 1
        else:
            groups.setdefault(case.group, []).append(found)
    every = [found for group in groups.values() for found in group]
    text = (
        f"# Renderings of `{args.model}`\n\n"
        f"`val`, {PROTOCOL}, {'without' if args.no_refinement else 'with'} refinement; medians, "
        "against the fixed image inside the overlap, RE in px at 256-px scale. NCC and SSIM "
        "compare pictures and are no measure of registration. "
        f"{lost} pairs without a rendering (failed, or answered by another model) are left out. "
        "Written by `benchmarks/rerendering.py`.\n\n"
        f"| modality | pairs | RE | NCC {' | '.join(SHOWN)} | SSIM {' | '.join(SHOWN)} |\n"
        f"|---|---|---{'|---' * 2 * len(SHOWN)}|\n"
    )
    text += row("all", every) + "".join(row(name, groups[name]) for name in sorted(groups))
    if args.frames > 1:
        text += "\n" + frames(args.model, args.frames)
    (RESULTS / f"rerendering-{args.model}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
