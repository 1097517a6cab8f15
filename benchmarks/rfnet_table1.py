"""Table 1 of the RFNet paper, measured again on our data: landmarks, SSIM and PSNR.

Visible/infrared and RGB/NIR pairs of `val`, misaligned by R256. The landmarks are a grid of 5 x 5
fixed pixels, of which those in the true overlap count, with their exact counterparts; the paper
has five a pair, marked by hand. SSIM and PSNR compare the moving image, brought onto the fixed grid
by a method, with the same image as it was before it was misaligned, in the true overlap (black
where the method finds none); the paper compares visible with near infrared. Writes
``results/rfnet-table1.md``.

Usage: MMREG_DATA=... python -m benchmarks.rfnet_table1 [--per-modality 12]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.accuracy import runner
from benchmarks.accuracy.methods import do_nothing, load_method
from benchmarks.accuracy.protocols import Case, Protocol
from benchmarks.rfnet_stages import CoarseRFNet
from napari_mmreg.evaluation.similarity import psnr, ssim
from napari_mmreg.geometry import warp_image
from napari_mmreg.imaging import check_image, grid_to_image, prepare_pair, to_grey
from napari_mmreg.models.rfnet.model import RFNetModel
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records

RESULT = Path(__file__).parent / "results" / "rfnet-table1.md"
GROUPS = ("vis_ir", "rgb_nir")
LANDMARKS = 5
"""Rows and columns of the grid of landmarks."""

NOTHING, TRUTH = "nothing", "the exact transform"

INTRODUCTION = f"""\
# Table 1 of RFNet, on our data

Visible/infrared and RGB/NIR pairs of `val`, R256: distances at up to {LANDMARKS**2} landmarks a
pair in px at 256 scale, SSIM and PSNR (dB) of the registered moving image against itself before it
was misaligned, in the true overlap; mean ± standard deviation over pairs. Rows called bare or alone
are the network; the others are whole runs with refinement, where a trained model's doubtful answer
is compared with the classical one. A method that raises did nothing. “{TRUTH}” shows what
interpolation costs. Written by `benchmarks/rfnet_table1.py`.

"""

Place = Callable[[Case], np.ndarray]


@dataclass(frozen=True)
class Score:
    """One method on one pair; distances in px at 256 scale, as the paper's RMSE, MAE and MEE."""

    rmse: float
    largest: float
    median: float
    ssim: float
    psnr: float


def whole(name: str) -> Place:
    """Return a method as users and peers run it; where it raises, it did nothing."""
    method = load_method(name)

    def place(case: Case) -> np.ndarray:
        try:
            return np.asarray(method.register(case.fixed, case.moving).positions, np.float64)
        except RuntimeError:
            return do_nothing(case.fixed, case.moving)

    return place


def bare(model: RFNetModel) -> Place:
    """Return the network alone: no refinement, no second opinion."""

    def place(case: Case) -> np.ndarray:
        images = check_image(case.fixed, "fixed"), check_image(case.moving, "moving")
        pair = prepare_pair(*images)
        grid = np.stack(np.meshgrid(*map(np.arange, case.fixed.shape[:2]), indexing="ij"), axis=-1)
        return grid_to_image(pair, model.predict(pair, Run()).transform).map(grid)

    return place


def methods() -> dict[str, Place]:
    """Return what is compared, in the order of the rows."""
    return {
        NOTHING: lambda case: do_nothing(case.fixed, case.moving),
        "mutual information, affine (SimpleITK)": whole("mutual information affine"),
        "`classical`": whole("classical"),
        "`rfnet`, AffineNet alone": bare(CoarseRFNet()),
        "`rfnet`, bare": bare(RFNetModel()),
        "`rfnet`": whole("rfnet"),
        "`hrnet`": whole("hrnet"),
        TRUTH: lambda case: case.positions,
    }


def score(case: Case, aligned: np.ndarray, positions: np.ndarray) -> Score:
    """Judge a method's answer on a pair."""
    at = [np.rint(np.linspace(0, size - 1, LANDMARKS + 2)[1:-1]) for size in case.mask.shape]
    marks = np.ix_(*(places.astype(int) for places in at))
    inside = case.mask[marks]
    missed = ((positions - case.positions) * case.scale)[marks][inside]
    distance = np.linalg.norm(missed, axis=-1)
    placed = warp_image(grey(case.moving), positions)
    return Score(
        float(np.sqrt(np.square(distance).mean())),
        float(distance.max()),
        float(np.median(distance)),
        ssim(aligned, placed, case.mask, data_range=255),
        psnr(aligned, placed, case.mask, data_range=255),
    )


def grey(image: np.ndarray) -> np.ndarray:
    """Return uint8 luminance."""
    return np.rint(255 * to_grey(image, (0, 255))[0]).astype(np.uint8)


def table(title: str, scores: dict[str, list[Score]]) -> str:
    """Return the rows of some pairs: mean ± standard deviation, as the paper has them."""
    nothing = np.array([each.rmse for each in scores[NOTHING]])
    lines = [
        f"## {title}: {len(nothing)} pairs\n\n"
        "| method | RMSE | RMSE, median of pairs | largest | median | SSIM | PSNR "
        "| worse than nothing |\n|---|---|---|---|---|---|---|---|\n"
    ]
    for name, pairs in scores.items():
        values = np.array([astuple(each) for each in pairs])
        cells = [
            f"{column.mean():.{digits}f} ± {column.std():.{digits}f}"
            for column, digits in zip(values.T, (2, 2, 2, 3, 2), strict=True)
        ]
        cells.insert(1, f"{np.median(values[:, 0]):.2f}")
        worse = (values[:, 0] > nothing).sum()
        lines.append(f"| {name} | {' | '.join(cells)} | {worse} |\n")
    return "".join(lines)


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-modality", type=int, default=12)
    args = parser.parse_args()
    torch.set_num_threads(1)
    records = read_records(find_data(None), ["val"], commercial_only=False)
    chosen = runner.evenly([r for r in records if r.modality in GROUPS], args.per_modality)
    cases = list(runner.read_cases(chosen, Protocol.parse("R256")))
    untouched = runner.read_cases(chosen, Protocol.parse("Z256"))
    truths = [grey(case.moving) for case in untouched]
    scores: dict[str, list[Score]] = {}
    for name, place in methods().items():
        scores[name] = [
            score(case, truth, place(case)) for case, truth in zip(cases, truths, strict=True)
        ]
        print(name, flush=True)
    parts = [("Both", GROUPS), *((group, (group,)) for group in GROUPS)]
    tables = [
        table(title, {name: pick(cases, pairs, wanted) for name, pairs in scores.items()})
        for title, wanted in parts
    ]
    RESULT.write_text(INTRODUCTION + "\n".join(tables), encoding="utf-8")


def pick(cases: list[Case], pairs: list[Score], wanted: tuple[str, ...]) -> list[Score]:
    """Return the scores of the pairs of some modalities."""
    return [each for case, each in zip(cases, pairs, strict=True) if case.group in wanted]


if __name__ == "__main__":
    main()
