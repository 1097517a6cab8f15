"""What masks found by prompts say about registration: agreement, sensitivity, before and after.

Part 1, aligned pairs: IoU of the objects that the built-in segmenter finds by the same points in
the fixed and the truly aligned moving image, per modality, and how it falls when the moving image
is shifted by 0 to 8 px. Part 2, known misalignment: IoU before and after every model, of objects
found by prompts, of masks carried along (labels on both images), and from geometry alone.

Writes ``results/segmenter_agreement.json``, ``.md`` and ``.png``, and the package's own
``agreement.json``, from which the dock says where the number means something.

    python -m benchmarks.segmenter_agreement --data FOLDER [--pairs 8] [--misaligned 3]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.accuracy.protocols import Protocol, pixel_positions
from benchmarks.accuracy.runner import environment, evenly, read_cases
from napari_mmreg.evaluation import evaluate, load_segmenter
from napari_mmreg.evaluation.alignment import Alignment
from napari_mmreg.evaluation.objects import compare_masks, paint
from napari_mmreg.evaluation.prompted import SHIFTS, choose_objects, find, prompts_for, sensitivity
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.models import list_models
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records

RESULTS = Path(__file__).parent / "results"
PACKAGE = Path(__file__).parents[1] / "src/napari_mmreg/evaluation/segmentation/agreement.json"
OBJECTS = 20
PROTOCOL = "N256"


def aligned(records, per_group: int) -> dict[str, dict]:
    """Measure agreement and sensitivity per modality."""
    groups: dict[str, list] = {}
    for case in read_cases(evenly(records, per_group), Protocol.parse("Znat")):
        segmenter = load_segmenter("regions")
        identity = MatrixTransform.identity()
        grid = Alignment(case.fixed, case.moving, identity).grid(Run())
        inside = grid.common & case.mask
        objects = choose_objects(segmenter, grid.fixed, inside, OBJECTS, Run())
        if not objects:
            continue
        prompts = prompts_for(objects, segmenter)
        reference = find(segmenter, grid.fixed, prompts, Run())
        curve = sensitivity(segmenter, grid.after, prompts, reference, inside, Run())
        scores = compare_masks(reference, find(segmenter, grid.after, prompts, Run()), inside)
        found = sum(score.iou >= 0.5 for score in scores)
        groups.setdefault(case.group, []).append((curve, len(objects), found))
        print(case.group, case.name, len(objects), f"{curve.iou[0]:.3f} -> {curve.iou[-1]:.3f}",
              flush=True)  # fmt: skip
    table = {}
    for group, rows in sorted(groups.items()):
        weights = [count for _, count, _ in rows]
        mean = [
            np.average([c.iou[i] for c, *_ in rows], weights=weights) for i in range(len(SHIFTS))
        ]
        ideal = [
            np.average([c.geometry[i] for c, *_ in rows], weights=weights)
            for i in range(len(SHIFTS))
        ]
        table[group] = {
            "pairs": len(rows),
            "objects": int(sum(weights)),
            "found": float(sum(found for *_, found in rows) / sum(weights)),
            "iou": {str(s): round(float(v), 4) for s, v in zip(SHIFTS, mean, strict=True)},
            "geometry": {str(s): round(float(v), 4) for s, v in zip(SHIFTS, ideal, strict=True)},
        }
    return table


def misaligned(records, per_group: int) -> list[dict]:
    """Measure IoU before and after every model, three ways."""
    from napari_mmreg import register

    rows = []
    for case in read_cases(evenly(records, per_group), Protocol.parse(PROTOCOL)):
        shape = case.fixed.shape[:2]
        truth = DisplacementTransform((case.positions - pixel_positions(*shape)).astype(np.float32))
        identity = MatrixTransform.identity()
        segmenter = load_segmenter("regions")
        grid = Alignment(case.fixed, case.moving, identity).grid(Run())
        objects = choose_objects(segmenter, grid.fixed, grid.common & case.mask, OBJECTS, Run())
        if not objects:
            continue
        labels = paint(objects, shape)
        carried = truth.inverse().resample(labels, shape, order=0)
        for info in list_models():
            result = register(case.fixed, case.moving, model=info.name, device="cpu")
            common = {"initial": identity, "truth": truth}
            try:
                prompted = evaluate(
                    case.fixed,
                    case.moving,
                    result.transform,
                    segmenter=segmenter,
                    fixed_labels=labels,
                    **common,
                )
                given = evaluate(
                    case.fixed,
                    case.moving,
                    result.transform,
                    fixed_labels=labels,
                    moving_labels=carried,
                    **common,
                )
            except ValueError as error:
                print(case.name, info.name, error, flush=True)
                continue
            rows.append({
                "pair": case.name, "group": case.group, "model": info.name,
                "status": result.status,
                "re_before": prompted.before["re_grid"], "re_after": prompted.after["re_grid"],
                **{
                    f"{way}_{state}": getattr(evaluation, state)[key]
                    for state in ("before", "after")
                    for way, evaluation, key in (
                        ("prompted", prompted, "object_iou"), ("masks", given, "object_iou"),
                        ("geometry", given, "object_iou_geometry"),
                    )
                },
                "normalised": prompted.objects.normalised,
            })  # fmt: skip
            print(json.dumps(rows[-1]), flush=True)
    return rows


def exceptions(rows: list[dict]) -> list[str]:
    """Return sentences about the pairs that do not count as risen."""
    unmoved = sorted({r["group"] for r in rows if not r["re_after"] < r["re_before"]})
    fallen = [
        f"{r['model']} on {r['pair']} ({r['group']}, {r['prompted_before']:.3f} → "
        f"{r['prompted_after']:.3f}, RE {r['re_before']:.1f} → {r['re_after']:.1f} px)"
        for r in rows
        if r["re_after"] < r["re_before"] and not r["prompted_after"] > r["prompted_before"]
    ]
    lines = []
    if fallen:
        lines += [f"Prompted IoU does not rise: {'; '.join(fallen)}.", ""]
    if unmoved:
        lines += [f"The error did not fall on pairs of: {', '.join(unmoved)}.", ""]
    return lines


def curve_plot(table: dict[str, dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for group, row in table.items():
        axes.plot(SHIFTS, list(row["iou"].values()), marker="o", ms=3.5, label=group)
    mean = np.mean([list(row["geometry"].values()) for row in table.values()], axis=0)
    axes.plot(SHIFTS, mean, color="0.5", ls="--", label="geometry alone (mean)")
    axes.set(xlabel="known shift (px)", ylabel="mean IoU of the objects", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, dpi=90)


def markdown(record: dict) -> str:
    lines = [
        "# Masks found by prompts: what they say about registration",
        "",
        "Built-in segmenter, prompts and objects chosen on the fixed image. Aligned pairs of the "
        "validation split, native size; the merge cost was chosen on two of them per modality, so "
        "these figures are slightly flattering.",
        "",
        "IoU by known shift in px; *found*: objects with IoU of 0.5 or more in the aligned pair; "
        "*falls*: whether the IoU falls with every step of the shift.",
        "",
        f"| modality | pairs | objects | found | {' | '.join(map(str, SHIFTS))} | falls |",
        "|---" * (5 + len(SHIFTS)) + "|",
    ]
    for group, row in record["aligned"].items():
        values = list(row["iou"].values())
        falls = "yes" if all(np.diff(values) < 0) else "no"
        lines.append(
            f"| {group} | {row['pairs']} | {row['objects']} | {row['found']:.0%} | "
            + " | ".join(f"{v:.3f}" for v in values)
            + f" | {falls} |"
        )
    ideal = np.mean([list(r["geometry"].values()) for r in record["aligned"].values()], axis=0)
    lines.append(f"| geometry alone | | | | {' | '.join(f'{v:.3f}' for v in ideal)} | yes |")
    lines += ["", "![IoU against shift](segmenter_agreement.png)", ""]
    lines += [
        f"## Known misalignment, {PROTOCOL}",
        "",
        "Mean IoU before → after. *Prompted*: the segmenter looks for the fixed image's objects in "
        "the moving one. *Masks*: masks of both images, carried along. *Geometry*: no segmenter. "
        "*Rises*: pairs whose IoU is higher after than before, of those whose error fell.",
        "",
        "| model | pairs | RE (px) | prompted | rises | masks | rises | geometry "
        "| masks − geometry, largest |",
        "|---" * 9 + "|",
    ]
    for model in sorted({row["model"] for row in record["misaligned"]}):
        rows = [row for row in record["misaligned"] if row["model"] == model]
        better = [row for row in rows if row["re_after"] < row["re_before"]]

        def arrow(name: str, rows=rows) -> str:
            return " → ".join(
                f"{np.mean([r[f'{name}_{s}'] for r in rows]):.3f}" for s in ("before", "after")
            )

        def rises(name: str, better=better) -> str:
            return f"{sum(r[f'{name}_after'] > r[f'{name}_before'] for r in better)}/{len(better)}"

        gap = max(
            abs(r[f"masks_{s}"] - r[f"geometry_{s}"]) for r in rows for s in ("before", "after")
        )
        errors = " → ".join(
            f"{np.median([r[f're_{s}'] for r in rows]):.2f}" for s in ("before", "after")
        )
        lines.append(
            f"| {model} | {len(rows)} | {errors} | {arrow('prompted')} | {rises('prompted')} "
            f"| {arrow('masks')} | {rises('masks')} | {arrow('geometry')} | {gap:.3f} |"
        )
    lines += ["", *exceptions(record["misaligned"]), f"`{record['command']}`", ""]
    return "\n".join(lines)


def aligned_part(chosen: argparse.Namespace, path: Path, records) -> dict:
    """Return the curves, measured now or kept, and where they were measured."""
    if chosen.keep_aligned:
        former = json.loads(path.read_text(encoding="utf-8"))
        return {key: former[key] for key in ("environment", "aligned")}
    return {"environment": environment(), "aligned": aligned(records, chosen.pairs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with index.csv (default: MMREG_DATA)")
    parser.add_argument("--pairs", type=int, default=8, help="aligned pairs per modality")
    parser.add_argument("--misaligned", type=int, default=3, help="misaligned pairs per modality")
    parser.add_argument(
        "--keep-aligned", action="store_true", help="measure the models anew, the curves not"
    )
    parser.add_argument("--tables", action="store_true", help="only write the tables anew")
    chosen = parser.parse_args()
    path = RESULTS / "segmenter_agreement.json"
    if not chosen.tables:
        records = read_records(find_data(chosen.data), "val")
        command = (
            f"python -m benchmarks.segmenter_agreement --pairs {chosen.pairs} "
            f"--misaligned {chosen.misaligned}"
        )
        record = {
            "command": command,
            **aligned_part(chosen, path, records),
            "misaligned_environment": environment(),
            "misaligned": misaligned(records, chosen.misaligned) if chosen.misaligned else [],
        }
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    record = json.loads(path.read_text(encoding="utf-8"))
    path.with_suffix(".md").write_text(markdown(record), encoding="utf-8")
    curve_plot(record["aligned"], path.with_suffix(".png"))
    shown = {"command": record["command"], "groups": record["aligned"]}
    PACKAGE.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
