"""The options of ``python -m benchmarks.accuracy``, and what it does."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HERE = Path(__file__).parents[1]
RECORDS = HERE / "results" / "records.jsonl"
TABLES = HERE / "RESULTS.md"
SECTIONS = tuple(
    HERE / "results" / name for name in ("auto.md", "beyond.md", "startup.md", "speed.md")
)
"""What follows the tables: two summaries written by hand, and what `benchmarks.startup` and
`benchmarks.speed` write; the latter renews the end of the page itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "methods",
        nargs="*",
        help="models, peers or FILE.py::function; default: all models and peers",
    )
    parser.add_argument("--data", help="folder with index.csv (default: MMREG_DATA)")
    parser.add_argument("--split", default="val", help="which pairs (default val)")
    parser.add_argument(
        "--protocols",
        default="R256,N256",
        help="kinds R, N, B, F, H, S, W, T, Z, a size or 'nat', 'c' for no black borders; "
        "L: landmarks, LC: corrected with half of them (default R256,N256)",
    )
    parser.add_argument(
        "--per-modality", type=int, default=16, help="evenly spaced pairs a modality, 0: all"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="for our models (default cpu)")
    parser.add_argument("--results", type=Path, default=RECORDS, help="file of the records")
    parser.add_argument("--tables", type=Path, default=TABLES, help="Markdown file to write")
    parser.add_argument(
        "--tables-only", action="store_true", help="write the tables from the records on disk"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, save the records, write the tables."""
    from benchmarks.accuracy import records as store
    from benchmarks.accuracy import report

    if not arguments.tables_only:
        _measure(arguments)
    records = store.load(arguments.results)
    arguments.tables.parent.mkdir(parents=True, exist_ok=True)
    plots = report.plot_recall(records, arguments.tables.parent)
    text = _INTRODUCTION + report.markdown(
        records, plots, report.plot_recovery(records, arguments.tables.parent)
    )
    for section in SECTIONS:
        if section.is_file():
            text += "\n" + section.read_text(encoding="utf-8")
    arguments.tables.write_text(text, encoding="utf-8")
    print(f"{arguments.tables}: {len(records)} records", file=sys.stderr)
    return 0


def _measure(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from benchmarks.accuracy import records as store
    from benchmarks.accuracy import runner
    from benchmarks.accuracy.methods import PEERS, load_method
    from benchmarks.accuracy.protocols import Case, LandmarkCase, Protocol
    from napari_mmreg.models import list_models
    from napari_mmreg.training.data import find_data, read_records

    names = arguments.methods or [*(info.name for info in list_models()), *PEERS]
    methods = [load_method(name, arguments.device) for name in names]
    protocols = [Protocol.parse(text) for text in arguments.protocols.split(",")]
    folder = find_data(arguments.data)
    found = read_records(folder, [arguments.split], commercial_only=False)
    chosen = runner.evenly(found, arguments.per_modality)
    label = arguments.split + (str(arguments.per_modality) if arguments.per_modality else "")
    command = "python -m benchmarks.accuracy " + shlex.join(
        [
            *(Path(name).name for name in arguments.methods),  # no paths of one machine
            "--split",
            arguments.split,
            "--protocols",
            arguments.protocols,
            "--per-modality",
            str(arguments.per_modality),
            "--seed",
            str(arguments.seed),
        ]
    )
    with tqdm(unit="pair") as bar:

        def advance(line: str) -> None:
            bar.set_description_str(line, refresh=False)
            bar.update()

        for protocol in protocols:
            if protocol.by_hand:
                cases: list[Case | LandmarkCase] = list(runner.read_landmark_cases(folder))
            else:
                cases = list(runner.read_cases(chosen, protocol, arguments.seed))
            bar.reset(total=len(methods) * len(cases))
            for method in methods:
                store.save(
                    runner.run(
                        [method],
                        cases,
                        protocol,
                        label="landmarks" if protocol.by_hand else label,
                        seed=arguments.seed,
                        command=command,
                        report=advance,
                    ),
                    arguments.results,
                )


_INTRODUCTION = """\
# Benchmark

RE (registration error) is the mean endpoint error in px at 256-px scale inside the overlap: median
and mean over pairs, then the median of each modality. Misalignments are synthetic and exact; the
real pairs are aligned to about 0.1 px (SHG/H&E, aerial NIR) to 2 px (SAR, maps): below those values
differences are label noise.

R: rotation, scale, translation, shear, perspective. N: half of R and 8 px elastic, smoothed with
sigma 16 px. B: N's global part and a bigger, broader bend, 12 px, sigma 24. F: the same and a finer
bend, 5 px, sigma 10. H: hard. S: small. W: wide (rotation to 30 degrees, scale 0.7 to 1.3, shift to
30 %). T: turned (rotation to 45 degrees, scale 0.9 to 1.1, shift to 10 %). Z: none: RE is how far
a method moves an aligned pair. `c`: no black borders. L: real misalignment, mean error at landmarks
set by hand. LC: each result is corrected with half of a pair's landmarks, and the error is that at
the other half. A method that raises counts as doing nothing. Written by
`python -m benchmarks.accuracy` (older commands below call it `mmreg bench`).

Elastic recovery splits the truth and the answer into their best homography (least squares over the
scored pixels) and the rest, the elastic part, and projects the answer's elastic part a on the true
one t: <a, t> / <t, t>, 0 for a homography, 1 for the truth. Elastic error left is the mean length
of a - t, global error left the mean distance between the two homographies; medians over pairs.

"""
